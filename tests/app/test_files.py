"""Open, save and export: what works is remembered, what fails is said and loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_documents import collage

from collage_studio.app.editor import Editor
from collage_studio.app.files import Files, Sample, samples
from collage_studio.app.notices import Notice
from collage_studio.app.runner import Runner, run_now
from collage_studio.app.settings import PreferencesStore
from collage_studio.document.edits import change_layer
from collage_studio.document.geometry import Size
from collage_studio.formats.collage_file import load_collage


class Desk:
    """An editor with its files."""

    def __init__(self, folder: Path, runner: Runner = run_now) -> None:
        self.editor = Editor(collage())
        self.store = PreferencesStore(folder / "settings.json")
        self.files = Files(self.editor, self.store, runner)
        self.notices = list[Notice]()
        self.files.notice.subscribe(self.notices.append)


class Later:
    """A runner that works when it is told to, as a thread would at some time."""

    def __init__(self) -> None:
        self.waiting = list[tuple[Callable[[], Any], Callable[[Any], None]]]()

    def __call__(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.waiting.append((work, done))

    def do_next(self) -> None:
        work, done = self.waiting.pop(0)
        done(work())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_saved_collage_opens_equal_and_is_remembered(desk: Desk, tmp_path: Path):
    saved = desk.editor.document
    assert desk.files.needs_path
    assert not desk.files.save()
    desk.files.save_as(tmp_path / "camp")
    file = tmp_path / "camp.collage"
    assert desk.files.path == file
    assert not desk.editor.is_modified
    desk.files.new()
    assert desk.files.title == "Untitled"
    assert desk.files.open(file)
    assert desk.editor.document == saved
    assert desk.files.title == "camp"
    assert desk.files.recent == (file,)
    assert desk.files.folder("open") == tmp_path
    assert desk.notices == []


def test_saving_again_writes_the_change(desk: Desk, tmp_path: Path):
    desk.files.save_as(tmp_path / "camp.collage")
    desk.editor.apply(lambda d: change_layer(d, "layer0", noise=0.25), "Noise")
    assert desk.editor.is_modified
    assert desk.files.save()
    other = Desk(tmp_path)
    other.files.open(tmp_path / "camp.collage")
    assert other.editor.document.layers[0].noise == 0.25


def test_a_picture_opens_as_a_new_collage_of_its_size(desk: Desk, tmp_path: Path):
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "red car.png")
    assert desk.files.open(tmp_path / "red car.png")
    assert desk.editor.document.size == Size(60, 40)
    assert desk.editor.document.layers[0].text == "red car"
    assert desk.files.needs_path
    assert desk.editor.is_modified


def test_a_file_that_cannot_be_read_leaves_the_document_and_says_so(desk: Desk, tmp_path: Path):
    before = desk.editor.document
    (tmp_path / "broken.collage").write_bytes(b"not a zip at all")
    assert not desk.files.open(tmp_path / "broken.collage")
    assert not desk.files.open(tmp_path / "gone.png")
    assert desk.editor.document is before
    assert [notice.level for notice in desk.notices] == ["danger", "danger"]
    assert "broken.collage" in desk.notices[0].text


def test_a_save_that_fails_keeps_the_work_and_offers_another_place(desk: Desk, tmp_path: Path):
    worked = list[bool]()
    desk.files.save_as(tmp_path / "no such folder" / "camp.collage", worked.append)
    assert worked == [False]
    assert desk.files.path is None
    assert desk.notices[-1].buttons == (("Save elsewhere", "file.save_as"),)


def test_an_export_is_reported_as_checked(desk: Desk, tmp_path: Path):
    worked = list[bool]()
    desk.files.export(tmp_path / "camp.png", worked.append)
    assert desk.notices[-1].level == "ok"
    assert desk.notices[-1].text.startswith("Exported camp.png, ")
    assert desk.notices[-1].text.endswith("checked.")
    desk.files.export(tmp_path / "camp.xyz", worked.append)
    assert worked == [True, False]
    assert desk.notices[-1].level == "danger"


def test_good_pictures_are_added_in_one_edit_and_bad_ones_named(desk: Desk, tmp_path: Path):
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "tent.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG but no more")
    before = desk.editor.document
    ids = desk.files.add([tmp_path / "tent.png", tmp_path / "bad.png"], (10.0, 10.0))
    assert len(ids) == 1
    assert desk.editor.undo_label == "Add picture"
    assert "bad.png" in desk.notices[-1].text
    desk.editor.undo()
    assert desk.editor.document is before


def test_a_sample_opens_untitled_so_that_it_is_never_overwritten(desk: Desk, tmp_path: Path):
    desk.files.save_as(tmp_path / "sample.collage")
    assert desk.files.open_sample(Sample("Lakeside camp", tmp_path / "sample.collage"))
    assert desk.files.title == "Lakeside camp"
    assert desk.files.needs_path
    assert not desk.files.save()
    assert desk.files.path is None
    assert not desk.editor.is_modified


def test_bundled_samples_exist_and_have_names():
    for sample in samples():
        assert sample.path.is_file()
        assert sample.name[0].isupper()


def test_edits_made_while_a_save_runs_count_as_unsaved(tmp_path: Path):
    later = Later()
    desk = Desk(tmp_path, later)
    desk.editor.apply(lambda d: change_layer(d, "layer0", noise=0.25), "Noise")
    saved = desk.editor.document
    desk.files.save_as(tmp_path / "camp.collage")
    assert desk.files.doing == "Saving…"
    desk.editor.apply(lambda d: change_layer(d, "layer0", noise=0.5), "Noise")
    assert desk.files.save()
    assert len(later.waiting) == 2
    later.do_next()
    assert desk.files.is_writing
    assert desk.editor.is_modified
    assert load_collage(tmp_path / "camp.collage").document == saved
    later.do_next()
    assert not desk.files.is_writing
    assert not desk.editor.is_modified
    assert load_collage(tmp_path / "camp.collage").document == desk.editor.document


def test_a_save_that_ends_after_another_document_was_opened_leaves_that_alone(tmp_path: Path):
    later = Later()
    desk = Desk(tmp_path, later)
    desk.editor.apply(lambda d: change_layer(d, "layer0", noise=0.25), "Noise")
    desk.files.save_as(tmp_path / "camp.collage")
    desk.files.new()
    later.do_next()
    assert (tmp_path / "camp.collage").is_file()
    assert desk.files.path is None
    assert not desk.editor.is_modified
