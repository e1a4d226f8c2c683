"""From an edit to a run over what changed alone, and from two variations to a third."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_documents import collage
from test_runs import Desk

from collage_studio.app.actions import states_of
from collage_studio.app.requests import title_of
from collage_studio.app.stale import what_changed
from collage_studio.app.writing_back import written_back
from collage_studio.document.edits import change_layer, remove_layers, transform_layers
from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import RerollRequest, describe_layers


def with_pictures(accept: bool = True) -> Desk:
    """A desk with two variations, the first accepted and in its layers if wanted."""
    desk = Desk(replace(collage(), settings=RunSettings(steps=2, guidance=0)))
    desk.runs.harmonise([3, 8])
    desk.deliver()
    document = desk.editor.document
    told = describe_layers(document)
    variations = tuple(
        replace(one, recipe=replace(one.recipe, layers=told)) for one in document.variations
    )
    document = replace(document, variations=variations)
    if accept:
        document = written_back(replace(document, accepted=variations[0]))
    desk.editor.replace(document, saved=True)
    return desk


def move(document: Document) -> Document:
    return transform_layers(document, ["layer0"], Affine.translation(30, 20))


def test_the_action_works_once_something_changed():
    document = with_pictures().editor.document
    assert what_changed(document) == ()
    assert "changed" not in states_of(document, [])
    assert what_changed(move(document)) == ("layer0",)
    assert "changed" in states_of(move(document), [])
    assert what_changed(remove_layers(document, ["layer1"])) == ("layer1",)
    assert what_changed(replace(move(document), accepted=None)) == ()


def test_what_changed_is_queued_alone():
    desk = with_pictures()
    desk.editor.apply(move, "Move")
    desk.runs.harmonise_changed([4])
    [job] = desk.runs.board.jobs
    assert isinstance(job.request, RerollRequest)
    assert job.request.layer_ids == ("layer0",)
    assert job.request.also is not None
    assert job.title == title_of(job.request) == "Harmonise what changed"


def test_nothing_is_queued_where_nothing_changed_or_the_picture_is_not_in_the_layers():
    desk = with_pictures()
    desk.runs.harmonise_changed()
    desk.editor.apply(lambda d: replace(move(d), written_back=""), "Move")
    desk.runs.harmonise_changed()
    assert not desk.runs.board.jobs
    assert [notice.text.split(".")[0] for notice in desk.notices] == [
        "Nothing changed since the accepted picture was made",
        "The accepted picture is still on its way into the layers",
    ]


def test_a_request_worked_out_for_another_document_is_forgotten():
    desk, waiting = with_pictures(), []
    desk.editor.apply(move, "Move")
    desk.runs.harmonise_changed([4], lambda work, then: waiting.append((work, then)))
    desk.editor.replace(collage(), saved=True)
    [(work, then)] = waiting
    then(work())
    assert not desk.runs.board.jobs


def test_taking_a_layer_is_a_run_whose_variation_can_be_undone():
    desk = with_pictures(accept=False)
    first, second = desk.editor.document.variations
    desk.runs.take(["layer1"], second, first)
    [job] = desk.runs.board.jobs
    assert job.title == "Join variations"
    assert dict(job.request.taken)["layer1"] == 8
    desk.deliver()
    assert len(desk.editor.document.variations) == 3
    desk.editor.undo()
    assert desk.editor.document.variations == (first, second)


@pytest.mark.parametrize(
    ("ids", "change", "reason"),
    [
        (["gone"], lambda d: d, "No visible layer is selected"),
        (["layer0"], move, "Layer 0 was moved since"),
        (["layer0"], lambda d: change_layer(d, "layer1", opacity=0.5), "Layer 1 was edited since"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_one_sentence(ids, change, reason):
    desk = with_pictures(accept=False)
    first, second = desk.editor.document.variations
    desk.editor.apply(change, "Change")
    desk.runs.take(ids, second, first)
    assert not desk.runs.board.jobs
    assert desk.notices[-1].text.startswith(reason)


def test_a_layer_is_not_taken_from_the_picture_shown():
    desk = with_pictures(accept=False)
    first = desk.editor.document.variations[0]
    desk.runs.take(["layer0"], first, first)
    assert desk.notices[-1].text.startswith("This is the picture shown")
