"""Blend modes against psd-tools, and the compositing formula."""

import numpy as np
import pytest
from psd_tools.composite import blend as psd_blend

from collage_studio.document.blending import BLENDS, composite_atop, composite_over
from collage_studio.document.model import BlendMode

COMPARED = [m for m in BlendMode if m is not BlendMode.PASS_THROUGH]


def colours():
    rng = np.random.default_rng(5)
    random = rng.random((2, 40, 40, 3), dtype=np.float32)
    steps = np.array([0, 0.25, 0.5, 0.75, 1], np.float32)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    pairs = np.broadcast_to(grid[:, None], (125, 125, 3)), np.broadcast_to(grid, (125, 125, 3))
    return [tuple(random), tuple(np.ascontiguousarray(p) for p in pairs)]


@pytest.mark.parametrize("mode", COMPARED)
def test_blend_mode_agrees_with_psd_tools(mode):
    reference = getattr(psd_blend, mode.value)
    for backdrop, source in colours():
        expected = reference(backdrop.copy(), source.copy())
        actual = BLENDS[mode](backdrop, source)
        assert actual.dtype == np.float32
        assert np.abs(actual - expected).max() <= 1e-3


@pytest.mark.parametrize("mode", BlendMode)
def test_every_blend_mode_stays_a_colour(mode):
    for backdrop, source in colours():
        mixed = BLENDS[mode](backdrop, source)
        assert mixed.min() >= -1e-5
        assert mixed.max() <= 1 + 1e-5


def planes(seed):
    values = np.random.default_rng(seed).random((4, 5, 7), dtype=np.float32)
    values[:3] *= values[3]
    return values


@pytest.mark.parametrize("mode", COMPARED)
def test_compositing_follows_the_general_formula(mode):
    below, above = planes(1), planes(2)
    ab, a_s = below[3].astype(np.float64), above[3].astype(np.float64)
    cb, cs = below[:3] / ab, above[:3] / a_s
    mixed = BLENDS[mode](
        np.moveaxis(cb, 0, -1).astype(np.float32), np.moveaxis(cs, 0, -1).astype(np.float32)
    )
    expected = cs * a_s * (1 - ab) + a_s * ab * np.moveaxis(mixed, -1, 0) + (1 - a_s) * ab * cb
    composite_over(below, above, mode)
    assert np.abs(below[:3] - expected).max() < 1e-5
    assert np.abs(below[3] - (a_s + ab * (1 - a_s))).max() < 1e-6


@pytest.mark.parametrize("mode", COMPARED)
def test_blending_onto_nothing_shows_the_source(mode):
    below, above = np.zeros((4, 5, 7), np.float32), planes(3)
    composite_over(below, above, mode)
    assert np.abs(below - above).max() < 1e-6


@pytest.mark.parametrize("mode", COMPARED)
def test_a_clipped_layer_changes_colours_and_no_alpha(mode):
    below, above = planes(1), planes(2)
    over, alpha = below.copy(), below[3].copy()
    composite_over(over, above, mode)
    composite_atop(below, above, mode)
    assert np.array_equal(below[3], alpha)
    opaque = np.ones_like(below)
    opaque[:3] = planes(1)[:3] / alpha
    composite_over(opaque, above, mode)
    assert np.abs(below[:3] - opaque[:3] * alpha).max() < 1e-5
