"""Painted noise: what it does to the noise map, what it keeps, how it moves with its layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collage_studio.cutout.noise_brush import NoiseStroke, PaintMode, value_of
from collage_studio.document.edits import change_layer
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, LayerKind, NextState, Raster
from collage_studio.document.noise_map import noise_map
from collage_studio.document.noise_paint import (
    noise_by_pixel,
    over,
    paint_at,
    set_paint,
    share_painted,
    without_paint,
)
from collage_studio.document.recipe import RunSettings

SIZE = Size(160, 120)
PLAIN = RunSettings(softness=0)


def _layer(key: str, width: int, height: int, **values: object) -> Layer:
    raster = Raster(np.full((height, width, 4), 255, np.uint8))
    return replace(Layer(key, key.title(), raster=raster), **values)  # type: ignore[arg-type]


def _document(*layers: Layer) -> Document:
    return Document(SIZE, layers=layers)


def _painted(layer: Layer, value: float, cover: float, rows: slice, columns: slice) -> Layer:
    assert layer.raster is not None
    share = np.zeros(layer.raster.size.shape, np.float32)
    share[rows, columns] = cover
    return replace(layer, noise_paint=over(layer.noise_paint, layer.raster.size, value, share))


def test_paint_stands_for_the_layers_noise_where_it_covers() -> None:
    tent = _painted(_layer("tent", 160, 120, noise=0.4), 1.0, 0.5, slice(0, 60), slice(0, 80))
    drawn = noise_map(_document(tent), PLAIN)
    assert drawn[30, 40] == pytest.approx(0.5 * 0.4 + 0.5, abs=0.005)
    assert drawn[100, 120] == pytest.approx(0.4)


def test_places_painted_to_nothing_are_as_if_a_kept_layer_lay_there() -> None:
    soft = RunSettings(softness=12)
    lake = _layer("lake", 160, 120, noise=0.6)
    kept = _layer("kept", 40, 40, state=NextState.KEEP, placement=Affine.translation(60, 40))
    painted = _painted(lake, 0.0, 1.0, slice(40, 80), slice(60, 100))
    drawn = noise_map(_document(painted), soft)
    assert not drawn[40:80, 60:100].any()
    assert drawn[5, 5] == pytest.approx(0.6)
    np.testing.assert_array_equal(drawn, noise_map(_document(lake, kept), soft))


def test_places_painted_to_a_value_are_as_if_a_layer_of_that_noise_lay_there() -> None:
    soft = RunSettings(softness=12)
    lake = _layer("lake", 160, 120, noise=0.2)
    other = _layer("other", 40, 40, noise=0.8, placement=Affine.translation(60, 40))
    painted = _painted(lake, 0.8, 1.0, slice(40, 80), slice(60, 100))
    drawn = noise_map(_document(painted), soft)
    np.testing.assert_allclose(drawn, noise_map(_document(lake, other), soft), atol=0.005)


def test_paint_on_a_kept_layer_lets_that_place_run_and_nothing_else() -> None:
    tent = _layer("tent", 160, 120, noise=0.7, state=NextState.KEEP)
    stroke = _painted(tent, 0.8, 1.0, slice(20, 60), slice(20, 60)).noise_paint
    document = set_paint(_document(tent), "tent", stroke)
    layer = document.layers[0]
    assert layer.state is NextState.HARMONISE
    assert layer.noise == 0.0
    drawn = noise_map(document, RunSettings(softness=10))
    assert drawn[40, 40] == pytest.approx(0.8, abs=0.02)
    assert not drawn[:20].any()
    assert not drawn[60:].any()
    assert not drawn[20:60, 60:].any()


def test_a_layer_kept_again_changes_nothing_whatever_is_painted() -> None:
    tent = _painted(_layer("tent", 160, 120), 1.0, 1.0, slice(0, 60), slice(0, 60))
    kept = replace(tent, state=NextState.KEEP)
    assert tent.may_change
    assert not kept.may_change
    assert not noise_map(_document(kept), PLAIN).any()


def test_paint_of_a_covered_place_has_no_effect() -> None:
    tent = _painted(_layer("tent", 160, 120, noise=0.3), 1.0, 1.0, slice(0, 120), slice(0, 160))
    front = _layer("front", 60, 60, noise=0.2, placement=Affine.translation(50, 30))
    drawn = noise_map(_document(tent, front), PLAIN)
    assert drawn[60, 80] == pytest.approx(0.2)
    assert drawn[5, 5] == 1.0


def test_paint_moves_and_turns_with_its_layer() -> None:
    tent = _painted(_layer("tent", 40, 40, noise=0.0), 1.0, 1.0, slice(0, 40), slice(0, 20))
    moved = replace(tent, placement=Affine.translation(100, 50))
    turned = replace(moved, placement=Affine(-1, 0, 140, 0, -1, 90))
    document = _document(tent)
    assert noise_map(_document(moved), PLAIN)[60, 105] == 1.0
    assert noise_map(_document(moved), PLAIN)[60, 130] == 0.0
    assert noise_map(_document(turned), PLAIN)[60, 130] == 1.0
    assert noise_map(_document(turned), PLAIN)[60, 105] == 0.0
    assert noise_map(document, PLAIN)[10, 5] == 1.0


def test_the_soft_border_of_a_turned_layer_is_none_of_the_paints() -> None:
    tent = _painted(_layer("tent", 60, 60, noise=0.9), 0.0, 1.0, slice(0, 60), slice(0, 60))
    assert tent.noise_paint is not None
    turn = Affine(0.8, -0.6, 80, 0.6, 0.8, 20)
    value, cover = paint_at(tent.noise_paint, turn, SIZE)
    inside = cover > 0
    assert (cover[inside] == 1.0).mean() > 0.97
    assert not value.any()


def test_a_re_roll_takes_paint_and_leaves_all_else_at_nothing() -> None:
    tent = _layer("tent", 80, 80, noise=0.5, placement=Affine.translation(40, 20))
    tent = _painted(tent, 0.0, 1.0, slice(0, 40), slice(0, 80))
    drawn = noise_map(_document(_layer("lake", 160, 120), tent), PLAIN, only=("tent",))
    assert not drawn[20:60, 40:120].any()
    assert drawn[80, 80] == pytest.approx(0.5)
    assert not drawn[:20].any()


def test_paint_of_another_layer_takes_no_part_in_a_re_roll() -> None:
    lake = _painted(_layer("lake", 160, 120), 1.0, 1.0, slice(0, 120), slice(0, 160))
    tent = _layer("tent", 40, 40, noise=0.5)
    drawn = noise_map(_document(lake, tent), PLAIN, only=("tent",))
    assert drawn[20, 20] == pytest.approx(0.5)
    assert not drawn[60:, 60:].any()


def test_scale_all_noise_reaches_paint() -> None:
    tent = _painted(_layer("tent", 160, 120, noise=0.4), 0.8, 1.0, slice(0, 60), slice(0, 160))
    drawn = noise_map(_document(tent), RunSettings(softness=0, noise_scale=0.5))
    assert drawn[10, 10] == pytest.approx(0.4, abs=0.005)
    assert drawn[100, 10] == pytest.approx(0.2, abs=0.005)


def test_a_map_of_another_size_has_the_same_places() -> None:
    tent = _painted(_layer("tent", 160, 120, noise=0.2), 1.0, 1.0, slice(0, 60), slice(0, 80))
    small = noise_map(_document(tent), PLAIN, size=Size(80, 60))
    assert small[10, 10] == pytest.approx(1.0)
    assert small[50, 70] == pytest.approx(0.2)


def test_a_softened_stroke_on_a_large_canvas_reaches_its_own_value() -> None:
    size = Size(1400, 1200)
    raster = Raster(np.full((1200, 1400, 4), 255, np.uint8))
    tent = _painted(Layer("tent", "Tent", raster=raster, noise=0.2), 1.0, 1.0,
                    slice(400, 800), slice(400, 800))  # fmt: skip
    drawn = noise_map(Document(size, layers=(tent,)), RunSettings(softness=10))
    assert drawn[600, 600] == pytest.approx(1.0, abs=0.02)
    assert drawn[100, 100] == pytest.approx(0.2, abs=0.02)
    assert 0.3 < drawn[600, 400] < 0.9, "the border is softened as every border is"


def test_a_stroke_draws_towards_its_value_and_twice_over_a_place_adds_nothing() -> None:
    tent = _layer("tent", 80, 80, placement=Affine.translation(10, 10))
    stroke = NoiseStroke(
        tent, tent.placement, value=value_of(PaintMode.SET, 0.8), radius=12, hardness=0.5, flow=0.5
    )
    for x in (30, 60, 30):
        stroke.move_to(x, 50)
    painted = replace(tent, noise_paint=stroke.painted(), noise=0.2)
    assert noise_by_pixel(painted)[40, 20] == pytest.approx(0.5, abs=0.01)
    assert share_painted(painted, 20.0, 40.0) == pytest.approx(0.5, abs=0.01)
    assert share_painted(painted, 75.0, 5.0) == 0.0
    assert share_painted(painted, -3.0, 5.0) == 0.0


def test_raise_and_lower_go_to_the_ends_of_the_scale() -> None:
    assert value_of(PaintMode.RAISE, 0.3) == 1.0
    assert value_of(PaintMode.LOWER, 0.3) == 0.0


@given(
    first=st.floats(0, 1), second=st.floats(0, 1), own=st.floats(0, 1),
    under=st.floats(0, 1), upper=st.floats(0, 1),
)  # fmt: skip
def test_strokes_over_each_other_are_two_steps_towards_their_values(
    first: float, second: float, own: float, under: float, upper: float
) -> None:
    layer = _layer("tent", 2, 2, noise=own)
    layer = _painted(layer, first, under, slice(0, 2), slice(0, 2))
    layer = _painted(layer, second, upper, slice(0, 2), slice(0, 2))
    after_one = own + under * (first - own)
    wanted = after_one + upper * (second - after_one)
    assert noise_by_pixel(layer)[0, 0] == pytest.approx(wanted, abs=3 / 255)


def test_paint_of_another_size_than_the_layer_is_refused() -> None:
    paint = Raster(np.zeros((10, 12, 4), np.uint8))
    with pytest.raises(ValueError, match="Painted noise of layer 'Tent' has not its raster's size"):
        _layer("tent", 10, 12, noise_paint=paint)


def test_painting_a_group_is_refused_and_clearing_gives_the_layer_back() -> None:
    tent = _layer("tent", 40, 40)
    group = Layer("group", "Group", LayerKind.GROUP, children=(tent,))
    with pytest.raises(ValueError, match="has no pixels to paint noise on"):
        NoiseStroke(group, group.placement, value=1, radius=5, hardness=1, flow=1)
    painted = _painted(tent, 1.0, 1.0, slice(0, 9), slice(0, 9))
    assert without_paint(painted) == tent
    assert set_paint(_document(painted), "tent", None).layers[0] == tent
    assert change_layer(_document(tent), "tent", noise=0.1).layers[0].noise_paint is None
