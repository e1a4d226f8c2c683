"""Fill behind between editor, queue and engine: one undoable edit, and the offer to do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from collage_studio.app.editor import Editor
from collage_studio.app.filling import FillOffer, as_accepted, fill_request, key_of
from collage_studio.app.notices import Notice
from collage_studio.app.runs import RunController
from collage_studio.app.writing_back import written_back
from collage_studio.document.compositing import composite_picture
from collage_studio.document.edits import remove_layers, transform_layers
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.harmonised import GROUND
from collage_studio.document.model import Document, Layer, Raster, Variation
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.engine.api import (
    Cancelled,
    Filled,
    FillRequest,
    Finished,
    Request,
    Started,
    describe_layers,
)
from collage_studio.jobs.board import Job, JobBoard

SIDE = Affine.translation(10, 0)


class Port:
    """An engine that remembers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Request]] = []

    def send(self, job_id: str, request: Request) -> None:
        self.sent.append((job_id, request))

    def cancel(self, job_id: str) -> None:
        del job_id

    def restart(self) -> None:
        pass


def harmonised() -> Document:
    box = Layer(
        "box",
        "Box",
        raster=Raster.from_rgb(np.full((10, 10, 3), 200, np.uint8)),
        placement=Affine.translation(6, 8),
    )
    document = Document(Size(40, 32), (box,))
    picture = Raster.from_rgb(composite_picture(document)[..., :3])
    recipe = Recipe("harmonise", 1, RunSettings(), "", layers=describe_layers(document))
    return written_back(replace(document, accepted=Variation("v", 1, picture, recipe)))


def started(document: Document) -> tuple[Editor, RunController, Port, list[Notice]]:
    editor, port = Editor(document), Port()
    runs, told = RunController(editor, JobBoard(), port), list[Notice]()
    runs.notice.subscribe(told.append)
    return editor, runs, port, told


def filled(document: Document, colour: int = 90) -> Filled:
    [ground] = [layer for layer in document.beside if layer.id == GROUND]
    assert ground.raster is not None
    pixels = np.full_like(ground.raster.pixels, colour)
    return Filled(GROUND, pixels.astype(np.uint8), ground.placement, ground.raster.key)


def test_a_filling_becomes_one_edit_when_the_job_is_done():
    editor, runs, port, _ = started(harmonised())
    runs.fill_behind(("box",))
    [(job_id, request)] = port.sent
    assert isinstance(request, FillRequest)
    assert runs.board.jobs[0].title == "Fill behind Box"
    before = editor.document
    runs.handle(job_id, Started((), 4))
    runs.handle(job_id, filled(before))
    assert editor.document is before
    runs.handle(job_id, Finished())
    assert key_of(editor.document, GROUND) != key_of(before, GROUND)
    assert editor.undo_label == "Fill behind Box"
    editor.undo()
    assert editor.document is before


def test_a_cancelled_filling_changes_nothing():
    editor, runs, port, _ = started(harmonised())
    runs.fill_behind(())
    before = editor.document
    runs.handle(port.sent[0][0], filled(before))
    runs.handle(port.sent[0][0], Cancelled())
    assert editor.document is before


def test_progress_counts_the_steps_of_all_layers():
    _, runs, port, _ = started(harmonised())
    runs.fill_behind(())
    runs.handle(port.sent[0][0], Started((), 8))
    job: Job = runs.board.jobs[0]
    assert not job.makes_pictures
    assert job.seeds == ()
    assert job.progress == 0


def test_pixels_that_changed_meanwhile_are_left_alone():
    editor, runs, port, _ = started(harmonised())
    runs.fill_behind(())
    late = replace(filled(editor.document), before="other")
    runs.handle(port.sent[0][0], late)
    before = editor.document
    runs.handle(port.sent[0][0], Finished())
    assert editor.document is before


def test_without_an_accepted_picture_the_reason_is_told():
    _, runs, port, told = started(Document(Size(8, 8)))
    runs.fill_behind(())
    assert not port.sent
    assert "Accept a variation first" in told[0].text


def test_what_hides_nothing_needs_no_run():
    document = harmonised()
    _, runs, port, told = started(remove_layers(document, ("box",)))
    runs.fill_behind(())
    assert not port.sent
    assert "Nothing is missing" in told[0].text


def test_the_run_sees_layers_where_the_picture_has_them():
    document = harmonised()
    moved = transform_layers(document, ("box",), SIDE)
    assert as_accepted(moved).layers == document.layers
    request = fill_request(moved, ("box",), 1)
    assert request is not None
    assert request.document.layers == document.layers


def test_a_deleted_layer_is_remembered_for_what_it_hid():
    document = harmonised()
    gone = remove_layers(document, ("box",))
    assert fill_request(gone, ("box",), 1) is None
    request = fill_request(gone, ("box",), 1, document)
    assert request is not None
    assert request.document.find("box") is not None


def at_once(work: Callable[[], Any], then: Callable[[Any], None]) -> None:
    then(work())


def test_a_harmonised_layer_that_moves_is_offered_once():
    editor, _, _, _ = started(harmonised())
    offered = list[Notice]()
    offer = FillOffer(editor, offered.append, at_once)
    editor.apply(lambda d: replace(d, caption=d.caption), "Nothing")
    assert not offered
    for _ in range(3):
        editor.apply(lambda d: transform_layers(d, ("box",), SIDE), "Move")
    assert [notice.buttons for notice in offered] == [
        (("Fill behind", "layer.fill_behind_of:box"),)
    ]
    offer.close()


def test_a_layer_filled_before_is_not_offered():
    editor, _, _, _ = started(harmonised())
    offered = list[Notice]()
    offer = FillOffer(editor, offered.append, at_once)
    editor.apply(lambda d: replace(d, caption=d.caption), "Nothing")
    offer.fill_asked(("box",))
    editor.apply(lambda d: transform_layers(d, ("box",), SIDE), "Move")
    assert not offered
    offer.close()
