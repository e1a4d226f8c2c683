"""Flattening against a slow reference in float64, and the invariants of the picture."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from collage_studio.document.compositing import (
    Composition,
    composite_picture,
    flatten,
    flatten_deep,
    place_layer,
)
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import BlendMode, Document, Mask
from collage_studio.document.tree import clip_stacks
from tests.document.collages import (
    blends,
    documents,
    fill,
    group,
    leaf_layers,
    picture,
    plain,
    raster,
    trees,
)

CANVAS = Size(12, 10)


def reference(document):
    """Straight (H, W, 4) in [0, 1]: normal layers one after the other, float64."""
    color = np.array(document.background.fill) / 255
    below = np.broadcast_to(np.append(color[:3] * color[3], color[3]), (*document.size.shape, 4))
    below = sequential(document.layers, Affine(), below, document.size)
    alpha = below[..., 3:]
    colors = np.divide(below[..., :3], alpha, out=np.zeros_like(below[..., :3]), where=alpha > 0)
    return np.concatenate([colors, alpha], -1)


def sequential(layers, outer, below, size):
    for layer in layers:
        if not layer.visible:
            continue
        if layer.is_group:
            inner = outer.after(layer.placement)
            own = sequential(layer.children, inner, np.zeros((*size.shape, 4)), size)
            own = own * layer.opacity
        else:
            own = place_layer(layer, size=size, transform=outer).astype(np.float64)
        below = own + below * (1 - own[..., 3:])
    return below


@settings(max_examples=25, deadline=None)
@given(documents())
def test_flatten_equals_the_sequential_reference(document):
    actual, expected = flatten(document).astype(int), reference(document) * 255
    assert np.abs(actual - expected).max() <= 1


@settings(max_examples=25, deadline=None)
@given(documents(trees(leaf_layers(blends), blends)))
def test_any_blend_over_an_opaque_background_is_opaque(document):
    shown = flatten(document)
    assert shown.shape == (10, 12, 4)
    assert shown.dtype == np.uint8
    assert (shown[..., 3] == 255).all()


@settings(max_examples=25, deadline=None)
@given(documents(trees(leaf_layers(blends))))
def test_hidden_layers_leave_no_trace(document):
    extra = picture("x", plain(12, 10, (255, 0, 0, 255)), visible=False)
    assert np.array_equal(
        flatten(document), flatten(replace(document, layers=(*document.layers, extra)))
    )


@settings(max_examples=25, deadline=None)
@given(documents(trees(leaf_layers(blends))))
def test_plain_pass_through_group_changes_nothing(document):
    grouped = document.with_layers(group("g", *document.layers, blend=BlendMode.PASS_THROUGH))
    assert np.array_equal(flatten(document), flatten(grouped))


@settings(max_examples=25, deadline=None)
@given(documents())
def test_fully_transparent_group_changes_nothing(document):
    for blend in (BlendMode.NORMAL, BlendMode.PASS_THROUGH):
        faded = document.with_layers(group("g", *document.layers, opacity=0.0, blend=blend))
        assert np.array_equal(flatten(faded), flatten(document.with_layers()))


def test_empty_document_shows_its_background():
    shown = flatten(Document(CANVAS, background=fill("b", (10, 200, 30, 255))))
    assert (shown == (10, 200, 30, 255)).all()


def test_transparent_background_stays_transparent():
    shown = flatten(Document(CANVAS, background=fill("b", (10, 200, 30, 128))))
    assert (shown == (10, 200, 30, 128)).all()
    assert not flatten(Document(CANVAS, background=fill("b", (9, 9, 9, 255), visible=False))).any()


@pytest.mark.parametrize("size", [Size(12, 10), Size(700, 300)])
def test_opaque_layer_comes_back_to_the_bit(size):
    source = raster(size.width, size.height, seed=8, alpha=255)
    assert np.array_equal(flatten(Document(size, (picture(pixels=source),))), source.pixels)


def test_cutout_over_nothing_comes_back_to_the_bit():
    source = raster(12, 10, seed=2)
    pixels = source.pixels[..., 3:]
    document = Document(CANVAS, (picture(pixels=source),), fill("b", (0, 0, 0, 0)))
    shown = flatten(document)
    assert np.array_equal(shown[..., 3:], pixels)
    assert np.array_equal(
        shown[..., :3][pixels[..., 0] > 0], source.pixels[..., :3][pixels[..., 0] > 0]
    )


def test_a_box_is_a_cut_of_the_whole():
    document = Document(Size(700, 400), (picture(pixels=raster(700, 400, seed=1)),))
    box = Rect(13, 201, 655, 399)
    assert np.array_equal(flatten(document, box=box), flatten(document)[box.slices])


def test_tiles_leave_no_seam_in_a_turned_layer():
    placement = Affine.rotation(9).about(350, 200)
    source = plain(700, 400, (120, 60, 30, 255))
    document = Document(Size(700, 400), (picture(pixels=source, placement=placement),))
    assert (flatten(document)[150:300, 200:560] == (120, 60, 30, 255)).all()


def test_group_opacity_acts_on_the_whole_group():
    red = picture("r", plain(12, 10, (200, 0, 0, 255)))
    blue = picture("b", plain(12, 10, (0, 0, 200, 255)))
    document = Document(CANVAS, (group("g", red, blue, opacity=0.5),), fill("w", (0, 200, 0, 255)))
    assert (flatten(document) == (0, 100, 100, 255)).all()


def test_group_mask_cuts_the_group():
    values = np.zeros((10, 12), np.uint8)
    values[:, :6] = 255
    red = picture("r", plain(12, 10, (200, 0, 0, 255)))
    for blend in (BlendMode.NORMAL, BlendMode.PASS_THROUGH):
        cut = group("g", red, mask=Mask(values), blend=blend)
        shown = flatten(Document(CANVAS, (cut,), fill("w", (0, 200, 0, 255))))
        assert (shown[:, :6] == (200, 0, 0, 255)).all()
        assert (shown[:, 6:] == (0, 200, 0, 255)).all()


def test_group_placement_comes_after_the_childrens():
    child = picture(pixels=plain(2, 2, (200, 0, 0, 255)), placement=Affine.translation(1, 1))
    document = Document(CANVAS, (group("g", child, placement=Affine.scaling(2)),))
    red = (flatten(document)[..., 0] == 200).nonzero()
    assert (red[0].min(), red[0].max(), red[1].min(), red[1].max()) == (2, 5, 2, 5)


def test_isolated_group_does_not_blend_with_what_is_below():
    grey = picture("m", plain(12, 10, (128, 128, 128, 255)), blend=BlendMode.MULTIPLY)
    below = fill("w", (200, 100, 50, 255))
    isolated = flatten(Document(CANVAS, (group("g", grey),), below))
    through = flatten(Document(CANVAS, (group("g", grey, blend=BlendMode.PASS_THROUGH),), below))
    assert (isolated == (128, 128, 128, 255)).all()
    assert (through == (100, 50, 25, 255)).all()


def test_fill_layer_covers_the_canvas_through_its_mask():
    values = np.zeros((10, 12), np.uint8)
    values[3:, :] = 255
    over = fill("f", (255, 255, 255, 255), mask=Mask(values), opacity=0.5)
    shown = flatten(Document(CANVAS, (over,), fill("b", (0, 0, 0, 255))))
    assert (shown[:3, :, :3] == 0).all()
    assert (shown[3:, :, :3] == 128).all()


def test_composite_picture_is_opaque_over_the_background_fill():
    background = fill("b", (100, 0, 0, 128))
    shown = composite_picture(Document(CANVAS, background=background))
    assert shown.shape == (10, 12, 3)
    assert (shown == (100, 0, 0)).all()
    hidden = replace(background, visible=False)
    assert (composite_picture(Document(CANVAS, background=hidden)) == (100, 0, 0)).all()


@pytest.mark.parametrize("mode", [BlendMode.NORMAL, BlendMode.MULTIPLY])
def test_a_clipped_layer_shows_where_its_base_does_and_nowhere_else(mode):
    base = picture("base", raster(6, 6, 1), blend=BlendMode.SCREEN, opacity=0.5)
    clip = picture("clip", raster(12, 10, 2), blend=mode, clipped=True)
    grouped = group("g", replace(base, opacity=1.0, blend=BlendMode.NORMAL), blend=base.blend)
    backdrop = fill("back", (40, 90, 160, 255))
    shown = flatten(Document(CANVAS, (backdrop, base, clip)))
    without = flatten(Document(CANVAS, (backdrop, base)))
    assert np.array_equal(shown[:, 6:], without[:, 6:])
    assert not np.array_equal(shown[:6, :6], without[:6, :6])
    inside = flatten(Document(CANVAS, (replace(clip, clipped=False),)))
    opaque = flatten(Document(CANVAS, (backdrop, replace(grouped, opacity=0.5))))
    assert np.array_equal(opaque, without)
    assert inside.shape == shown.shape


def test_layers_clipped_to_a_hidden_one_are_hidden_and_without_one_they_are_not():
    base, clip = picture("base", raster(6, 6, 1)), picture("clip", raster(12, 10, 2), clipped=True)
    nothing = flatten(Document(CANVAS))
    assert np.array_equal(flatten(Document(CANVAS, (replace(base, visible=False), clip))), nothing)
    alone = Document(CANVAS, (replace(clip, clipped=False),))
    assert np.array_equal(flatten(Document(CANVAS, (clip,))), flatten(alone))


def test_a_group_can_hold_clipped_layers():
    inner = group("g", picture("a", raster(6, 6, 1)), picture("b", raster(4, 4, 2)))
    clip = fill("clip", (10, 200, 30, 255), clipped=True)
    shown = flatten(Document(CANVAS, (replace(inner, blend=BlendMode.PASS_THROUGH), clip)))
    alpha = flatten(Document(CANVAS, (inner,), background=fill("background", (0, 0, 0, 0))))[..., 3]
    ground = np.array((150, 150, 150))
    share = alpha[..., None] / 255
    expected = np.array((10, 200, 30)) * share + ground * (1 - share)
    assert np.abs(shown[..., :3] - expected).max() <= 1


def test_a_deep_picture_has_the_same_colours():
    document = Document(CANVAS, (picture("a", raster(12, 10, 3)),))
    deep = flatten_deep(document)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257.0 - flatten(document)).max() <= 0.5 + 1e-6


@given(documents())
@settings(max_examples=40)
def test_layer_by_layer_is_the_same_picture(document):
    composition = Composition(document.size)
    with ThreadPoolExecutor(2) as pool:
        for base, clips in clip_stacks((document.background, *document.layers)):
            composition.draw(base, *clips, pool=pool)
    assert np.array_equal(composition.picture(np.uint8), flatten(document))
