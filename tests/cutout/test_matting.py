"""Closed-form matting, re-matting and foreground colours on pictures with a known alpha."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collage_studio.cutout.laplacian import BandLaplacian
from collage_studio.cutout.matting import (
    estimate_foreground,
    estimate_layers,
    matte,
    outline_band,
    rematte,
    trimap_from_alpha,
)
from tests.cutout.blobs import BLUE, RED, over, soft_disc


def dense_laplacian(rgb: np.ndarray, epsilon: float) -> np.ndarray:
    """Levin's Laplacian written down window by window, for a very small picture."""
    height, width = rgb.shape[:2]
    whole = np.zeros((height * width, height * width))
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            place = [(row + r) * width + column + c for r in (-1, 0, 1) for c in (-1, 0, 1)]
            colours = rgb.reshape(-1, 3)[place].astype(np.float64)
            centred = colours - colours.mean(0)
            inverse = np.linalg.inv(centred.T @ centred / 9 + np.eye(3) * epsilon / 9)
            whole[np.ix_(place, place)] += np.eye(9) - (1 + centred @ inverse @ centred.T) / 9
    return whole


def test_the_rows_of_the_laplacian_are_those_of_the_paper():
    rgb = np.random.default_rng(0).random((7, 8, 3)).astype(np.float32)
    band = np.zeros((7, 8), np.bool_)
    band[1:6, 2:7] = True
    dense = dense_laplacian(rgb, 1e-3)
    laplacian = BandLaplacian.build(rgb, band, 1e-3)
    unknown = np.flatnonzero(band)
    values = np.random.default_rng(1).random(56)
    expected = dense[np.ix_(unknown, unknown)] @ values[unknown]
    np.testing.assert_allclose(laplacian.times(values[unknown]), expected, atol=1e-9)
    known = values.copy()
    known[unknown] = 0
    np.testing.assert_allclose(laplacian.pull(values), -(dense @ known)[unknown], atol=1e-9)


def test_a_constant_alpha_costs_nothing():
    rgb = np.random.default_rng(0).random((12, 12, 3)).astype(np.float32)
    laplacian = BandLaplacian.build(rgb, np.ones((12, 12), np.bool_), 1e-5)
    np.testing.assert_allclose(laplacian.times(np.ones(144)), 0, atol=1e-9)


@pytest.mark.parametrize("half_size", [True, False])
def test_a_soft_edge_between_two_colours_is_found(half_size: bool):
    truth = soft_disc()
    trimap = trimap_from_alpha(truth, 4)
    alpha = matte(over(truth), trimap, half_size=half_size)
    assert np.abs(alpha - truth)[trimap == 0.5].mean() < 0.03


def test_known_pixels_stay_exactly():
    truth = soft_disc()
    trimap = trimap_from_alpha(truth, 4)
    alpha = matte(over(truth), trimap)
    assert np.array_equal(alpha[trimap == 1], trimap[trimap == 1])
    assert np.array_equal(alpha[trimap == 0], trimap[trimap == 0])
    assert alpha.min() >= 0
    assert alpha.max() <= 1


def test_a_hard_mask_gets_its_soft_edge_back():
    truth = soft_disc()
    hard = (truth > 0.5).astype(np.float32)
    band = outline_band(truth, 5)
    alpha = rematte(over(truth), hard, 5)
    assert np.abs(alpha - truth)[band].mean() < 0.3 * np.abs(hard - truth)[band].mean()


def test_a_mask_that_explains_the_picture_is_kept_and_a_shifted_one_is_not():
    truth = soft_disc()
    band = outline_band(truth, 5)
    assert np.abs(rematte(over(truth), truth, 5) - truth)[band].mean() < 0.008
    shifted = np.roll(truth, 2, axis=1)
    found = rematte(over(truth), shifted, 5)
    assert np.abs(found - truth)[band].mean() < 0.7 * np.abs(shifted - truth)[band].mean()


def test_re_matting_leaves_everything_beyond_its_band():
    truth = soft_disc() * np.float32(0.7)
    alpha = rematte(over(truth), truth, 5)
    outside = ~outline_band(truth, 5)
    assert np.array_equal(alpha[outside], truth[outside])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_without_an_outline_is_returned(value: float):
    mask = np.full((20, 30), value, np.float32)
    assert np.array_equal(rematte(over(mask), mask, 5), mask)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.5, 4))
def test_tiny_pictures_do_not_fail(height: int, width: int, band: float):
    mask = (np.random.default_rng(height * 10 + width).random((height, width)) > 0.5).astype("f4")
    alpha = rematte(over(mask), mask, band)
    assert alpha.shape == mask.shape
    assert np.isfinite(alpha).all()


def test_the_object_keeps_its_own_colour_in_the_soft_edge():
    alpha = soft_disc()
    front, back = estimate_layers(over(alpha, grain=0.0), alpha)
    soft = (alpha > 0.05) & (alpha < 0.95)
    assert np.abs(front[soft] - RED).mean() < 0.03
    assert np.abs(back[soft] - BLUE).mean() < 0.03


def test_colours_compose_to_the_picture():
    alpha = soft_disc()
    picture = over(alpha)
    front, back = estimate_layers(picture, alpha)
    again = alpha[..., None] * front + (1 - alpha[..., None]) * back
    assert np.abs(again - picture / 255).max() < 0.02


def test_16_bit_and_rgba_pictures_are_taken():
    alpha = soft_disc()
    eight = over(alpha)
    sixteen = eight.astype(np.uint16) * 257
    rgba = np.dstack([eight, np.full(alpha.shape, 255, np.uint8)])
    expected = estimate_foreground(eight, alpha)
    np.testing.assert_allclose(estimate_foreground(sixteen, alpha), expected, atol=1e-5)
    np.testing.assert_allclose(estimate_foreground(rgba, alpha), expected, atol=1e-6)


def test_an_alpha_of_another_size_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        matte(over(soft_disc()), np.zeros((5, 5), np.float32))


def test_a_trimap_is_unknown_around_the_edge_only():
    trimap = trimap_from_alpha(soft_disc(softness=0.5), 4)
    assert set(np.unique(trimap)) == {0.0, 0.5, 1.0}
    assert trimap[48, 48] == 1
    assert trimap[0, 0] == 0
    # The disc ends at column 74: unknown within 4 px of that, known 7 px away.
    assert trimap[48, 74] == 0.5
    assert trimap[48, 67] == 1
    assert trimap[48, 81] == 0
