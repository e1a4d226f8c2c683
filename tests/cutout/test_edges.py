"""Grow, shrink, feather, smooth, refine, decontaminate."""

from __future__ import annotations

import numpy as np
import pytest

from collage_studio.cutout.edges import (
    decontaminate,
    feather,
    grow,
    refine_edge,
    shrink,
    smooth,
)
from tests.cutout.blobs import RED, over, soft_disc

HARD = (soft_disc(softness=0.5) > 0.5).astype(np.uint8) * 255
MIDDLE = HARD[48]


def width_of(mask: np.ndarray) -> int:
    return int((mask[48] > 127).sum())


def test_growing_moves_both_edges_out():
    assert width_of(grow(HARD, 5)) == width_of(HARD) + 10


def test_shrinking_moves_both_edges_in():
    assert width_of(shrink(HARD, 5)) == width_of(HARD) - 10


def test_growing_by_less_than_nothing_shrinks():
    assert np.array_equal(grow(HARD, -5), shrink(HARD, 5))


def test_shrinking_leaves_what_the_border_cuts_off():
    mask = np.zeros((40, 40), np.uint8)
    mask[20:, :] = 255
    shrunk = shrink(mask, 4)
    assert shrunk[39].min() == 255
    assert shrunk[22].max() == 0


def test_feathering_softens_and_keeps_the_place():
    soft = feather(HARD, 6)
    assert ((soft > 20) & (soft < 235)).sum() > 400
    assert abs(width_of(soft) - width_of(HARD)) <= 2


def test_smoothing_removes_a_spike_and_leaves_a_crisp_edge():
    spiked = HARD.copy()
    spiked[46:48, :30] = 255
    smoothed = smooth(spiked, 8)
    assert smoothed[46, 8] == 0
    assert ((smoothed > 0) & (smoothed < 255)).mean() < 0.05
    assert abs(width_of(smoothed) - width_of(HARD)) <= 2


@pytest.mark.parametrize("change", [grow, shrink, feather, smooth])
def test_nothing_changes_by_zero(change):
    assert np.array_equal(change(HARD, 0), HARD)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("change", [grow, shrink, feather, smooth])
def test_masks_keep_their_kind(change, kind: type):
    mask = HARD if kind is np.uint8 else HARD.astype(np.float32) / 255
    changed = change(mask, 3)
    assert changed.dtype == kind
    assert changed.max() == (255 if kind is np.uint8 else 1.0)


def test_refining_finds_the_edge_nearby():
    truth = soft_disc()
    off = grow((truth > 0.5).astype(np.float32), 2)
    refined = refine_edge(over(truth), off, 8)
    assert np.abs(refined - truth).sum() < 0.6 * np.abs(off - truth).sum()


def test_decontaminating_takes_the_backdrop_out_of_the_edge():
    alpha = soft_disc()
    picture = over(alpha, grain=0.0)
    clean = decontaminate(picture, alpha)
    soft = (alpha > 0.1) & (alpha < 0.9)
    before = np.abs(picture[soft] / 255 - RED).mean()
    assert np.abs(clean[soft] / 255 - RED).mean() < 0.2 * before
    assert np.array_equal(clean[alpha == 1], picture[alpha == 1])
    assert np.array_equal(clean[:10], picture[:10])


def test_decontaminating_keeps_depth_and_alpha():
    alpha = soft_disc()
    rgba = np.dstack([over(alpha).astype(np.uint16) * 257, np.full(alpha.shape, 9, np.uint16)])
    clean = decontaminate(rgba, alpha)
    assert clean.dtype == np.uint16
    assert (clean[..., 3] == 9).all()


def test_half_of_it_lies_half_way():
    alpha = soft_disc()
    picture = over(alpha).astype(np.float32) / 255
    half, whole = decontaminate(picture, alpha, 0.5), decontaminate(picture, alpha, 1.0)
    np.testing.assert_allclose(half, (picture + whole) / 2, atol=1e-5)
