"""Measured change of a layer: colour difference by the standard's own figures, and structure."""

from __future__ import annotations

import numpy as np
import pytest

from collage_studio.document.change import delta_e, layer_change, to_lab

# Test data of Sharma, Wu and Dalal (2005): L, a, b of two colours and their Delta E 2000.
PUBLISHED = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0010), 7.1792),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((50.0, 2.5, 0.0), (56.0, -27.0, -3.0), 31.9030),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((63.0109, -31.0961, -5.8663), (62.8187, -29.7946, -4.0864), 1.2630),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("one", "other", "expected"), PUBLISHED)
def test_colour_difference_agrees_with_the_published_test_data(one, other, expected):
    assert delta_e(np.array(one), np.array(other)) == pytest.approx(expected, abs=2e-4)
    assert delta_e(np.array(other), np.array(one)) == pytest.approx(expected, abs=2e-4)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (24, 30, 3)).astype(np.uint8)


def test_equal_pixels_are_provably_untouched():
    found = layer_change(picture(), picture(), np.ones((24, 30), np.float32))
    assert found.is_untouched
    assert (found.colour, found.structure, found.visible_px) == (0.0, 1.0, 720)


def test_one_level_in_one_pixel_is_not_untouched():
    after = picture()
    after[4, 5, 1] ^= 1
    found = layer_change(picture(), after, np.ones((24, 30), np.float32))
    assert found.changed_px == 1
    assert 0 < found.colour < 0.01


def test_changes_outside_the_mask_do_not_count():
    after, mask = picture(), np.zeros((24, 30), np.float32)
    mask[:12] = 1
    after[12:] = 0
    assert layer_change(picture(), after, mask).is_untouched
    assert layer_change(picture(), after, 1 - mask).colour > 5


def test_relighting_moves_colour_and_leaves_structure():
    smooth = np.repeat(np.linspace(40, 200, 30)[None, :, None], 24, 0).repeat(3, 2)
    textured = (smooth + 12 * np.random.default_rng(1).normal(size=smooth.shape)).clip(0, 255)
    before = textured.astype(np.uint8)
    tinted = (textured * [1.0, 0.8, 0.6]).astype(np.uint8)
    scrambled = np.random.default_rng(2).permutation(before.reshape(-1, 3)).reshape(before.shape)
    mask = np.ones((24, 30), np.float32)
    relit, destroyed = layer_change(before, tinted, mask), layer_change(before, scrambled, mask)
    assert relit.colour > 5
    assert relit.structure > 0.85 > destroyed.structure


def test_an_empty_mask_has_no_change():
    assert layer_change(picture(), picture(1), np.zeros((24, 30), np.float32)) is None


def test_lightness_runs_from_0_to_100():
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    assert to_lab(ends)[0, :, 0] == pytest.approx([0, 100], abs=0.01)
