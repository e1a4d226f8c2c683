"""Cutting out by strokes."""

from __future__ import annotations

import numpy as np
import pytest

from collage_studio.cutout.scribbles import CutoutError, cut_out, rectangle_grabcut, select
from tests.cutout.blobs import line, over, soft_disc

TRUTH = soft_disc(128, 34, 2)
PICTURE = over(TRUTH, grain=0.03)
ON_DISC = line((50, 64), (78, 64))
AROUND = line(*((64 + 50 * np.cos(t), 64 + 50 * np.sin(t)) for t in np.linspace(0, 6.4, 30)),
              is_object=False)  # fmt: skip


def wrong(alpha: np.ndarray) -> float:
    return float(np.abs(alpha - TRUTH).sum() / TRUTH.sum())


def test_a_stroke_and_a_loop_give_a_soft_alpha():
    assert wrong(cut_out(PICTURE, [ON_DISC, AROUND])) < 0.03


def test_one_stroke_is_enough_on_a_plain_backdrop():
    assert wrong(cut_out(PICTURE, [ON_DISC])) < 0.03


def test_two_open_strokes_are_enough_on_a_plain_backdrop():
    assert wrong(cut_out(PICTURE, [ON_DISC, line((8, 8), (120, 8), is_object=False)])) < 0.03


def test_the_result_is_the_same_every_time():
    first = cut_out(PICTURE, [ON_DISC, AROUND])
    assert np.array_equal(first, cut_out(PICTURE, [ON_DISC, AROUND]))


def test_what_lies_outside_a_loop_never_belongs_to_the_object():
    two = np.maximum(TRUTH, 0)
    two[100:120, 100:120] = 1
    alpha = cut_out(over(two), [ON_DISC, AROUND])
    assert alpha[104:116, 104:116].max() == 0


def test_a_further_backdrop_stroke_takes_a_part_away():
    two = TRUTH.copy()
    two[10:24, 58:70] = 1
    two[24:36, 63:65] = 1
    without = select(over(two), [ON_DISC])
    taken = select(over(two), [ON_DISC, line((60, 14), (68, 20), is_object=False)])
    assert without[14, 60]
    assert not taken[14, 60]


def test_without_a_stroke_on_the_object_the_sentence_says_what_to_do():
    with pytest.raises(CutoutError, match="Draw a stroke on the object"):
        cut_out(PICTURE, [AROUND])


def test_a_single_click_is_a_stroke():
    assert select(PICTURE, [line((64, 64)), AROUND])[64, 64]


def test_large_pictures_are_selected_at_512_px():
    large = np.repeat(np.repeat(PICTURE, 8, axis=0), 8, axis=1)
    assert select(large, [line((400, 512), (624, 512), width=30)]).shape == (512, 512)


def test_the_rectangle_yardstick_finds_a_plain_disc():
    assert wrong(rectangle_grabcut(PICTURE, (20, 20, 108, 108))) < 0.1
