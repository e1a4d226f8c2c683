"""Jobs that wait when the program ends are there again, held back, at the next start."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from small_documents import collage
from test_runs import Desk

from collage_studio.app.autosave import Autosave
from collage_studio.app.editor import Editor
from collage_studio.app.kept_queue import KeptJob, read_jobs, write_jobs
from collage_studio.app.runs import RunController
from collage_studio.document.edits import change_layer, remove_layers
from collage_studio.document.extras import RunExtras
from collage_studio.document.model import Mask
from collage_studio.document.recipe import RunSettings, Start
from collage_studio.engine.api import (
    FillRequest,
    HarmoniseRequest,
    LearnRequest,
    LearnSettings,
    Produced,
    RerollRequest,
)
from collage_studio.jobs.board import JobState


def every_kind() -> list[KeptJob]:
    document = collage()
    other = remove_layers(change_layer(document, "layer0", noise=0.1), ["layer1"])
    settings = RunSettings(steps=7, avoid="blur", extras=RunExtras("edges", identity_model="e"))
    also = Mask(np.random.default_rng(1).integers(0, 256, document.size.shape, np.uint8))
    reroll = RerollRequest(other, ("layer0",), (4, 5), settings, Start.NOISE)
    requests = (
        HarmoniseRequest(document, (1, 2, 3), settings),
        reroll,
        RerollRequest(document, (), (9,), settings, also=also, taken=(("layer0", 3),)),
        LearnRequest(other, ("layer0",), settings, LearnSettings(2, 50, 0.5, False, 8), True),
        FillRequest(document, ("layer1",), 77, settings),
    )
    return [KeptJob(f"Job {n}", request, n + 1) for n, request in enumerate(requests)]


def autosave_of(desk: Desk, folder: Path) -> Autosave:
    runs = desk.runs
    return Autosave(desk.editor, folder, interval_seconds=0, jobs=lambda: runs.unfinished)


def restarted(folder: Path) -> Desk:
    """A new session that takes over what the last one left, as the program does."""
    survivor = Autosave(Editor(collage()), folder)
    (found,) = survivor.recover()
    desk = Desk(found.opened.document)
    desk.runs.put_back(survivor.jobs_of(found))
    survivor.forget(found)
    return desk


def test_every_kind_of_request_comes_back_equal(tmp_path: Path) -> None:
    jobs, document = every_kind(), collage()
    write_jobs(jobs, document, tmp_path, "key")
    assert list(read_jobs(document, tmp_path, "key")) == jobs


def test_bitmaps_of_the_recovery_copy_are_not_stored_again(tmp_path: Path) -> None:
    jobs, document = every_kind(), collage()
    write_jobs(jobs[:1], document, tmp_path, "key")
    [path] = tmp_path.iterdir()
    assert not [n for n in zipfile.ZipFile(path).namelist() if n.endswith(".png")]
    other = remove_layers(document, ["layer1"])
    write_jobs(jobs[:1], other, tmp_path, "key")
    assert [n for n in zipfile.ZipFile(path).namelist() if n.endswith(".png")]
    assert list(read_jobs(other, tmp_path, "key")) == jobs[:1]


def test_damaged_files_and_lost_documents_are_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, document = every_kind(), collage()
    write_jobs(jobs, document, tmp_path, "key")
    paths = sorted(tmp_path.iterdir())
    paths[0].write_bytes(b"half a file")
    paths[4].write_bytes(paths[4].read_bytes().replace(b'"kind": "fill"', b'"kind": "bill"'))
    kept = read_jobs(document, tmp_path, "key")
    assert list(kept) == jobs[1:4]
    assert caplog.text.count("A waiting run was dropped") == 2
    without = remove_layers(document, ["layer0", "layer1"])
    assert read_jobs(without, tmp_path, "key") == ()


def test_waiting_and_running_jobs_survive_and_wait_paused(tmp_path: Path) -> None:
    desk = Desk()
    desk.runs.harmonise([1, 2])
    desk.runs.reroll(["layer0"], [3])
    desk.deliver(until=lambda event: isinstance(event, Produced))
    document = desk.editor.document
    autosave = autosave_of(desk, tmp_path)
    assert autosave.due()
    autosave.write()
    assert not autosave.due(), "Nothing has changed since."
    autosave.leave()

    after = restarted(tmp_path)
    board = after.runs.board
    assert after.editor.document == document
    assert [(job.state, job.seeds) for job in board.jobs] == [
        (JobState.WAITING, (2,)),
        (JobState.WAITING, (3,)),
    ]
    assert board.paused
    assert after.engine.requests == {}
    [notice] = after.notices
    assert notice.text == "2 runs from your last session wait in the queue, which is paused."
    assert list(tmp_path.glob("*.run")) == []
    after.runs.set_paused(False)
    after.deliver()
    made = after.editor.document.variations
    assert [(v.recipe.seed, v.run) for v in made] == [(1, 1), (2, 1), (3, 2)]


def test_a_saved_document_is_kept_as_long_as_jobs_wait(tmp_path: Path) -> None:
    desk = Desk()
    autosave = autosave_of(desk, tmp_path)
    assert not autosave.is_needed
    desk.runs.harmonise([1])
    assert autosave.is_needed
    autosave.write()
    autosave.drop_if_saved()
    assert len(list(tmp_path.glob("*.run"))) == 1
    desk.runs.cancel()
    desk.deliver()
    autosave.drop_if_saved()
    assert not list(tmp_path.glob("*.collage"))
    assert not list(tmp_path.glob("*.run"))
    autosave.close()


def test_jobs_that_are_over_meanwhile_leave_their_files(tmp_path: Path) -> None:
    desk = Desk()
    for seed in (1, 2, 3):
        desk.runs.harmonise([seed])
    autosave = autosave_of(desk, tmp_path)
    autosave.write()
    assert len(list(tmp_path.glob("*.run"))) == 3
    desk.deliver()
    autosave.write()
    assert list(tmp_path.glob("*.run")) == []
    autosave.close()


def test_a_download_belongs_to_no_document(tmp_path: Path) -> None:
    desk = Desk()
    desk.runs.set_paused(True)
    desk.runs.fetch("someone/model")
    assert desk.runs.unfinished == ()


def test_another_document_lets_go_of_jobs_and_pause() -> None:
    desk = Desk()
    kept = KeptJob("Harmonise", HarmoniseRequest(collage(), (1,), RunSettings(steps=2)), 1)
    desk.runs.put_back([kept])
    desk.editor.replace(collage(), saved=True)
    assert desk.runs.board.jobs == ()
    assert not desk.runs.board.paused


def test_a_new_run_says_that_the_queue_is_paused(desk: Desk) -> None:
    desk.runs.set_paused(True)
    desk.runs.harmonise([1])
    assert desk.notices[-1].text == "1 run waits in the queue, which is paused."
    assert ("Go on", "harmonise.go_on") in desk.notices[-1].buttons


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_controller_gives_what_is_not_over() -> None:
    desk = Desk()
    runs: RunController = desk.runs
    runs.harmonise([1, 2])
    assert [job.request.seeds for job in runs.unfinished] == [(1, 2)]
    desk.deliver()
    assert runs.unfinished == ()
