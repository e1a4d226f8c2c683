"""What the measures must and must not notice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collage_studio.evaluate.metrics import (
    appearance,
    closed_interval,
    colour_distance,
    fit_lighting,
    mean_interval,
    ratio_interval,
)


def _picture(seed: int = 0, size: int = 64) -> np.ndarray:
    """Blobs of colour with some fine structure, (size, size, 3) float32."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(40, 200, (8, 8, 3)).repeat(size // 8, 0).repeat(size // 8, 1)
    return (coarse + rng.uniform(-20, 20, (size, size, 3))).astype(np.float32)


def _disc(size: int = 64, radius: float = 20) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return (np.hypot(x, y) < radius).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(
    gains=st.tuples(*[st.floats(0.3, 1.2)] * 3),
    offsets=st.tuples(*[st.floats(-10, 40)] * 3),
)
def test_appearance_does_not_notice_lighting(gains, offsets) -> None:
    flat = _picture()
    lit = flat * np.float32(gains) + np.float32(offsets)
    assert appearance(lit, flat, _disc()) > 0.98


def test_appearance_of_another_object_is_low() -> None:
    assert appearance(_picture(1), _picture(2), _disc()) < 0.2


def test_appearance_of_a_negative_is_low() -> None:
    assert appearance(255 - _picture(), _picture(), _disc()) < 0.2


def test_appearance_falls_as_the_picture_is_blended_into_another() -> None:
    flat, other = _picture(1), _picture(2)
    scores = [appearance(flat * (1 - t) + other * t, flat, _disc()) for t in (0, 0.3, 0.6, 1)]
    assert scores == sorted(scores, reverse=True)


def test_appearance_looks_inside_the_mask_only() -> None:
    flat, mask = _picture(), _disc()
    changed = np.where(mask[..., None] > 0, flat, 255.0).astype(np.float32)
    assert appearance(changed, flat, mask) == pytest.approx(1.0, abs=1e-3)


def test_lighting_fit_recovers_gain_and_offset() -> None:
    flat = _picture()
    lit = flat * np.float32([0.5, 0.8, 1.1]) + np.float32([5, 0, 20])
    np.testing.assert_allclose(fit_lighting(lit, flat, _disc()), flat, atol=0.05)


def test_appearance_of_a_plain_area_in_place_of_the_object_is_low() -> None:
    grain = np.random.default_rng(3).normal(0, 2, (64, 64, 3))
    assert appearance((120 + grain).astype(np.float32), _picture(), _disc()) < 0.2


def test_colour_distance_ignores_fine_detail() -> None:
    truth = np.full((64, 64, 3), 100, np.float32)
    checker = (np.indices((64, 64)).sum(0) % 2 * 40 - 20)[..., None].astype(np.float32)
    assert colour_distance(truth + checker, truth, np.ones((64, 64), np.float32)) < 1e-3


def test_colour_distance_is_the_length_of_a_uniform_shift() -> None:
    truth = _picture()
    shifted = truth + np.float32([3, 4, 0])
    assert colour_distance(shifted, truth, _disc()) == pytest.approx(5.0, rel=1e-4)


def test_colour_distance_of_an_empty_zone_is_undefined() -> None:
    picture = _picture()
    assert np.isnan(colour_distance(picture, picture, np.zeros((64, 64), np.float32)))


def test_interval_of_equal_values_is_a_point() -> None:
    interval = mean_interval([2.0] * 10)
    assert (interval.low, interval.value, interval.high) == (2.0, 2.0, 2.0)


def test_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for trial in range(60):
        interval = mean_interval(rng.normal(1.0, 1.0, 50).tolist(), rounds=400, seed=trial)
        hits += interval.low <= 1.0 <= interval.high
    assert hits >= 51


def test_collages_with_nothing_to_say_are_left_out() -> None:
    assert ratio_interval([1.0, float("nan"), 0.0], [2.0, 3.0, 0.0]).count == 1


def test_closed_distance_is_relative_to_the_paste() -> None:
    interval = closed_interval([2.0, 4.0, float("nan")], [10.0, 10.0, float("nan")])
    assert interval.value == pytest.approx(0.7)
    assert interval.count == 2
