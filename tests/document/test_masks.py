"""Visible masks add up to 1 and follow the stack."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import BlendMode, Document
from tests.document.collages import documents, fill, group, leaf_layers, picture, plain, trees

CANVAS = Size(12, 10)
SIZES = st.sampled_from([None, Size(5, 4), Size(12, 10), Size(3, 10), Size(24, 20)])
GROUPS = st.sampled_from([BlendMode.NORMAL, BlendMode.PASS_THROUGH])


@settings(max_examples=25, deadline=None)
@given(documents(trees(leaf_layers(), GROUPS)), SIZES)
def test_visible_masks_add_up_to_one(document, size):
    masks = visible_masks(document, size)
    shape = (size or document.size).shape
    assert all(mask.shape == shape and mask.dtype == np.float32 for mask in masks.values())
    assert min(mask.min() for mask in masks.values()) >= -1e-6
    assert np.abs(sum(mask.astype(np.float64) for mask in masks.values()) - 1).max() < 1e-6


@settings(max_examples=25, deadline=None)
@given(documents())
def test_masks_name_the_visible_leaves_and_the_background(document):
    shown = set()
    for layer in document.layers:
        if layer.visible:
            shown |= {leaf.id for leaf in layer.children if leaf.visible}
            shown |= set() if layer.is_group else {layer.id}
    assert set(visible_masks(document)) == shown | {document.background.id}


def test_front_layer_hides_what_is_behind():
    back = picture("back", plain(12, 10, (1, 2, 3, 255)))
    front = picture("front", plain(4, 10, (1, 2, 3, 255)), opacity=0.75)
    masks = visible_masks(Document(CANVAS, (back, front)))
    assert (masks["front"][:, :4] == 0.75).all()
    assert (masks["back"][:, :4] == 0.25).all()
    assert (masks["back"][:, 4:] == 1).all()
    assert not masks["background"].any()


def test_group_opacity_lets_the_rest_through():
    one = picture("one", plain(12, 10, (1, 2, 3, 255)))
    two = picture("two", plain(12, 10, (1, 2, 3, 128)))
    masks = visible_masks(Document(CANVAS, (group("g", one, two, opacity=0.5),)))
    assert masks["two"] == pytest.approx(0.5 * 128 / 255, abs=1e-6)
    assert masks["one"] == pytest.approx(0.5 * 127 / 255, abs=1e-6)
    assert masks["background"] == pytest.approx(0.5, abs=1e-6)


def test_children_of_a_placed_group_are_seen_where_they_are():
    child = picture("c", plain(2, 2, (1, 2, 3, 255)))
    masks = visible_masks(
        Document(CANVAS, (group("g", child, placement=Affine.translation(4, 3)),))
    )
    assert masks["c"].sum() == 4
    assert (masks["c"][3:5, 4:6] == 1).all()


def test_fill_layer_takes_its_alpha():
    masks = visible_masks(Document(CANVAS, (fill("f", (0, 0, 0, 51)),)))
    assert masks["f"] == pytest.approx(0.2, abs=1e-6)


def test_smaller_masks_are_area_averages():
    half = picture("h", plain(6, 10, (1, 2, 3, 255)), placement=Affine.translation(1, 0))
    masks = visible_masks(Document(CANVAS, (half,)), Size(6, 5))
    assert masks["h"][0] == pytest.approx([0.5, 1, 1, 0.5, 0, 0])


def test_clipped_layers_share_what_their_base_has():
    base = picture("base", plain(6, 10, (1, 2, 3, 128)))
    clip = picture("clip", plain(12, 4, (1, 2, 3, 255)), opacity=0.25, clipped=True)
    masks = visible_masks(Document(CANVAS, (base, clip)))
    assert masks["clip"][:4, :6] == pytest.approx(0.25 * 128 / 255, abs=1e-6)
    assert masks["base"][:4, :6] == pytest.approx(0.75 * 128 / 255, abs=1e-6)
    assert not masks["clip"][:, 6:].any()
    grouped = visible_masks(Document(CANVAS, (group("g", base), clip)))
    assert grouped["base"] == pytest.approx(masks["base"], abs=1e-6)
    assert sum(grouped.values()) == pytest.approx(1, abs=1e-6)
