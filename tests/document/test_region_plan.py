"""Regions of a layout: disjoint, complete, deterministic, nothing dropped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.region_plan import Box, LayoutObject, RegionPlan, build_plan

GRID = Size(64, 64)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x = sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    y = sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    return (x[0], y[0], x[1], y[1])


@st.composite
def plans(draw: st.DrawFn, most: int = 8) -> RegionPlan:
    grid = Size(draw(st.integers(1, 14)), draw(st.integers(1, 14)))
    places = draw(st.lists(boxes(), max_size=most))
    overlap = draw(st.sampled_from(("all", "front")))
    objects = [LayoutObject.from_box(f"object {i}", box, grid) for i, box in enumerate(places)]
    return build_plan(objects, grid, overlap=overlap)


def many(count: int, grid: Size = GRID) -> list[LayoutObject]:
    rng = np.random.default_rng(4)
    found = list[LayoutObject]()
    for index in range(count):
        left, top = rng.random(2) * 0.6
        width, height = 0.1 + 0.3 * rng.random(2)
        box = (left, top, left + width, top + height)
        found.append(LayoutObject.from_box(f"thing {index}", box, grid))
    return found


@settings(max_examples=40, deadline=None)
@given(plans())
def test_every_cell_is_in_exactly_one_region(plan: RegionPlan) -> None:
    assert plan.masks.shape == (len(plan.members), *plan.grid.shape)
    assert (plan.masks.sum(0) == 1).all()
    assert plan.members[0] == ()
    assert len(set(plan.members)) == len(plan.members) == len(plan.prior)


@settings(max_examples=40, deadline=None)
@given(plans())
def test_a_cell_reads_the_objects_that_cover_it(plan: RegionPlan) -> None:
    covers = np.array([one.mask for one in plan.objects]).reshape(-1, *plan.grid.shape)
    for y, x in np.ndindex(plan.grid.shape):
        own = tuple(np.flatnonzero(covers[:, y, x]).tolist())
        expected = own if plan.overlap == "all" else own[-1:]
        assert plan.members[plan.atoms[y, x]] == expected


@settings(max_examples=40, deadline=None)
@given(plans())
def test_the_prior_is_the_overlap_with_the_whole_object_by_the_largest(plan: RegionPlan) -> None:
    if plan.overlap == "front":
        assert all(prior in ((), (1.0,)) for prior in plan.prior)
        return
    for members, prior, mask in zip(plan.members, plan.prior, plan.masks, strict=True):
        ratios = [
            (mask & plan.objects[index].mask).sum() / (mask | plan.objects[index].mask).sum()
            for index in members
        ]
        if mask.any():
            np.testing.assert_allclose(prior, [ratio / max(ratios) for ratio in ratios])


@settings(max_examples=40, deadline=None)
@given(boxes(), st.integers(1, 70), st.integers(1, 70))
def test_every_box_has_a_cell(box: Box, width: int, height: int) -> None:
    assert LayoutObject.from_box("thin", box, Size(width, height)).mask.any()


def test_the_last_row_and_column_are_covered() -> None:
    whole = LayoutObject.from_box("all", (0, 0, 1, 1), GRID)
    assert whole.mask.all()
    assert build_plan([whole], GRID).members == ((), (0,))


def test_the_released_code_leaves_an_l_and_drops_thin_boxes() -> None:
    whole = LayoutObject.from_box("all", (0, 0, 1, 1), GRID, upstream=True)
    thin = LayoutObject.from_box("thin", (0.5, 0.1, 0.505, 0.9), GRID, upstream=True)
    plan = build_plan([whole, thin], GRID)
    assert (plan.atoms == 0).sum() == 127
    assert not thin.mask.any()
    assert plan.warnings == ("“thin” covers no part of the picture. Move it or make it larger.",)


def test_sides_that_lie_on_cells_are_exact_in_any_picture() -> None:
    grid = Size(60, 45)
    one = LayoutObject.from_box("a", (100 / 300, 1 / 45, 200 / 300, 44 / 45), grid)
    assert one.mask[1:44, 20:40].all()
    assert one.mask.sum() == 20 * 43


def test_without_objects_all_is_background() -> None:
    plan = build_plan([], Size(5, 3))
    assert plan.members == ((),)
    assert plan.prior == ((),)
    assert not plan.atoms.any()


def test_more_than_thirty_regions_all_stay_and_are_the_same_again() -> None:
    objects = many(60)
    plan, again = build_plan(objects, GRID), build_plan(objects, GRID)
    assert len(plan.members) > 100
    assert plan.members == again.members
    np.testing.assert_array_equal(plan.atoms, again.atoms)
    assert set(np.unique(plan.atoms)) | {0} == set(range(len(plan.members)))


def test_regions_are_in_the_order_of_their_members_bits() -> None:
    plan = build_plan(many(12), GRID)
    bits = [tuple(i in members for i in range(12)) for members in plan.members]
    assert bits == sorted(bits)


def test_a_mask_covers_what_it_fills_by_half_and_its_box_bounds_that() -> None:
    mask = np.zeros((4, 8), np.float32)
    mask[1:3, 2:5] = 0.5
    mask[0, 0] = 0.49
    one = LayoutObject.from_mask("shape", mask, key="layer")
    assert one.mask.sum() == 6
    assert one.box == (2 / 8, 1 / 4, 5 / 8, 3 / 4)
    assert one.key == "layer"


def test_a_mask_finer_than_a_cell_keeps_the_fullest_one() -> None:
    mask = np.zeros((4, 4), np.float32)
    mask[2, 1], mask[3, 3] = 0.2, 0.1
    one = LayoutObject.from_mask("hair", mask)
    assert one.mask.sum() == 1
    assert one.mask[2, 1]


def test_what_others_hide_is_told() -> None:
    below = LayoutObject.from_box("coin", (0.4, 0.4, 0.6, 0.6), GRID)
    above = LayoutObject.from_box("cloth", (0.2, 0.2, 0.9, 0.9), GRID)
    plan = build_plan([below, above], GRID, overlap="front")
    assert plan.members == ((), (1,))
    assert plan.warnings == ("“coin” is hidden by others. Move it or bring it to the front.",)
    assert not build_plan([below, above], GRID).warnings


def test_an_object_without_words_hides_but_says_nothing() -> None:
    below = LayoutObject.from_box("a table", (0, 0, 1, 1), GRID)
    above = LayoutObject.from_box(" ", (0.25, 0.25, 0.75, 0.75), GRID)
    front = build_plan([below, above], GRID, overlap="front")
    assert (front.atoms == 0).sum() == 32 * 32
    assert build_plan([below, above], GRID).members == ((), (0,))


def test_a_window_is_planned_like_a_picture_of_its_own() -> None:
    left = LayoutObject.from_box("left", (0, 0, 0.5, 1), Size(16, 8))
    right = LayoutObject.from_box("right", (0.75, 0, 1, 1), Size(16, 8))
    plan = build_plan([left, right], Size(16, 8))
    seen = plan.cut(Rect(6, 0, 10, 8))
    assert seen.grid == Size(4, 8)
    assert [one.text for one in seen.objects] == ["left"]
    assert seen.objects[0].box == (0.0, 0.0, 0.5, 1.0)
    assert (seen.masks.sum((1, 2)) == (16, 16)).all()
    assert plan.cut(Rect(0, 0, 16, 8)) is plan


def test_a_window_over_the_edge_wraps_around() -> None:
    left = LayoutObject.from_box("left", (0, 0, 0.25, 1), Size(8, 4))
    seen = build_plan([left], Size(8, 4)).cut(Rect(6, 0, 10, 4))
    np.testing.assert_array_equal(seen.atoms[0], (0, 0, 1, 1))


def test_a_mask_of_another_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit a grid"):
        build_plan([LayoutObject.from_box("a", (0, 0, 1, 1), Size(4, 4))], GRID)
