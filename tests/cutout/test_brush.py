"""Brush strokes and lassos on masks, in canvas px on placed layers."""

from __future__ import annotations

import numpy as np
import pytest

from collage_studio.cutout.brush import LassoMode, MaskStroke, fill_lasso
from collage_studio.document.geometry import IDENTITY, Affine

FULL = np.full((60, 80), 255, np.uint8)
SQUARE = [(20.0, 20.0), (40.0, 20.0), (40.0, 40.0), (20.0, 40.0)]


def test_a_hard_round_brush_removes_a_disc_of_its_size():
    stroke = MaskStroke(FULL, IDENTITY, radius=10, hardness=1, adds=False)
    stroke.move_to(40, 30)
    hidden = (255 - stroke.finished().astype(int)).sum() / 255
    assert hidden == pytest.approx(np.pi * 100, rel=0.05)


def test_the_mask_before_is_never_touched():
    stroke = MaskStroke(FULL, IDENTITY, radius=10, adds=False)
    stroke.move_to(40, 30)
    assert FULL.min() == 255


def test_only_the_told_box_changes():
    stroke = MaskStroke(FULL, IDENTITY, radius=6, adds=False)
    stroke.move_to(20, 20)
    before = stroke.values.copy()
    box = stroke.move_to(50, 25)
    changed = np.argwhere(before != stroke.values)
    assert (changed.min(0) >= (box.top, box.left)).all()
    assert (changed.max(0) < (box.bottom, box.right)).all()


def test_a_quick_stroke_leaves_no_gaps():
    stroke = MaskStroke(FULL, IDENTITY, radius=4, hardness=1, adds=False)
    stroke.move_to(10, 30)
    stroke.move_to(70, 30)
    assert stroke.values[30, 10:70].max() == 0


def test_passing_twice_with_half_flow_adds_nothing():
    stroke = MaskStroke(FULL, IDENTITY, radius=5, hardness=1, flow=0.5, adds=False)
    for x in (20, 40, 20, 40):
        stroke.move_to(x, 30)
    assert stroke.values[30, 30] == 128


def test_adding_paints_hidden_parts_back():
    stroke = MaskStroke(np.zeros_like(FULL), IDENTITY, radius=8, adds=True)
    stroke.move_to(40, 30)
    assert stroke.values[30, 40] == 255
    assert stroke.values[0, 0] == 0


def test_the_brush_is_round_on_the_canvas_of_a_stretched_layer():
    placed = Affine.scaling(4, 1)
    stroke = MaskStroke(FULL, placed, radius=16, hardness=1, adds=False)
    stroke.move_to(160, 30)
    hidden = np.argwhere(stroke.values < 128)
    high, wide = np.ptp(hidden, axis=0) + 1
    assert high == pytest.approx(32, abs=1)
    assert wide == pytest.approx(8, abs=1)


def test_a_stroke_beside_the_layer_changes_nothing():
    stroke = MaskStroke(FULL, IDENTITY, radius=5, adds=False)
    assert stroke.move_to(-50, -50).is_empty
    assert np.array_equal(stroke.finished(), FULL)


@pytest.mark.parametrize(
    ("mode", "inside", "outside"),
    [(LassoMode.REMOVE, 0, 255), (LassoMode.ONLY, 255, 0)],
)
def test_a_lasso_on_a_full_mask(mode: LassoMode, inside: int, outside: int):
    mask = fill_lasso(FULL, IDENTITY, SQUARE, mode)
    assert mask[30, 30] == inside
    assert mask[5, 5] == outside


def test_a_lasso_adds_to_an_empty_mask_through_the_placement():
    mask = fill_lasso(np.zeros_like(FULL), Affine.translation(10, 0), SQUARE, LassoMode.ADD)
    assert mask[30, 12] == 255
    assert mask[30, 35] == 0


def test_a_lasso_of_two_points_is_none():
    assert fill_lasso(FULL, IDENTITY, SQUARE[:2], LassoMode.REMOVE) is FULL
