"""Suggested values follow how a layer lies; the presets of the release are the fixtures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_documents import raster

from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.layouts import add_layout, box_layer
from collage_studio.document.model import Document, Layer, LayerKind
from collage_studio.document.suggesting import (
    Lie,
    as_released,
    by_role,
    lies,
    suggestions_for,
    with_suggestions,
)

SHARES = st.floats(0, 1)

PRESETS: dict[str, tuple[tuple[float, float, float, float, float], ...]] = {
    "room": (
        (1.0, 0.2, 0.2, 0.9, 0.1),
        (0.6, 0.86, 0.8, 0.4, 0.8),
        (0.25, 0.88, 0.7, 0.4, 0.5),
        (0.7, 0.67, 0.66, 0.5, 0.4),
        (0.55, 0.4, 0.8, 0.2, 0.6),
        (0.4, 0.73, 0.5, 0.58, 0.6),
        (0.3, 0.5, 0.4, 0.4, 0.4),
        (0.4, 0.6, 0.73, 0.6, 0.5),
        (0.1, 0.8, 0.85, 0.3, 0.5),
    ),
    "pool": (
        (1.0, 0.3, 0.2, 0.9, 0.1),
        (0.9, 0.3, 0.4, 0.8, 0.5),
        (0.6, 0.59, 0.61, 0.2, 0.74),
        (0.5, 0.77, 0.6, 0.8, 0.5),
        (0.7, 0.4, 0.4, 0.7, 0.4),
    ),
    "pirate": (
        (1.0, 0.1, 0.1, 0.9, 0.1),
        (0.9, 0.1, 0.1, 0.8, 0.0),
        (0.6, 0.6, 0.6, 0.1, 0.5),
        (0.5, 0.7, 0.5, 0.2, 0.8),
        (0.4, 0.64, 0.65, 0.5, 0.5),
    ),
    "still life": (
        (1.0, 0.1, 0.1, 0.8, 0.2),
        (0.9, 0.3, 0.2, 0.5, 0.8),
        (0.4, 0.3, 0.3, 0.8, 0.8),
        (0.4, 0.5, 0.2, 0.7, 0.3),
        (0.2, 0.6, 0.2, 0.2, 0.3),
        (0.2, 0.5, 0.2, 0.6, 0.5),
    ),
}
"""Size, w+, w-, noise and edge of each layer, back to front, as the release's users set them.

The release keeps no sizes, only values: the sizes are what such things usually take up.
"""


def _lies_of(preset: str) -> list[Lie]:
    layers = PRESETS[preset]
    last = len(layers) - 1
    return [
        Lie(size, size * size, (last - place) / last, size == 1.0)
        for place, (size, *_) in enumerate(layers)
    ]


def _errors(rule: object) -> np.ndarray:
    """Mean absolute error of w+, w-, noise and edge over all layers of all presets."""
    rows = list[list[float]]()
    for preset, layers in PRESETS.items():
        for lie, (_, inside, outside, noise, edge) in zip(_lies_of(preset), layers, strict=True):
            said = rule(lie)  # type: ignore[operator]
            values = (said.attention_in, said.attention_out, said.noise, said.control)
            truth = (inside, outside, noise, edge)
            rows.append([abs(a - b) for a, b in zip(values, truth, strict=True)])
    return np.mean(rows, axis=0)


def test_our_rule_is_nearer_to_the_presets_than_the_released_one() -> None:
    ours, released = _errors(by_role), _errors(as_released)
    assert ours.max() < 0.2
    assert ours.mean() < released.mean()


@pytest.mark.parametrize("preset", PRESETS)
def test_backgrounds_are_loose_and_small_things_in_front_are_firm(preset: str) -> None:
    background, *_, front = map(by_role, _lies_of(preset))
    assert background.noise > front.noise
    assert background.attention_in < front.attention_in
    assert background.attention_out < front.attention_out
    assert background.control < front.control


@given(SHARES, SHARES, SHARES, st.booleans())
def test_suggestions_stay_in_their_ranges(
    size: float, area: float, in_front: float, is_background: bool
) -> None:
    for rule in (by_role, as_released):
        said = rule(Lie(size, area, in_front, is_background))
        assert 0 <= said.noise <= 1
        assert 0 <= said.control <= 1
        assert 0 <= said.attention_out <= 1
        assert 0 <= said.attention_in <= 1


@given(SHARES, SHARES, SHARES)
def test_larger_layers_get_more_noise_and_looser_words(
    size: float, more: float, in_front: float
) -> None:
    small, large = sorted((size, more))
    one, other = (by_role(Lie(s, s * s, in_front, False)) for s in (small, large))
    assert one.noise <= other.noise
    assert one.attention_in >= other.attention_in


def _stack() -> Document:
    """A picture that fills the canvas, a large and a small one, and a group with a fill."""
    wide = Layer("wide", "Wide", raster=raster(1), placement=Affine.scaling(10))
    large = Layer("large", "Large", raster=raster(2), placement=Affine.scaling(3))
    small = Layer("small", "Small", raster=raster(3), placement=Affine.scaling(0.5))
    group = Layer("group", "Group", LayerKind.GROUP, children=(small,))
    return Document(Size(480, 400), (wide, large, group))


def test_lie_tells_size_stacking_and_role() -> None:
    found = lies(_stack(), {"wide", "large", "small", "group", "background", "gone"})
    assert found.keys() == {"wide", "large", "small"}
    assert found["wide"] == Lie(1.0, 1.0, 1.0, True)
    assert (found["large"].in_front, found["small"].in_front) == (0.5, 0.0)
    assert found["small"].size < found["large"].size < 1.0
    assert not found["large"].is_background


def test_only_the_lowest_layer_that_fills_the_canvas_is_the_background() -> None:
    document = _stack()
    cover = replace(document.layers[0], id="cover")
    found = lies(document.with_layers(*document.layers, cover), {"wide", "cover"})
    assert found["wide"].is_background
    assert not found["cover"].is_background


def test_hidden_layers_have_no_suggestion_and_do_not_count() -> None:
    document = _stack()
    hidden = replace(document.layers[0], visible=False)
    document = document.with_layers(hidden, *document.layers[1:])
    assert "wide" not in suggestions_for(document, {"wide"})
    assert lies(document, {"large"})["large"].in_front == 1.0


def test_layout_layers_are_drawn_from_noise_whatever_is_suggested() -> None:
    document = add_layout(_stack(), box_layer(Rect(10, 10, 60, 60), text="a tent", layer_id="box"))
    assert suggestions_for(document, {"box"}) == {}
    assert lies(document, {"small"}) == lies(_stack(), {"small"})


def test_taking_a_suggestion_changes_the_named_layers_once() -> None:
    document = _stack()
    after = with_suggestions(document, ["small", "gone"])
    assert after.layers[:2] == document.layers[:2]
    small = after.find("small")
    assert small is not None
    assert suggestions_for(after, ["small"])["small"].fits(small)
    assert with_suggestions(after, ["small"]) is after
