"""Lines of cutouts: found on each cutout alone, then put together by what is visible.

Edges of the finished collage would include the seams between layers (Collage Diffusion, later
version, takes them so). Here each cutout is looked at by itself, in its own pixels, so a seam is
no edge. The outline of a cutout is one, and counts once.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.byte_cache import ByteCache
from collage_studio.document.model import Mask, Raster

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

HIGHEST, LOWEST = 200.0, 60.0
"""Bounds of the upper Canny threshold: the paper's own, and one that keeps noise out."""
_LOWER_SHARE = 0.5
_STRONGEST_SHARE = 0.9
_SCRIBBLE_PX = 3
_MOST_ENLARGED = 8

_EDGES = ByteCache(64 << 20)


def cutout_lines(raster: Raster, mask: Mask | None, shrink: float, *, scribble: bool) -> Bytes:
    """White lines on black, (H, W) uint8 0 or 255, in the cutout's own pixels.

    A cutout that is shown enlarged is enlarged first, by a whole number, so that its lines stay
    fine.

    Args:
        shrink: source pixels per working pixel; lines are this wide so that they survive.
        scribble: as broad as a pen, else as fine as Canny's.
    """
    width, factor = max(1, round(shrink)), max(1, round(1.0 / max(shrink, 1e-6)))
    factor = min(factor, _MOST_ENLARGED)
    key = (raster.key, mask.key if mask else "", width, factor, scribble)

    def find() -> Bytes:
        rgb, alpha = _rgb(raster), _alpha(raster, mask)
        lines = _lines(_enlarged(rgb, factor), _enlarged(alpha, factor), width)
        return _broadened(lines, width * _SCRIBBLE_PX) if scribble else lines

    return _EDGES.get(key, find)


def _lines(rgb: Bytes, alpha: Bytes, width: int) -> Bytes:
    """Edges of the picture inside the cutout, and its outline once, `width` px wide."""
    inside = alpha >= 128
    if not inside.any():
        return np.zeros(alpha.shape, np.uint8)
    if inside.all():
        return _broadened(_canny(rgb, inside, width), width)
    depth = _depth(inside)
    # What lies so near the outline is the outline itself, or made by the pixels behind it.
    edges = _canny(_continued(rgb, inside), inside, width)
    edges[depth <= 2 * width + 1] = 0
    edges = _broadened(edges, width)
    edges[inside & (depth <= width)] = 255
    edges[~inside] = 0
    return edges


def _depth(inside: npt.NDArray[np.bool_]) -> Floats:
    """How far each pixel of a cutout lies from what is outside, (H, W), 1 at the border.

    The frame of a picture with clear parts counts as outside: such cutouts are cropped tightly.
    """
    framed = np.pad(inside.astype(np.uint8), 1)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)
    return np.asarray(depth[1:-1, 1:-1], np.float32)


def _continued(rgb: Bytes, inside: npt.NDArray[np.bool_]) -> Bytes:
    """The picture with each pixel outside replaced by the nearest one inside."""
    _, found = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = np.asarray(found, np.int32)
    colours = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    colours[labels[inside]] = rgb[inside]
    return colours[labels]


def _canny(rgb: Bytes, inside: npt.NDArray[np.bool_], width: int) -> Bytes:
    """Canny's edges at the scale of `width` px, thresholds taken from the cutout's own contrast."""
    across, down = _gradient(rgb, width)
    strength = (np.abs(across).astype(np.int32) + np.abs(down))[inside]
    high = float(np.clip(np.quantile(strength, _STRONGEST_SHARE), LOWEST, HIGHEST))
    return np.asarray(cv2.Canny(across, down, _LOWER_SHARE * high, high), np.uint8)


def _gradient(rgb: Bytes, width: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Sobel's gradient per `width` px of the channel that changes most, each (H, W)."""
    across = np.zeros(rgb.shape[:2], np.int16)
    down = np.zeros(rgb.shape[:2], np.int16)
    for channel in cv2.split(rgb):
        plane = np.asarray(channel, np.float32)
        if width > 1:
            plane = cv2.GaussianBlur(plane, (0, 0), 0.5 * width)
        parts = (cv2.Sobel(plane, cv2.CV_32F, *way, scale=float(width)) for way in ((1, 0), (0, 1)))
        x, y = (np.clip(part, -32767, 32767).astype(np.int16) for part in parts)
        stronger = np.abs(x).astype(np.int32) + np.abs(y) > np.abs(across).astype(
            np.int32
        ) + np.abs(down)
        across[stronger], down[stronger] = x[stronger], y[stronger]
    return across, down


def _broadened(lines: Bytes, width: int) -> Bytes:
    return lines if width <= 1 else np.asarray(cv2.dilate(lines, np.ones((width, width))), np.uint8)


def _enlarged(values: Bytes, factor: int) -> Bytes:
    if factor == 1:
        return values
    size = values.shape[1] * factor, values.shape[0] * factor
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _rgb(raster: Raster) -> Bytes:
    pixels = raster.pixels[..., :3]
    return np.ascontiguousarray(pixels if raster.depth == 8 else pixels >> 8, np.uint8)


def _alpha(raster: Raster, mask: Mask | None) -> Bytes:
    alpha = raster.pixels[..., 3]
    alpha = alpha if raster.depth == 8 else alpha >> 8
    if mask is None:
        return np.asarray(alpha, np.uint8)
    return (alpha.astype(np.uint16) * mask.values // 255).astype(np.uint8)


def shrink_of(determinant: float) -> float:
    """Source pixels per target pixel of an affine map with this determinant."""
    return 1.0 / math.sqrt(max(abs(determinant), 1e-12))
