"""Measures of one picture against its collage and its truth, and intervals over many collages.

Pictures are (H, W, 3) uint8 or float32 in 0..255, sRGB-encoded; masks (H, W) float32 in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8] | Floats

CELL = 8
WINDOW_SIGMA = 1.5
MOST_GAIN = 5.0
SSIM_MEAN, SSIM_SPREAD = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the ends of its 95 % confidence interval, over `count` collages."""

    value: float
    low: float
    high: float
    count: int

    @property
    def is_above_zero(self) -> bool:
        return self.low > 0.0


def fit_lighting(lit: Floats, flat: Floats, mask: Floats) -> Floats:
    """`lit` as it would look under the light of `flat`: per channel the best gain and offset.

    The fit brings the picture to the cutout and not the other way round: a picture in which the
    object is gone then stays without its contrast. The gain is not negative, so a picture turned
    inside out never fits, and at most MOST_GAIN, which undoes the world's night and fog.
    """
    weight = mask[..., None].astype(np.float64)
    total = max(float(mask.sum()), 1e-6)
    mean_flat = (flat * weight).sum((0, 1)) / total
    mean_lit = (lit * weight).sum((0, 1)) / total
    centred = lit - mean_lit
    covariance = (centred * (flat - mean_flat) * weight).sum((0, 1))
    variance = (centred * centred * weight).sum((0, 1))
    gain = np.clip(covariance / np.maximum(variance, 1e-6), 0.0, MOST_GAIN)
    return (centred * gain + mean_flat).astype(np.float32)


def _window(mask: Floats) -> tuple[slice, slice]:
    """The box around everything that is not 0."""
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if rows.size == 0:
        return slice(0, 1), slice(0, 1)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _local_mean(values: Floats, mask: Floats, weight: Floats) -> Floats:
    blurred = cv2.GaussianBlur(values * mask[..., None], (0, 0), WINDOW_SIGMA)
    return (blurred / np.maximum(weight, 1e-4)[..., None]).astype(np.float32)


def appearance(picture: Pixels, flat: Pixels, mask: Floats) -> float:
    """How much of a layer's own look is left, lighting aside: 1 = all of it, about 0 = none.

    The structural similarity (SSIM) of `picture` and `flat` inside `mask`, after the picture was
    brought to the light of the flat cutout with one gain and offset per channel. Pixels count by
    the contrast around them in the cutout: plain areas look alike in any two pictures.
    """
    window = _window(mask)
    picture, flat = picture[window].astype(np.float32), flat[window].astype(np.float32)
    mask = mask[window]
    fitted = fit_lighting(picture, flat, mask)
    weight = np.asarray(cv2.GaussianBlur(mask, (0, 0), WINDOW_SIGMA), np.float32)
    mean_a, mean_b = _local_mean(flat, mask, weight), _local_mean(fitted, mask, weight)
    var_a = _local_mean(flat * flat, mask, weight) - mean_a**2
    var_b = _local_mean(fitted * fitted, mask, weight) - mean_b**2
    both = _local_mean(flat * fitted, mask, weight) - mean_a * mean_b
    means = (2 * mean_a * mean_b + SSIM_MEAN) / (mean_a**2 + mean_b**2 + SSIM_MEAN)
    spreads = (2 * both + SSIM_SPREAD) / (var_a + var_b + SSIM_SPREAD)
    similarity = (means * spreads).mean(axis=2)
    telling = mask * np.sqrt(np.maximum(var_a, 0).mean(axis=2) + SSIM_SPREAD)
    return float((similarity * telling).sum() / max(float(telling.sum()), 1e-6))


def _cells(values: Floats) -> Floats:
    """Area averages over CELL x CELL pixels, of (H, W) or (H, W, 3)."""
    height, width = values.shape[0] // CELL, values.shape[1] // CELL
    cropped = values[: height * CELL, : width * CELL]
    return cv2.resize(cropped, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def colour_distance(picture: Pixels, truth: Pixels, zone: Floats) -> float:
    """Mean RGB distance (0..441) of low-frequency colour inside `zone`; NaN if it is empty.

    Differences are averaged over cells of 8 x 8 px first, so that detail cancels out and only
    colour and brightness of areas count.
    """
    difference = (picture.astype(np.float32) - truth.astype(np.float32)) * zone[..., None]
    covered = _cells(zone)
    total = float(covered.sum())
    if total < 1.0 / CELL**2:
        return float("nan")
    lengths = np.linalg.norm(_cells(difference), axis=2)
    return float(lengths.sum() / total)


def ratio_interval(
    sums: Sequence[float], counts: Sequence[float], *, rounds: int = 4000, seed: int = 0
) -> Interval:
    """Mean `sum(sums) / sum(counts)` over collages with its bootstrap interval.

    Collages are drawn with replacement, each with everything that belongs to it. Those with a
    count of 0 or an undefined sum have nothing to say and are left out.
    """
    pairs = np.array([sums, counts], np.float64)
    pairs = pairs[:, np.isfinite(pairs).all(axis=0) & (pairs[1] > 0)]
    count = pairs.shape[1]
    if count == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    drawn = np.random.default_rng(seed).integers(0, count, (rounds, count))
    resampled = pairs[0][drawn].sum(axis=1) / pairs[1][drawn].sum(axis=1)
    low, high = np.percentile(resampled, (2.5, 97.5))
    return Interval(float(pairs[0].sum() / pairs[1].sum()), float(low), float(high), count)


def mean_interval(values: Sequence[float], *, rounds: int = 4000, seed: int = 0) -> Interval:
    """Mean over collages with its bootstrap interval; undefined values are left out."""
    return ratio_interval(values, [1.0] * len(values), rounds=rounds, seed=seed)


def closed_interval(
    distances: Sequence[float], pasted: Sequence[float], *, rounds: int = 4000, seed: int = 0
) -> Interval:
    """How much of the pasted collage's distance to the truth is closed: 1 = all, 0 = none."""
    usable = np.isfinite(distances) & np.isfinite(pasted)
    left = np.asarray(distances, np.float64)[usable]
    whole = np.asarray(pasted, np.float64)[usable]
    return ratio_interval((whole - left).tolist(), whole.tolist(), rounds=rounds, seed=seed)
