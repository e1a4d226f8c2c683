"""Foreground and background colours from a picture and its alpha, from coarse to fine."""

from __future__ import annotations

import math
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.cutout.arrays import Float, box_of, resized

_REGULAR, _GRADIENT = 1e-5, 1.0
_MARGIN = 16
_SMALL_SIDE = 32
_SMALL_STEPS, _LARGE_STEPS = 10, 2


def estimate_colours(rgb: Float, alpha: Float) -> tuple[Float, Float]:
    """F and B, each (H, W, 3) in [0, 1], that make I = a F + (1 - a) B and are smooth.

    Minimises sum_i |a_i F_i + (1 - a_i) B_i - I_i|^2
    + sum_ij (r + w |a_i - a_j|) (|F_i - F_j|^2 + |B_i - B_j|^2)    (Germer et al. 2020, eq. 4)
    over pixels and their four neighbours, level by level.
    """
    box = box_of(alpha > 0.0, _MARGIN)
    if alpha[box].size in {0, alpha.size}:
        return _solved(rgb, alpha)
    front, back = _solved(rgb[box], alpha[box])
    whole = rgb.copy()
    whole[box] = back
    return _extended(front, box, alpha.shape), whole


def _extended(part: Float, box: tuple[slice, slice], shape: tuple[int, ...]) -> Float:
    """The colours of a box on the whole picture, its border repeated outside."""
    rows, columns = box
    stop_row, stop_column = min(rows.stop, shape[0]), min(columns.stop, shape[1])
    sides = (rows.start, shape[0] - stop_row, columns.start, shape[1] - stop_column)
    return cast(Float, cv2.copyMakeBorder(part, *sides, cv2.BORDER_REPLICATE))


def _solved(rgb: Float, alpha: Float) -> tuple[Float, Float]:
    front = _mean_colour(rgb, alpha)
    back = _mean_colour(rgb, 1.0 - alpha)
    for shape in _levels(alpha.shape[0], alpha.shape[1]):
        small_rgb, small_alpha = resized(rgb, shape), resized(alpha, shape)
        front, back = resized(front, shape), resized(back, shape)
        steps = _SMALL_STEPS if max(shape) <= _SMALL_SIDE else _LARGE_STEPS
        front, back = _relaxed(small_rgb, small_alpha, front, back, steps)
    return front, back


def _mean_colour(rgb: Float, weight: Float) -> Float:
    """One pixel with the weighted mean colour."""
    total = float(weight.sum())
    if total <= 0.0:
        return np.full((1, 1, 3), 0.5, np.float32)
    mean = np.einsum("hwc,hw->c", rgb, weight, dtype=np.float64) / total
    return mean.astype(np.float32).reshape(1, 1, 3)


def _levels(height: int, width: int) -> list[tuple[int, int]]:
    """Sizes from about 1 px up to the whole, each side growing evenly."""
    count = max(1, math.ceil(math.log2(max(height, width))))
    return [
        (
            max(1, round(height ** (level / count))),
            max(1, round(width ** (level / count))),
        )
        for level in range(count + 1)
    ]


def _relaxed(
    rgb: Float, alpha: Float, front: Float, back: Float, steps: int
) -> tuple[Float, Float]:
    rest = 1.0 - alpha
    weights = _neighbour_weights(alpha)
    total = np.maximum(sum(weights), np.float32(_REGULAR))
    # The 2 x 2 system of each pixel, solved by Cramer's rule; the determinant ff bb - fb fb is
    # written out, as the difference of the products has no digits left in float32.
    ff, fb, bb = alpha * alpha + total, alpha * rest, rest * rest + total
    inverse = 1.0 / (total * (alpha * alpha + rest * rest + total))
    own_front, own_back = alpha[..., None] * rgb, rest[..., None] * rgb
    ff, fb, bb = (part[..., None] * inverse[..., None] for part in (ff, fb, bb))
    for _ in range(steps):
        to_front = own_front + _from_neighbours(front, weights)
        to_back = own_back + _from_neighbours(back, weights)
        front = _in_range(bb * to_front - fb * to_back)
        back = _in_range(ff * to_back - fb * to_front)
    return front, back


def _in_range(colours: npt.NDArray[Any]) -> Float:
    return np.clip(colours, 0.0, 1.0).astype(np.float32, copy=False)


def _neighbour_weights(alpha: Float) -> tuple[Float, Float, Float, Float]:
    """r + w |a_i - a_j| towards the neighbour above, below, left and right; 0 outside."""
    down = np.zeros_like(alpha)
    down[:-1] = _REGULAR + _GRADIENT * np.abs(alpha[1:] - alpha[:-1])
    right = np.zeros_like(alpha)
    right[:, :-1] = _REGULAR + _GRADIENT * np.abs(alpha[:, 1:] - alpha[:, :-1])
    up, left = np.zeros_like(alpha), np.zeros_like(alpha)
    up[1:], left[:, 1:] = down[:-1], right[:, :-1]
    return up, down, left, right


def _from_neighbours(colours: Float, weights: tuple[Float, Float, Float, Float]) -> Float:
    up, down, left, right = weights
    total = np.zeros_like(colours)
    total[1:] += up[1:, :, None] * colours[:-1]
    total[:-1] += down[:-1, :, None] * colours[1:]
    total[:, 1:] += left[:, 1:, None] * colours[:, :-1]
    total[:, :-1] += right[:, :-1, None] * colours[:, 1:]
    return total
