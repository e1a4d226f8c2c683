"""What can be done to a mask's edge: grow, shrink, feather, smooth, refine, decontaminate.

Masks are (H, W) float32 in [0, 1] or uint8 in 0..255, 1 or 255 = belongs to the object; each
function returns the kind it was given. Lengths are pixels of the mask.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.cutout.arrays import Float, check_alpha, rgb_of
from collage_studio.cutout.matting import Picture, estimate_foreground, rematte

MaskArray = TypeVar("MaskArray", npt.NDArray[np.uint8], npt.NDArray[np.float32])
MAX_PX = 512
FRINGE_PX = 3.0


def grow(mask: MaskArray, px: float) -> MaskArray:
    """Move the edge `px` outwards; soft edges keep their softness. Less than 0 shrinks."""
    if px < 0:
        return shrink(mask, -px)
    return cast(MaskArray, cv2.dilate(mask, _disc(px))) if px >= 0.5 else mask


def shrink(mask: MaskArray, px: float) -> MaskArray:
    """Move the edge `px` inwards; where the picture's border cuts the object it stays."""
    if px < 0:
        return grow(mask, -px)
    if px < 0.5:
        return mask
    return cast(
        MaskArray, cv2.erode(mask, _disc(px), borderType=cv2.BORDER_CONSTANT, borderValue=255)
    )


def feather(mask: MaskArray, px: float) -> MaskArray:
    """Soften the edge over about `px` on both sides (a Gaussian of sigma px / 2)."""
    if px <= 0.0:
        return mask
    sigma = min(px, MAX_PX) / 2.0
    return cast(MaskArray, cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def smooth(mask: MaskArray, px: float) -> MaskArray:
    """Even out bumps and notches up to about `px`; the edge becomes one to two pixels wide."""
    if px <= 0.0:
        return mask
    values = _unit(mask)
    blurred = feather(values, px)
    # The blurred edge has a slope of about 1 / (px sqrt(pi / 2)): steepened back to one pixel.
    steep = max(1.0, min(px, MAX_PX) * 1.25331)
    return _as_kind(np.clip((blurred - 0.5) * steep + 0.5, 0.0, 1.0), mask)


def refine_edge(picture: Picture, mask: MaskArray, px: float) -> MaskArray:
    """Find the edge anew within `px` of where it is, by closed-form matting."""
    return _as_kind(rematte(picture, _unit(mask), max(1.0, px)), mask)


def decontaminate(picture: Picture, mask: npt.NDArray[Any], amount: float = 1.0) -> Picture:
    """The picture with the backdrop's colour taken out of half-covered pixels, same kind.

    A few pixels around them change too; the rest of the backdrop stays, so that a mask can still
    bring it back.

    Args:
        picture: (H, W, 3 or 4) uint8, uint16 or float32; a fourth channel stays.
        amount: 0 = none, 1 = all of it.
    """
    unit = _unit(mask)
    alpha = check_alpha(picture, unit)
    own = estimate_foreground(picture, alpha)
    near = grow((alpha > 0.0).astype(np.uint8), FRINGE_PX) > 0
    soft = (((alpha < 1.0) & near) * np.float32(min(max(amount, 0.0), 1.0)))[..., None]
    mixed = rgb_of(picture) * (1.0 - soft) + own * soft
    result = picture.copy()
    top = np.iinfo(picture.dtype).max if picture.dtype.kind == "u" else 1
    cleaned = mixed * top
    if picture.dtype.kind == "u":
        cleaned = np.round(cleaned)
    np.copyto(result[..., :3], cleaned.astype(picture.dtype), where=soft > 0)
    return result


def _disc(px: float) -> npt.NDArray[np.uint8]:
    side = 2 * round(min(px, MAX_PX)) + 1
    return cast(npt.NDArray[np.uint8], cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def _unit(mask: npt.NDArray[Any]) -> Float:
    if mask.dtype == np.uint8:
        return mask.astype(np.float32) / np.float32(255)
    return mask.astype(np.float32, copy=False)


def _as_kind(values: Float, like: MaskArray) -> MaskArray:
    if like.dtype == np.uint8:
        return cast(MaskArray, np.round(values * 255).astype(np.uint8))
    return cast(MaskArray, values)
