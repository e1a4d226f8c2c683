"""The run controller: from a button to variations in the document. The engine runs in place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from small_documents import collage
from tiny_engine import RAISES, TOO_BIG, TinyEngine

from collage_studio.app.editor import Editor
from collage_studio.app.notices import Notice
from collage_studio.app.runs import RunController
from collage_studio.app.settings import Preferences
from collage_studio.document.edits import change_layer, remove_layers
from collage_studio.document.geometry import Size
from collage_studio.document.model import Document, NextState
from collage_studio.document.recipe import RunSettings, Start
from collage_studio.engine.api import (
    Cancelled,
    EngineError,
    Event,
    Failed,
    Finished,
    Previewed,
    Produced,
    Request,
    RerollRequest,
)
from collage_studio.jobs.board import JobBoard, JobState


class InPlaceEngine:
    """An `EnginePort` that runs the tiny engine here; events wait until they are delivered."""

    def __init__(self) -> None:
        self.requests = dict[str, Request]()
        self._events = deque[tuple[str, Event]]()
        self._cancelled = set[str]()

    def send(self, job_id: str, request: Request) -> None:
        self.requests[job_id] = request
        self._cancelled.discard(job_id)
        try:
            for event in TinyEngine("cpu").run(request, lambda: False):
                self._events.append((job_id, event))
        except EngineError as error:
            self._events.append((job_id, Failed(str(error), error.remedy)))
        except ZeroDivisionError:
            self._events.append((job_id, Failed("It stopped.", "retry", "traceback")))

    def cancel(self, job_id: str) -> None:
        self._events = deque(entry for entry in self._events if entry[0] != job_id)
        self._events.append((job_id, Cancelled()))

    def restart(self) -> None:
        self._events.clear()

    def deliver(
        self, runs: RunController, until: Callable[[Event], bool] = lambda _event: False
    ) -> None:
        while self._events:
            job_id, event = self._events.popleft()
            runs.handle(job_id, event)
            if until(event):
                return


class Desk:
    """An editor with its runs."""

    def __init__(self, document: Document | None = None) -> None:
        document = document or replace(collage(), settings=RunSettings(steps=2, guidance=0))
        self.editor = Editor(document)
        self.engine = InPlaceEngine()
        self.preferences = Preferences(variations=2)
        self.runs = RunController(self.editor, JobBoard(), self.engine, lambda: self.preferences)
        self.notices = list[Notice]()
        self.runs.notice.subscribe(self.notices.append)

    def deliver(self, until: Callable[[Event], bool] = lambda _event: False) -> None:
        self.engine.deliver(self.runs, until)

    @property
    def seeds(self) -> list[int]:
        return [variation.recipe.seed for variation in self.editor.document.variations]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_harmonise_adds_a_variation_for_each_seed_in_one_undoable_entry(desk: Desk):
    before = desk.editor.document
    desk.runs.harmonise([3, 8])
    desk.deliver()
    assert desk.seeds == [3, 8]
    assert {variation.run for variation in desk.editor.document.variations} == {1}
    assert desk.editor.undo_label == "Add variations"
    desk.editor.undo()
    assert desk.editor.document is before


def test_the_request_is_a_snapshot_of_the_document_without_its_strip(desk: Desk):
    desk.runs.harmonise([1])
    desk.deliver()
    job = desk.runs.harmonise([2])
    assert job is not None
    assert job.request.document == replace(desk.editor.document, variations=())
    desk.editor.apply(lambda d: change_layer(d, "layer0", noise=0.9), "Noise")
    assert job.request.document.layers[0].noise == 0.5


def test_new_seeds_are_drawn_for_each_run_unless_they_are_fixed(desk: Desk):
    first, second = desk.runs.harmonise(), desk.runs.harmonise()
    assert first is not None
    assert second is not None
    assert len(set(first.seeds + second.seeds)) == 4
    desk.preferences = Preferences(variations=3, seeds="fixed", first_seed=7)
    fixed = desk.runs.harmonise()
    assert fixed is not None
    assert fixed.seeds == (7, 8, 9)


def test_marked_layers_turn_harmonise_into_their_reroll(desk: Desk):
    desk.editor.apply(lambda d: change_layer(d, "layer1", state=NextState.REROLL), "Mark")
    job = desk.runs.harmonise([1])
    assert job is not None
    assert isinstance(job.request, RerollRequest)
    assert job.request.layer_ids == ("layer1",)
    assert job.title == "Re-roll Layer 1"
    desk.deliver()
    desk.runs.accept(desk.editor.document.variations[0].id)
    assert desk.editor.document.accepted is not None


def test_reroll_leaves_out_layers_that_are_gone(desk: Desk):
    job = desk.runs.reroll(["layer0", "gone"], [5], Start.ORIGINAL)
    assert job is not None
    assert isinstance(job.request, RerollRequest)
    assert (job.request.layer_ids, job.request.start) == (("layer0",), Start.ORIGINAL)
    assert desk.runs.reroll(["gone"]) is None
    assert desk.notices[-1].text == "No layer is selected to re-roll. Select one first."


def test_an_empty_canvas_says_what_is_missing():
    desk = Desk(Document(Size(64, 64)))
    assert desk.runs.harmonise() is None
    assert desk.notices[-1].text == "There is no picture to harmonise. Drop one on the canvas."
    assert desk.notices[-1].buttons == (("Add picture", "file.add"),)


def test_previews_are_kept_while_the_seed_runs_and_never_enter_the_document(desk: Desk):
    before, heard = desk.editor.document, list[tuple[str, Previewed]]()
    desk.runs.preview_changed.subscribe(heard.append)
    job = desk.runs.harmonise([4])
    assert job is not None
    desk.deliver(until=lambda event: isinstance(event, Previewed) and event.step == 2)
    assert desk.editor.document is before
    assert desk.runs.previews[job.id, 4].step == 2
    desk.deliver()
    assert desk.runs.previews == {}
    assert [preview.step for _, preview in heard] == [1, 2]


def test_a_layer_deleted_meanwhile_is_left_alone(desk: Desk):
    desk.runs.reroll(["layer1"], [4])
    desk.editor.apply(lambda d: remove_layers(d, ["layer1"]), "Delete")
    desk.deliver()
    assert desk.editor.document.find("layer1") is None
    assert desk.seeds == [4]


def test_one_job_is_sent_at_a_time_and_the_next_follows(desk: Desk):
    first, second = desk.runs.harmonise([1]), desk.runs.harmonise([2])
    assert first is not None
    assert second is not None
    assert list(desk.engine.requests) == [first.id]
    desk.deliver()
    assert list(desk.engine.requests) == [first.id, second.id]
    assert desk.seeds == [1, 2]
    assert [variation.run for variation in desk.editor.document.variations] == [1, 2]


def test_runs_compare_identities_with_the_encoder_of_the_preferences(desk: Desk):
    desk.preferences = Preferences(identity_model="/models/dino")
    job = desk.runs.harmonise([1])
    assert job is not None
    assert job.request.settings.extras.identity_model == "/models/dino"
    assert desk.editor.document.settings.extras.identity_model == ""
    desk.deliver()
    desk.preferences = Preferences()
    again = desk.runs.more_seeds()
    assert again is not None
    assert again.request.settings.extras.identity_model == ""


def test_a_paused_queue_waits(desk: Desk):
    desk.runs.set_paused(True)
    desk.runs.harmonise([1])
    assert desk.engine.requests == {}
    desk.runs.set_paused(False)
    desk.deliver()
    assert desk.seeds == [1]


def test_cancel_ends_the_running_job_and_starts_the_next(desk: Desk):
    desk.runs.harmonise([1])
    waiting = desk.runs.harmonise([2])
    desk.runs.cancel()
    desk.deliver()
    assert desk.seeds == [2]
    assert [job.state for job in desk.runs.board.jobs] == [JobState.CANCELLED, JobState.DONE]
    assert waiting is not None


def test_a_waiting_job_is_cancelled_without_the_engine(desk: Desk):
    desk.runs.harmonise([1])
    waiting = desk.runs.harmonise([2])
    assert waiting is not None
    desk.runs.cancel(waiting.id)
    desk.deliver()
    assert desk.seeds == [1]


def test_a_failure_says_what_happened_and_retry_runs_the_missing_seeds(desk: Desk):
    before = desk.editor.document
    job = desk.runs.harmonise([1, RAISES])
    assert job is not None
    desk.deliver()
    assert desk.notices[-1].level == "danger"
    assert desk.notices[-1].details == "traceback"
    again = desk.runs.retry()
    assert again is not None
    assert (again.id, again.seeds) == (job.id, (RAISES,))
    desk.deliver()
    assert desk.seeds == [1]
    assert desk.editor.document.layers is before.layers


def test_a_run_too_large_for_memory_offers_a_smaller_size(desk: Desk):
    job = desk.runs.harmonise([TOO_BIG])
    assert job is not None
    desk.deliver()
    assert desk.notices[-1].buttons == (("Retry smaller", f"harmonise.retry_smaller:{job.id}"),)
    again = desk.runs.retry(job.id, smaller_size=True)
    assert again is not None
    assert again.request.settings.resolution == 64


def test_warnings_of_a_run_become_notices(desk: Desk):
    desk.editor.apply(lambda d: change_layer(d, "layer0", text=""), "Text")
    desk.runs.harmonise([1])
    desk.deliver()
    assert [n.text for n in desk.notices] == ["Layer 0 has no text. It follows the caption only."]


def test_more_seeds_join_the_run_they_came_from(desk: Desk):
    desk.preferences = Preferences(variations=2, seeds="fixed", first_seed=1)
    desk.runs.harmonise()
    desk.deliver()
    desk.runs.more_seeds()
    desk.deliver()
    assert desk.seeds == [1, 2, 3, 4]
    assert {variation.run for variation in desk.editor.document.variations} == {1}


def test_another_document_never_gets_the_pictures_of_the_former(desk: Desk):
    desk.runs.harmonise([1])
    desk.runs.harmonise([2])
    desk.editor.replace(collage(1), saved=True)
    desk.deliver()
    assert desk.seeds == []
    assert desk.runs.board.jobs == ()


def test_a_canvas_of_another_size_takes_no_picture(desk: Desk):
    desk.runs.harmonise([1])
    desk.editor.apply(lambda d: replace(d, size=Size(50, 50)), "Size")
    desk.deliver(until=lambda event: isinstance(event, Finished))
    assert desk.seeds == []
    assert desk.notices[-1].text.startswith("The canvas has a new size")


def test_a_produced_picture_enters_the_document_equal(desk: Desk):
    pictures = list[Produced]()
    desk.runs.harmonise([1])
    desk.deliver(until=lambda event: isinstance(event, Produced) and not pictures.append(event))
    stored = desk.editor.document.variations[0].picture.pixels
    np.testing.assert_array_equal(stored[..., :3], pictures[0].picture)
    assert (stored[..., 3] == 255).all()


def test_dropping_a_variation_can_be_undone(desk: Desk):
    desk.runs.harmonise([1, 2])
    desk.deliver()
    desk.runs.drop(desk.editor.document.variations[0].id)
    assert desk.seeds == [2]
    desk.editor.undo()
    assert desk.seeds == [1, 2]


def test_closing_gives_up_every_subscription(desk: Desk):
    desk.runs.close()
    assert len(desk.editor.replaced) == 0
    assert len(desk.runs.board.changed) == 0
