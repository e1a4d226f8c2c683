"""Painted noise goes along with its layer, and is dropped where other pixels stand for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collage_studio.document import edits
from collage_studio.document.compositing import composite_picture, flatten
from collage_studio.document.enlarging import enlarged
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.harmonised import harmonised_stack, without_harmonised
from collage_studio.document.model import Document, Layer, Raster, Variation
from collage_studio.document.noise_paint import over
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.writeback.stack import write_back

CANVAS = Size(64, 48)


def tent() -> Layer:
    y, x = np.mgrid[0:20, 0:24]
    pixels = np.dstack([x * 9, y * 11, x + y, np.full_like(x, 255)]).astype(np.uint8)
    cover = np.zeros((20, 24), np.float32)
    cover[:8] = 0.7
    paint = over(None, Size(24, 20), 0.9, cover)
    place = Affine.translation(10, 8)
    return Layer("tent", "Tent", raster=Raster(pixels), placement=place, noise_paint=paint)


def document() -> Document:
    return Document(CANVAS, (tent(),))


def accepted() -> Document:
    """The document with a darker picture of it accepted and given back to the layers."""
    picture = (composite_picture(document())[..., :3] * 0.7).astype(np.uint8)
    recipe = Recipe("harmonise", 1, RunSettings(), "")
    made = Variation("v", 1, Raster.from_rgb(picture), recipe)
    return write_back(replace(document(), accepted=made), picture, "v")


def test_giving_a_picture_back_keeps_the_paint_on_the_layers_own_pixels():
    [layer] = accepted().layers
    assert layer.harmonised is not None
    assert layer.noise_paint == tent().noise_paint
    assert without_harmonised(accepted()).layers == document().layers


def test_the_harmonised_stack_has_no_paint():
    [*_, shown] = harmonised_stack(accepted()).layers
    assert shown.raster == accepted().layers[0].harmonised
    assert shown.noise_paint is None


def test_a_layer_that_was_not_harmonised_keeps_its_paint_in_the_stack():
    new = replace(tent(), id="new")
    stack = harmonised_stack(accepted().with_layers(*accepted().layers, new))
    assert stack.layers[-1] == new


def test_a_larger_canvas_keeps_the_paint_with_its_source_pixels():
    larger = enlarged(accepted(), 2)
    assert larger.size == Size(128, 96)
    assert larger.layers[0].noise_paint == tent().noise_paint
    assert larger.accepted is not None
    assert larger.accepted.picture.size == larger.size


def test_copies_groups_and_moves_keep_the_paint():
    moved = edits.transform_layers(document(), ["tent"], Affine.rotation(20))
    doubled = edits.duplicate_layers(moved, ["tent"])
    flipped = edits.flip_layers(doubled, ["tent"], True)
    grouped = edits.group_layers(flipped, [one.id for one in flipped.layers], "Camp")
    leaves = [one for one in grouped.walk() if not one.is_group]
    assert [one.noise_paint for one in leaves] == [tent().noise_paint] * 2


def test_new_pixels_of_the_same_size_keep_the_paint():
    cleaned = Raster(np.full((20, 24, 4), 90, np.uint8))
    changed = edits.change_layer(document(), "tent", raster=cleaned)
    assert changed.layers[0].noise_paint == tent().noise_paint


def test_paint_is_not_seen():
    plain = document().with_layers(replace(tent(), noise_paint=None))
    np.testing.assert_array_equal(flatten(document()), flatten(plain))
