"""The light of a picture carried over to pixels that it does not show: local gain and offset.

What is hidden of a layer, and every pixel of a larger source, is its own colour brought to the
light of what can be seen of it: lit = gain * own + offset, per channel, varying slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

_REGULAR = 4e-3
"""Contrast (variance of [0, 1] colours) below which a window's gain follows the whole layer's."""
_LEAST_GAIN, _MOST_GAIN = 0.1, 4.0
_SAMPLES = 256
_ENOUGH = 0.05
"""Share of a window that must be visible for its own figures to count."""


@dataclass(frozen=True, slots=True)
class Light:
    """lit = gain * own + offset; both (h, w, 3)."""

    gain: Float
    offset: Float

    def on(self, own: Float) -> Float:
        """Own colours (h, w, 3) in this light, [0, 1]."""
        return np.clip(self.gain * own + self.offset, 0.0, 1.0)


def light_between(own: Float, lit: Float, weight: Float, sigma: float) -> Light:
    """The light that leads from `own` to `lit` where `weight` is, continued to everywhere.

    In Gaussian windows of width s: gain = (cov(own, lit) + r g) / (var(own) + r), with g the gain
    of the whole layer; offset = mean(lit) - gain mean(own). Windows with next to nothing visible
    take the figures of windows twice as wide.

    Args:
        own, lit: (h, w, 3) in [0, 1]. weight: (h, w) in [0, 1]. sigma: s in px.
    """
    overall = _overall_gain(own, lit, weight)
    gain, offset = _windowed(own, lit, weight, sigma, overall)
    return Light(gain, offset)


def _overall_gain(own: Float, lit: Float, weight: Float) -> Float:
    # Every n-th pixel says enough about a whole layer.
    step = max(1, max(weight.shape) // _SAMPLES)
    own, lit, weight = (values[::step, ::step] for values in (own, lit, weight))
    total = max(float(weight.sum()), 1e-6)
    share = weight[..., None] / total
    mean_own, mean_lit = (own * share).sum((0, 1)), (lit * share).sum((0, 1))
    both = ((own - mean_own) * (lit - mean_lit) * share).sum((0, 1))
    spread = (np.square(own - mean_own) * share).sum((0, 1))
    flat = mean_lit / np.maximum(mean_own, 0.02)
    gain = (both + _REGULAR * flat) / (spread + _REGULAR)
    return np.clip(gain, _LEAST_GAIN, _MOST_GAIN).astype(np.float32)


def _windowed(
    own: Float, lit: Float, weight: Float, sigma: float, overall: Float
) -> tuple[Float, Float]:
    means = filled_means((own, lit, np.square(own), own * lit), weight, sigma, grow=False)
    own_mean, lit_mean, square, product = means
    spread = np.maximum(square - np.square(own_mean), 0)
    both = product - own_mean * lit_mean
    gain = (both + _REGULAR * overall) / (spread + _REGULAR)
    gain = np.clip(gain, _LEAST_GAIN, _MOST_GAIN).astype(np.float32)
    offset = (lit_mean - gain * own_mean).astype(np.float32)
    shape = own.shape[:2]
    return _grown(gain, shape), _grown(offset, shape)


def filled_means(
    values: tuple[Float, ...], weight: Float, sigma: float, *, grow: bool = True
) -> list[Float]:
    """Weighted Gaussian means of (h, w, 3) values; wider windows where a window sees too little.

    Args:
        weight: (h, w). sigma: width of the narrowest windows in px.
        grow: at the values' own size; otherwise on the coarse grid that such means need.
    """
    # Means of windows this wide vary slowly: a coarse grid holds them.
    step = max(1, int(sigma / 4))
    small = _shrunk(weight, step)
    sums = [_shrunk(part * weight[..., None], step) for part in values]
    means = _filled(small, sums, sigma / step)
    return [_grown(part, weight.shape) for part in means] if grow else means


def _filled(weight: Float, sums: list[Float], sigma: float) -> list[Float]:
    longest = max(weight.shape)
    done = [np.zeros_like(part) for part in sums]
    missing = np.ones(weight.shape, np.float32)
    while True:
        seen = blurred(weight, sigma)
        is_last = sigma > 2 * longest
        trust = np.ones_like(seen) if is_last else np.clip(seen / _ENOUGH, 0, 1)
        use = (missing * trust / np.maximum(seen, 1e-9))[..., None]
        done = [total + use * blurred(part, sigma) for total, part in zip(done, sums, strict=True)]
        missing = missing * (1 - trust)
        if is_last or not (missing > 1e-3).any():
            whole = np.maximum(1 - missing, 1e-6)[..., None]
            return [(total / whole).astype(np.float32) for total in done]
        sigma *= 2


def blurred(values: Float, sigma: float) -> Float:
    """Gaussian mean of (h, w) or (h, w, C), sigma in px: wide ones on a smaller grid."""
    step = max(1, int(sigma / 4))
    if step == 1:
        return cast(Float, cv2.GaussianBlur(values, (0, 0), max(sigma, 0.3)))
    small = _shrunk(values, step)
    return _grown(cast(Float, cv2.GaussianBlur(small, (0, 0), sigma / step)), values.shape[:2])


def _shrunk(values: Float, step: int) -> Float:
    if step == 1:
        return values
    size = (max(1, round(values.shape[1] / step)), max(1, round(values.shape[0] / step)))
    return cast(Float, cv2.resize(values, size, interpolation=cv2.INTER_AREA))


def _grown(values: Float, shape: tuple[int, ...]) -> Float:
    if values.shape[:2] == shape[:2]:
        return values
    return cast(Float, cv2.resize(values, shape[1::-1], interpolation=cv2.INTER_LINEAR))
