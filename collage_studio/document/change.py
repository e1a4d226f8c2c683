"""How much a run changed a layer: colour (Delta E 2000) and structure (SSIM).

Both compare the layer as the collage shows it with the same pixels of the accepted picture.
Pixels that differ are always counted one by one; colour and structure of a layer larger than
512 x 512 px are measured at about that size, by area average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, cast

import cv2
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]
A = TypeVar("A", np.float32, np.uint8)

_WINDOW_SIGMA = 1.5
_MOST_PX = 2**18
_MEAN_TERM, _SPREAD_TERM = (0.01 * 100) ** 2, (0.03 * 100) ** 2


@dataclass(frozen=True, slots=True)
class LayerChange:
    """What happened to the visible pixels of one layer.

    Args:
        colour: mean Delta E 2000; about 1 is the least people see, above 5 anyone does.
        structure: mean SSIM of lightness, 1 = the same structure.
        changed_px: pixels that differ at all. 0 = provably untouched.
        visible_px: pixels in which the layer shows.
    """

    colour: float
    structure: float
    changed_px: int
    visible_px: int

    @property
    def is_untouched(self) -> bool:
        return self.changed_px == 0


def layer_change(before: Picture, after: Picture, mask: Float) -> LayerChange | None:
    """Compare two pictures (H, W, 3) inside `mask` (H, W) in [0, 1]; None if it is empty."""
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if not rows.size:
        return None
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    before, after, mask = before[box], after[box], mask[box]
    shown = mask > 0
    changed = int(((before != after).any(axis=2) & shown).sum())
    if changed == 0:
        return LayerChange(0.0, 1.0, 0, int(shown.sum()))
    before, after, mask = _at_most(before), _at_most(after), _at_most(mask)
    lab_before, lab_after = to_lab(before), to_lab(after)
    total = float(mask.sum())
    colour = float((delta_e(lab_before, lab_after) * mask).sum() / total)
    alike = _similarity(lab_before[..., 0], lab_after[..., 0], mask)
    return LayerChange(colour, alike, changed, int(shown.sum()))


def _at_most(values: npt.NDArray[A]) -> npt.NDArray[A]:
    """Values (H, W) or (H, W, 3) by area average at no more than 512 x 512 px."""
    height, width = values.shape[:2]
    scale = (_MOST_PX / (height * width)) ** 0.5
    if scale >= 1:
        return np.ascontiguousarray(values)
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    shrunk = cv2.resize(np.ascontiguousarray(values), size, interpolation=cv2.INTER_AREA)
    return shrunk.astype(values.dtype, copy=False)


def to_lab(picture: Picture) -> Float:
    """(..., 3) sRGB uint8 as CIE L*a*b* (D65): L 0..100."""
    flat = picture.reshape(1, -1, 3).astype(np.float32) / np.float32(255)
    return cast(Float, cv2.cvtColor(flat, cv2.COLOR_RGB2LAB).reshape(picture.shape))


def delta_e(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> Float:
    """CIEDE2000 colour difference of two arrays (..., 3) of L*a*b* (Sharma et al. 2005)."""
    l1, a1, b1 = np.moveaxis(one.astype(np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(other.astype(np.float64), -1, 0)
    mean7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(mean7 / (mean7 + 25.0**7))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    is_grey = c1 * c2 == 0
    turn = np.where(is_grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    # A half turn counts as +180 where h2 is the larger angle, as the standard has it.
    turn = np.where((turn == -180) & (h2 > h1), 180.0, turn)
    lightness, chroma = l2 - l1, c2 - c1
    hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    apart = np.abs(h1 - h2)
    around = np.where(h1 + h2 < 360, h1 + h2 + 360, h1 + h2 - 360)
    mean_h = np.where(is_grey, h1 + h2, np.where(apart <= 180, h1 + h2, around) / 2)
    t = (
        1
        - 0.17 * np.cos(np.radians(mean_h - 30))
        + 0.24 * np.cos(np.radians(2 * mean_h))
        + 0.32 * np.cos(np.radians(3 * mean_h + 6))
        - 0.20 * np.cos(np.radians(4 * mean_h - 63))
    )
    scale_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    scale_c, scale_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    bend = 60 * np.exp(-(((mean_h - 275) / 25) ** 2))
    rotation = -2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * np.sin(np.radians(bend))
    parts = (lightness / scale_l, chroma / scale_c, hue / scale_h)
    squares = parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2 + rotation * parts[1] * parts[2]
    return np.sqrt(np.maximum(squares, 0)).astype(np.float32)


def _similarity(one: Float, other: Float, mask: Float) -> float:
    """SSIM (Wang et al. 2004) of two planes 0..100 inside the mask."""
    weight = cv2.GaussianBlur(mask, (0, 0), _WINDOW_SIGMA) + 1e-6

    def mean(values: Float) -> Float:
        return cast(Float, cv2.GaussianBlur(values * mask, (0, 0), _WINDOW_SIGMA) / weight)

    m1, m2 = mean(one), mean(other)
    v1, v2 = mean(one * one) - m1 * m1, mean(other * other) - m2 * m2
    both = mean(one * other) - m1 * m2
    means = (2 * m1 * m2 + _MEAN_TERM) / (m1 * m1 + m2 * m2 + _MEAN_TERM)
    spreads = (2 * both + _SPREAD_TERM) / (v1 + v2 + _SPREAD_TERM)
    return float((means * spreads * mask).sum() / mask.sum())
