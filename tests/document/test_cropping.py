"""Another frame for the canvas: nothing of a layer is lost, pictures are cut with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collage_studio.app.stale import stale_layers
from collage_studio.document.compositing import flatten
from collage_studio.document.cropping import cropped
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import Document, Layer, LayerKind, Raster, Variation
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.engine.api import describe_layers


def _raster(width: int, height: int, seed: int) -> Raster:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    pixels[..., 3] = 255
    return Raster(pixels)


def _document() -> Document:
    tent = Layer("tent", "Tent", raster=_raster(20, 16, 1), placement=Affine.translation(30, 20))
    inner = Layer("dog", "Dog", raster=_raster(10, 8, 2), placement=Affine.translation(4, 6))
    group = Layer(
        "group", "Group", LayerKind.GROUP, children=(inner,), placement=Affine.translation(8, 8)
    )
    document = Document(Size(64, 48), layers=(tent, group))
    recipe = Recipe("harmonise", 1, RunSettings(), "", layers=describe_layers(document))
    picture = Variation("v", 1, _raster(64, 48, 3), recipe, Rect(0, 0, 40, 30))
    return replace(document, variations=(picture,), accepted=replace(picture, id="w", box=None))


def test_a_smaller_frame_shows_the_same_pixels_of_collage_and_pictures() -> None:
    document = _document()
    after = cropped(document, Rect(10, 5, 50, 45))
    assert after.size == Size(40, 40)
    np.testing.assert_array_equal(flatten(after), flatten(document)[5:45, 10:50])
    picture = after.variations[0].picture.pixels
    np.testing.assert_array_equal(picture, document.variations[0].picture.pixels[5:45, 10:50])
    assert after.variations[0].box == Rect(0, 0, 30, 25)
    assert after.accepted is not None
    assert after.accepted.box is None


def test_a_larger_frame_goes_on_as_the_collage_does() -> None:
    document = _document()
    after = cropped(document, Rect(-6, -4, 70, 48))
    assert after.size == Size(76, 52)
    picture = after.variations[0].picture.pixels
    np.testing.assert_array_equal(picture[4:, 6:70], document.variations[0].picture.pixels)
    np.testing.assert_array_equal(picture[:4], flatten(replace(after, accepted=None))[:4])


def test_cut_off_and_made_larger_again_the_layers_are_all_there() -> None:
    document = _document()
    there = cropped(document, Rect(30, 20, 40, 30))
    back = cropped(there, Rect(-30, -20, 34, 28))
    assert back.size == document.size
    assert back.layers == document.layers
    np.testing.assert_array_equal(flatten(back), flatten(document))


def test_no_layer_counts_as_moved_afterwards() -> None:
    document = _document()
    assert not stale_layers(document, document.accepted)
    after = cropped(document, Rect(3, 7, 61, 44))
    assert not stale_layers(after, after.accepted)
    assert not stale_layers(after, after.variations[0])


def test_another_size_from_the_top_left_corner_leaves_the_layers_and_keeps_the_pictures() -> None:
    document = _document()
    after = cropped(document, Rect(0, 0, 80, 40))
    assert all(one is other for one, other in zip(after.layers, document.layers, strict=True))
    assert after.accepted is not None
    assert after.accepted.picture.size == Size(80, 40)
    assert [one.id for one in after.variations] == ["v"]


def test_the_same_frame_changes_nothing() -> None:
    document = _document()
    assert cropped(document, Rect(0, 0, 64, 48)) is document


def test_a_frame_beside_the_picture_and_one_too_large_are_refused() -> None:
    with pytest.raises(ValueError, match="Nothing of the picture lies inside the frame"):
        cropped(_document(), Rect(64, 0, 80, 20))
    with pytest.raises(ValueError, match="at most 16384 px, this would be 20000"):
        cropped(_document(), Rect(0, 0, 20000, 20))


@given(
    left=st.integers(-20, 60), top=st.integers(-20, 40),
    width=st.integers(1, 90), height=st.integers(1, 90),
)  # fmt: skip
def test_what_is_in_both_frames_is_the_same_to_the_bit(
    left: int, top: int, width: int, height: int
) -> None:
    document, frame = _document(), Rect(left, top, left + width, top + height)
    both = frame.intersect(Rect(0, 0, 64, 48))
    if both.is_empty:
        return
    after = cropped(document, frame)
    moved = Rect(both.left - left, both.top - top, both.right - left, both.bottom - top)
    assert after.size == Size(width, height)
    assert after.accepted is not None
    assert document.accepted is not None
    np.testing.assert_array_equal(
        after.accepted.picture.pixels[moved.slices], document.accepted.picture.pixels[both.slices]
    )
    np.testing.assert_array_equal(flatten(after)[moved.slices], flatten(document)[both.slices])
