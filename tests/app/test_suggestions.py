"""Suggested values are taken, taken back, and undone like any other edit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_documents import raster

from collage_studio.app.editor import Editor
from collage_studio.app.suggestions import Offer, Suggestions, values_of
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer


@pytest.fixture
def editor() -> Editor:
    large = Layer("large", "Large", raster=raster(1), placement=Affine.scaling(3), noise=0.11)
    small = Layer("small", "Small", raster=raster(2), attention_in=1.5)
    return Editor(Document(Size(480, 400), (large, small)))


def _values(editor: Editor, layer_id: str) -> tuple[float, ...]:
    layer = editor.document.find(layer_id)
    assert layer is not None
    return values_of(layer)


def test_suggestion_is_taken_and_taken_back(editor: Editor) -> None:
    suggestions, before = Suggestions(editor), editor.document
    offer, said = suggestions.offer(["large"])
    assert offer is Offer.TAKE
    assert said is not None
    suggestions.take(["large"])
    assert _values(editor, "large")[:2] == (said.noise, said.attention_in)
    assert suggestions.offer(["large"])[0] is Offer.TAKE_BACK
    suggestions.take_back(["large"])
    assert editor.document == before


def test_taking_is_one_step_of_undo_for_all_layers(editor: Editor) -> None:
    suggestions, before = Suggestions(editor), editor.document
    suggestions.take(["large", "small"])
    assert editor.undo_label == "Use suggested values"
    editor.undo()
    assert editor.document is before
    assert suggestions.offer(["large", "small"])[0] is Offer.TAKE


def test_values_that_were_suggested_from_the_start_go_back_to_a_plain_layers(
    editor: Editor,
) -> None:
    suggestions = Suggestions(editor)
    suggestions.take(["small"])
    fresh = Suggestions(editor)
    fresh.take_back(["small"])
    assert _values(editor, "small") == values_of(Layer("", "", raster=raster(2)))


def test_moving_a_layer_makes_a_new_suggestion(editor: Editor) -> None:
    suggestions = Suggestions(editor)
    suggestions.take(["small"])
    editor.apply(
        lambda document: document.with_layers(
            document.layers[0], replace(document.layers[1], placement=Affine.scaling(4))
        ),
        "Scale",
    )
    assert suggestions.offer(["small"])[0] is Offer.TAKE


def test_nothing_is_offered_for_what_has_no_suggestion(editor: Editor) -> None:
    suggestions = Suggestions(editor)
    assert suggestions.offer(["background", "gone"]) == (Offer.NONE, None)
    before = editor.document
    suggestions.take(["gone"])
    suggestions.take_back(["gone"])
    assert editor.document is before
