"""Sizes, boxes and affine maps."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collage_studio.document.geometry import Affine, Rect, Size

numbers = st.floats(-100, 100)
maps = st.builds(
    lambda x, y, degrees, sx, sy: (
        Affine.translation(x, y).after(Affine.rotation(degrees)).after(Affine.scaling(sx, sy))
    ),
    numbers,
    numbers,
    numbers,
    st.floats(0.1, 10),
    st.floats(-10, -0.1),
)
rects = st.builds(Rect, *[st.integers(-20, 20)] * 4)


@given(maps, numbers, numbers)
def test_inverse_undoes_the_map(affine, x, y):
    assert affine.inverse().apply(*affine.apply(x, y)) == pytest.approx((x, y), abs=1e-6)


@given(maps, maps, numbers, numbers)
def test_after_applies_the_first_map_first(second, first, x, y):
    expected = second.apply(*first.apply(x, y))
    assert second.after(first).apply(x, y) == pytest.approx(expected, abs=1e-6)


@given(maps, numbers, numbers)
def test_map_about_a_point_moves_it_by_the_shift_alone(affine, x, y):
    moved = affine.about(x, y).apply(x, y)
    assert moved == pytest.approx((x + affine.c, y + affine.f), abs=1e-6)


@given(maps)
def test_bounds_hold_all_corners(affine):
    box = affine.bounds(Size(7, 3))
    for x, y in affine.corners(Size(7, 3)):
        assert box.left - 1e-5 <= x <= box.right + 1e-5
        assert box.top - 1e-5 <= y <= box.bottom + 1e-5


@given(rects, rects)
def test_union_and_intersection_follow_area(one, other):
    both, around = one.intersect(other), one.union(other)
    assert both.is_empty or both.union(one) == one
    assert one.is_empty or around.intersect(one) == one
    assert around == other.union(one) or one.is_empty or other.is_empty


def test_rotation_is_clockwise_on_screen():
    assert Affine.rotation(90).apply(1, 0) == pytest.approx((0, 1))


def test_rounding_noise_does_not_grow_the_bounds():
    assert Affine.rotation(90).about(5, 5).bounds(Size(10, 10)) == Rect(0, 0, 10, 10)


def test_scaling_uses_one_factor_for_both_axes():
    assert Affine.scaling(2).apply(3, 4) == (6, 8)
    assert Affine.scaling(2, 3).determinant == 6


def test_flat_map_has_no_inverse():
    with pytest.raises(ValueError, match="flattens the layer to a line"):
        Affine.scaling(0, 1).inverse()


def test_placement_needs_finite_numbers():
    with pytest.raises(ValueError, match="finite"):
        Affine(c=math.nan)


def test_size_is_at_least_one_pixel():
    assert Size(3, 2).shape == (2, 3)
    with pytest.raises(ValueError, match="at least 1 x 1"):
        Size(0, 5)


def test_empty_box_has_no_area():
    box = Rect(5, 5, 2, 9)
    assert box.is_empty
    assert (box.width, box.height) == (0, 4)
    assert box.union(Rect(0, 0, 1, 1)) == Rect(0, 0, 1, 1)
    assert Rect(1, 2, 3, 4).grown(1) == Rect(0, 1, 4, 5)
    assert Rect(1, 2, 3, 5).slices == (slice(2, 5), slice(1, 3))


@given(rects, st.builds(Size, st.integers(1, 9), st.integers(1, 9)))
def test_tiles_cover_a_box_once(box, size):
    tiles = list(box.tiles(size))
    assert sum(tile.width * tile.height for tile in tiles) == box.width * box.height
    assert all(tile.width <= size.width and tile.height <= size.height for tile in tiles)
    assert all(tile.intersect(box) == tile for tile in tiles)
