"""Array types of the cutout room and small picture helpers: ranges, discs, resizing."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]


def rgb_of(picture: npt.NDArray[Any]) -> Float:
    """Colours in [0, 1], (H, W, 3) float32, of an 8- or 16-bit or float RGB(A) picture.

    Raises:
        ValueError: the picture has another shape or kind of numbers.
    """
    if picture.ndim != 3 or picture.shape[2] not in {3, 4} or 0 in picture.shape:
        raise ValueError(f"A picture is (H, W, 3) or (H, W, 4), got {picture.shape}.")
    colours = picture[..., :3]
    top = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}.get(str(picture.dtype))
    if top is None:
        raise ValueError(f"A picture is uint8, uint16 or float32, got {picture.dtype}.")
    return np.ascontiguousarray(colours.astype(np.float32) / np.float32(top))


def check_alpha(picture: npt.NDArray[Any], alpha: npt.NDArray[Any]) -> Float:
    """`alpha` as (H, W) float32 in [0, 1].

    Raises:
        ValueError: it is not of the picture's size.
    """
    if alpha.shape != picture.shape[:2]:
        raise ValueError(f"An alpha of {alpha.shape} does not fit a picture of {picture.shape}.")
    return np.clip(alpha.astype(np.float32), 0.0, 1.0)


def resized(values: npt.NDArray[Any], shape: tuple[int, int]) -> Float:
    """(H, W) or (H, W, C) float32 at another (H, W): area average down, bilinear up."""
    if values.shape[:2] == shape:
        return values.astype(np.float32, copy=False)
    shrinks = shape[0] * shape[1] < values.shape[0] * values.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small = cv2.resize(values.astype(np.float32, copy=False), shape[::-1], interpolation=how)
    return cast(Float, small)


def fitted_shape(shape: tuple[int, int], longest: int) -> tuple[int, int]:
    """(H, W) scaled down so that the longer side has at most `longest` px."""
    scale = min(1.0, longest / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def distance_inside(region: Bool) -> Float:
    """How many px each pixel of `region` lies from the nearest one outside it; 0 outside.

    The picture's border is no outside: an object cut off there does not end there.
    """
    if region.all():
        return np.full(region.shape, np.float32(max(region.shape)), np.float32)
    found = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return cast(Float, found)


def box_of(region: Bool, margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns that hold all of `region`, `margin` px wider, inside the picture."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + 1 + margin),
    )
