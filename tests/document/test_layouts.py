"""Layout layers take part in masks and noise, and are seen nowhere; extending keeps the picture."""

from __future__ import annotations

import numpy as np
import pytest

from collage_studio.document.compositing import composite_picture
from collage_studio.document.extending import extended, extension_px
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.layouts import (
    add_layout,
    box_layer,
    layout_layer,
    middle_box,
    own_masks,
)
from collage_studio.document.masks import visible_masks
from collage_studio.document.method_settings import (
    DenseDiffusion,
    MultiDiffusion,
    NoiseCollage,
)
from collage_studio.document.model import Document, Layer, LayerKind, Mask, NextState, Raster
from collage_studio.document.noise_map import noise_map


def plain() -> Document:
    return Document(Size(40, 30))


def test_a_layout_layer_shows_nothing_and_has_a_mask():
    document = add_layout(plain(), box_layer(Rect(4, 6, 20, 16), text="a cat", layer_id="cat"))
    assert np.array_equal(composite_picture(document), composite_picture(plain()))
    masks = visible_masks(document)
    assert masks["cat"].sum() == 160
    assert masks["cat"][6:16, 4:20].min() == 1.0
    assert noise_map(document, document.settings)[10, 10] == 1.0


def test_adding_one_writes_its_chip_and_draws_an_empty_canvas_completely():
    document = add_layout(plain(), box_layer(Rect(0, 0, 9, 9), text="a cat", layer_id="cat"))
    document = add_layout(document, box_layer(Rect(9, 9, 19, 19), text="a dog", layer_id="dog"))
    assert document.written_caption()[0] == "a cat, a dog"
    assert document.background.noise == 1.0
    assert document.layers[0].fill != document.layers[1].fill


def test_a_brushed_shape_is_a_layout_layer_too():
    values = np.zeros((10, 10), np.uint8)
    values[2:5, 3:9] = 255
    document = plain().with_layers(layout_layer(Mask(values), (1, 2), text="x", layer_id="x"))
    assert own_masks(document)["x"].sum() == 18


def test_a_layer_in_front_hides_a_layout_but_not_its_own_mask():
    back = box_layer(Rect(0, 0, 20, 20), text="a", layer_id="back")
    front = box_layer(Rect(10, 10, 30, 30), text="b", layer_id="front")
    document = plain().with_layers(back, front)
    assert visible_masks(document)["back"].sum() == 300
    assert own_masks(document)["back"].sum() == 400


def test_an_empty_box_and_a_layout_without_a_shape_are_refused():
    with pytest.raises(ValueError, match="at least 1 px"):
        box_layer(Rect(3, 3, 3, 9))
    with pytest.raises(ValueError, match="no shape"):
        Layer("x", "X", LayerKind.LAYOUT)


def test_new_boxes_lie_on_the_canvas_and_not_on_each_other():
    first = middle_box(plain())
    second = middle_box(add_layout(plain(), box_layer(first)))
    assert first != second
    assert second.intersect(Rect.of_size(plain().size)) == second


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: NoiseCollage(drop_rate=1.5), "drop rate must lie in 0..1"),
        (lambda: NoiseCollage(outside="magic"), "Outside is one of drop, ring"),
        (lambda: MultiDiffusion(stride_cells=-1), "stride must lie in"),
        (lambda: DenseDiffusion(until=2.0), "part of the steps must lie in 0..1"),
    ],
)
def test_settings_out_of_range_are_explained(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def picture() -> Document:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    return plain().with_layers(Layer("photo", "Photo", raster=Raster.from_rgb(pixels)))


def test_an_extended_canvas_keeps_the_picture_and_repaints_the_rest():
    before = picture()
    after = extended(before, right=20, up=10)
    assert after.size == Size(60, 40)
    assert np.array_equal(composite_picture(after)[10:, :40], composite_picture(before))
    noise = noise_map(after, after.settings)
    assert not noise[10:, :40].any()
    assert noise[0, 50] > 0.9
    assert after.settings.method == "multi_diffusion"
    assert after.find("photo").placement == Affine.translation(0, 10)
    assert after.find("photo").state is NextState.KEEP


@pytest.mark.parametrize("sides", [{}, {"left": -3}, {"right": 20_000}])
def test_extending_by_nothing_or_too_much_is_refused(sides):
    with pytest.raises(ValueError, match="px"):
        extended(picture(), **sides)


def test_an_extension_is_half_the_side_in_steps_of_64():
    assert [extension_px(side) for side in (512, 300, 100)] == [256, 128, 64]
