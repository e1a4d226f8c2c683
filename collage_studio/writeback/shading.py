"""What no layer explains: shadows cast on the ground, and light thrown on it.

Where the ground is darker than its own pixels in the new light would be, near what stands on it,
a multiply layer takes the difference; where it is brighter, a screen layer does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.writeback.relight import filled_means, light_between

Float = npt.NDArray[np.float32]

_STEP = np.float32(1 / 255)
_QUIET = 0.05
"""Differences of brightness up to this are the ground's own."""


_GRID = 512
"""Longest side of the grid on which shadows are shared out."""
_FAINT_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Shading:
    """Both (h, w, 3) in whole steps of 1/255; 1 in `shadow` and 0 in `light` change nothing."""

    shadow: Float
    light: Float

    @property
    def slope(self) -> Float:
        """shown = slope * ground + light: screen of the light over the multiplied ground."""
        return self.shadow * (1 - self.light)

    def clear(self, cut: tuple[slice, slice], where: npt.NDArray[np.bool_]) -> None:
        """Change nothing at these pixels of a part of the arrays."""
        self.shadow[cut][where] = 1.0
        self.light[cut][where] = 0.0


def shading_of(own: Float, shown: Float, share: Float, covered: Float, bleeding: Float) -> Shading:
    """Split what is `shown` of the ground into its own pixels, shadow and light.

    Args:
        own: (h, w, 3) the ground's own pixels. shown: its colours in the picture.
        share: (h, w) how much of each pixel shows the ground.
        covered: (h, w) how much of each pixel other layers cover.
        bleeding: (h, w, 3) by how much soft edges of other layers change what is shown.
    """
    side = max(share.shape)
    given, shown = shown, np.clip(shown - bleeding, 0, 1).astype(np.float32)
    nearness = _nearness(covered, 0.3 * side)
    far = share * (1 - nearness)
    if far.sum() < 0.02 * share.sum():
        far = share
    expected = light_between(own, shown, far, side).on(own)
    # Mixed pixels at the edges of what stands on the ground tell little about it.
    certain = np.square(np.clip((share - 0.8) / 0.2, 0, 1))
    seen, wanted = filled_means((shown, expected), certain, max(1.0, side / 100))
    # Brightness alone: differences of colour are the ground's own.
    seen, wanted = seen.mean(axis=2, keepdims=True), wanted.mean(axis=2, keepdims=True)
    ratio = np.repeat(seen / np.maximum(wanted, 0.02), 3, axis=2)
    shadow = 1 - nearness[..., None] * _audible(1 - ratio)
    light = nearness[..., None] * _audible(np.repeat(seen - wanted, 3, axis=2))
    change = given - shown
    shadow = shadow * np.where(change < 0, given / np.maximum(shown, _STEP), 1)
    light = 1 - (1 - light) * (1 - np.clip(change / np.maximum(1 - shown, _STEP), 0, 1))
    # The ground's own pixels must be able to give what is shown.
    needed = given * certain[..., None]
    light = np.where(certain[..., None] > 0, np.minimum(light, given), light)
    light = np.floor(light * 255) * _STEP
    least = (needed - light) / np.maximum(1 - light, _STEP)
    shadow = np.maximum(_stepped(shadow), np.ceil(least.clip(0, 1) * 255) * _STEP)
    return Shading(shadow.astype(np.float32), light.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Part:
    """What one object casts, in a box of the shading's arrays."""

    rows: slice
    columns: slice
    shading: Shading


def split_by_caster(
    shading: Shading, casters: Sequence[npt.NDArray[np.bool_]]
) -> tuple[Shading, tuple[Part, ...]]:
    """Shadow and light of each object, and what they make together.

    A share w_i of every pixel is object i's, the more the nearer it is; shadow_i = shadow^w_i, so
    that multiplied they make the whole again, and 1 - light_i = (1 - light)^w_i.

    Args:
        casters: (h, w) each, where the objects are.
    """
    shadow, dark = np.ones_like(shading.shadow), np.ones_like(shading.light)
    shown = (shading.shadow < 1).any(axis=2) | (shading.light > 0).any(axis=2)
    parts = list[Part]()
    for weight in _weights(casters):
        cut = _box_of(shown & (weight > 0))
        own = weight[cut][..., None]
        # Rounded towards nothing: the ground's own pixels must still give what is shown.
        deep = np.ceil(np.power(shading.shadow[cut], own) * 255 - 1e-3) * _STEP
        lit = np.floor((1 - np.power(1 - shading.light[cut], own)) * 255 + 1e-3) * _STEP
        part = Shading(deep.clip(0, 1).astype(np.float32), lit.clip(0, 1).astype(np.float32))
        parts.append(Part(*cut, part))
        shadow[cut] *= part.shadow
        dark[cut] *= 1 - part.light
    return Shading(shadow, 1 - dark), tuple(parts)


def _box_of(region: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _weights(casters: Sequence[npt.NDArray[np.bool_]]) -> list[Float]:
    """Shares of the objects in each pixel by nearness, together 1; found on a coarse grid."""
    shape = casters[0].shape
    scale = max(1.0, max(shape) / _GRID)
    size = (max(1, round(shape[1] / scale)), max(1, round(shape[0] / scale)))
    near = list[Float]()
    for caster in casters:
        small = cv2.resize(caster.astype(np.uint8), size, interpolation=cv2.INTER_AREA)
        empty = (small == 0).astype(np.uint8)
        away = cv2.distanceTransform(empty, cv2.DIST_L2, cv2.DIST_MASK_5)
        near.append(((away + 2.0) ** -4.0 if (empty == 0).any() else 0 * away).astype(np.float32))
    total = np.maximum(sum(near, np.zeros_like(near[0])), 1e-20)
    shares = [np.where(one / total < _FAINT_SHARE, 0, one / total) for one in near]
    whole = np.maximum(sum(shares, np.zeros_like(shares[0])), 1e-6)
    grown = [
        cv2.resize(share / whole, shape[::-1], interpolation=cv2.INTER_LINEAR) for share in shares
    ]
    return [one.astype(np.float32) for one in grown]


def _nearness(covered: Float, reach: float) -> Float:
    """1 around what stands on the ground, falling to 0 from half of `reach` px on."""
    empty = (covered < 0.5).astype(np.uint8)
    if empty.all():
        return np.zeros_like(covered)
    distance = cv2.distanceTransform(empty, cv2.DIST_L2, cv2.DIST_MASK_5)
    t = np.clip(2 - 2 * distance / reach, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _audible(amount: npt.NDArray[np.floating]) -> Float:
    """The amount, [0, 1], faded out where it is no larger than the ground's own unrest."""
    t = np.clip(amount / _QUIET - 1, 0, 1)
    return (np.clip(amount, 0, 1) * t * t * (3 - 2 * t)).astype(np.float32)


def _stepped(values: npt.NDArray[np.floating]) -> Float:
    return (np.rint(values * 255) * _STEP).astype(np.float32)
