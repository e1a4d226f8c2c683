"""Put sources on the canvas by an affine map, resampled once: area-true when smaller, else cubic.

Planes are (C, h, w) float32 in [0, 1]: premultiplied red, green, blue, alpha, or one mask.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.byte_cache import ByteCache
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import Mask, Raster

Float: TypeAlias = "npt.NDArray[np.float32]"

CACHE_TILE = Size(512, 256)
"""Work on parts of this size: they stay in the processor's cache."""

_REDUCED = ByteCache(256 << 20)
_REACH = 3
_BAND_ROWS = 64
_ON_GRID_PX = 1e-3


@dataclass(frozen=True, slots=True)
class Source:
    """Pixels to be placed.

    Args:
        read: gives planes (C, h, w) of a part of the source.
        key: gives a name of the content, for the cache of reduced sources.
        held: the same as pixels (h, w, C) or (h, w), where they are held as such.
    """

    size: Size
    read: Callable[[Rect], Float]
    key: Callable[[], str]
    held: Float | None = None

    def pixels(self, rect: Rect) -> Float:
        """(h, w, C) or (h, w) of a part of the source, read-only."""
        return _interleaved(self.read(rect)) if self.held is None else self.held[rect.slices]


def picture_source(raster: Raster, mask: Mask | None) -> Source:
    """Premultiplied colour planes (4, h, w) of a raster under its mask."""

    def read(rect: Rect) -> Float:
        pixels = raster.pixels[rect.slices]
        planes = _planes(pixels)
        if mask is not None:
            planes[3] *= _unit(mask.values[rect.slices])
        if planes[3].min() < 1.0:
            planes[:3] *= planes[3]
        return planes

    return Source(raster.size, read, lambda: f"picture {_content(raster, mask)}")


def alpha_source(raster: Raster, mask: Mask | None) -> Source:
    """The alpha plane (1, h, w) of a raster under its mask."""

    def read(rect: Rect) -> Float:
        alpha = _unit(raster.pixels[rect.slices][..., 3])
        if mask is not None:
            alpha *= _unit(mask.values[rect.slices])
        return alpha[np.newaxis]

    return Source(raster.size, read, lambda: f"alpha {_content(raster, mask)}")


def mask_source(mask: Mask) -> Source:
    """The plane (1, h, w) of a mask that belongs to a group or a fill."""
    return Source(
        mask.size,
        lambda rect: _unit(mask.values[rect.slices])[np.newaxis],
        lambda: f"mask {mask.key}",
    )


def _content(raster: Raster, mask: Mask | None) -> str:
    return f"{raster.key} {mask.key if mask else ''}"


def _planes(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> Float:
    """(4, h, w) of interleaved pixels; OpenCV separates them several times faster than numpy."""
    planes = np.empty((4, *pixels.shape[:2]), np.float32)
    factor = np.float32(1.0 / np.iinfo(pixels.dtype).max)
    for index, channel in enumerate(cv2.split(pixels)):
        np.multiply(channel, factor, out=planes[index])
    return planes


def _split(pixels: npt.NDArray[Any]) -> Float:
    """(C, h, w) of float pixels (h, w, C) or (h, w)."""
    if pixels.ndim == 2:
        return pixels[np.newaxis].copy()
    count = pixels.shape[2]
    planes = np.empty((count, *pixels.shape[:2]), np.float32)
    pairs = [index for channel in range(count) for index in (channel, channel)]
    into: Any = list(planes)  # the annotation knows arrays of integers only
    cv2.mixChannels([pixels], into, pairs)
    return planes


def _unit(values: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> Float:
    limit = np.iinfo(values.dtype).max
    return np.multiply(values, np.float32(1.0 / limit), dtype=np.float32)


class Placed:
    """A source under an affine map to target pixels, ready to be sampled box by box."""

    def __init__(self, source: Source, transform: Affine, *, keep: bool = True) -> None:
        """Make a smaller source first where the map shrinks it.

        Args:
            keep: the smaller source in the cache; False for what is drawn only once.
        """
        self.bounds = transform.bounds(source.size)
        if abs(transform.determinant) < 1e-9:
            self.bounds = Rect(0, 0, 0, 0)
        else:
            source, transform = _reduced(source, transform, keep=keep)
        self._source = source
        self._transform = transform
        self._shift = _grid_shift(transform, source.size)
        if self._shift is not None and not self.bounds.is_empty:
            self.bounds = Affine.translation(*self._shift).bounds(source.size)

    def sample(self, box: Rect) -> Float:
        """Planes (C, h, w) of a box inside `bounds`, with antialiased borders."""
        if self._shift is not None:
            x, y = self._shift
            return self._source.read(Rect(box.left - x, box.top - y, box.right - x, box.bottom - y))
        inverse = self._transform.inverse()
        planes = self._warped(box, inverse)
        coverage = _coverage(box, inverse, self._source.size)
        if coverage is not None:
            planes *= coverage
        return planes

    def _warped(self, box: Rect, inverse: Affine) -> Float:
        """The source continued beyond its border, so that coverage alone makes the edge."""
        size = self._source.size
        region = _around(box, inverse).intersect(Rect.of_size(size))
        if region.is_empty:
            x, y = inverse.apply((box.left + box.right) / 2, (box.top + box.bottom) / 2)
            left = min(max(int(x), 0), size.width - 1)
            top = min(max(int(y), 0), size.height - 1)
            region = Rect(left, top, left + 1, top + 1)
        # OpenCV counts from pixel centres, an Affine from pixel corners.
        to_region = (
            Affine.translation(-0.5 - region.left, -0.5 - region.top)
            .after(inverse)
            .after(Affine.translation(0.5 + box.left, 0.5 + box.top))
        )
        pixels = self._source.pixels(region)
        if not (pixels if pixels.ndim == 2 else pixels[..., -1]).any():
            return np.zeros((*pixels.shape[2:], box.height, box.width), np.float32)
        warped = cv2.warpAffine(
            pixels,
            to_region.matrix(),
            (box.width, box.height),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return _without_overshoot(_split(warped))


def _around(box: Rect, inverse: Affine) -> Rect:
    """The source pixels that a box needs."""
    shifted = inverse.after(Affine.translation(box.left, box.top))
    return shifted.bounds(Size(max(1, box.width), max(1, box.height))).grown(_REACH)


def _interleaved(planes: Float) -> Float:
    return cv2.merge(list(planes)) if len(planes) > 1 else planes[0]  # pyright: ignore[reportReturnType]


def _without_overshoot(planes: Float) -> Float:
    """Cubic weights swing over at hard edges: bring alpha into [0, 1] and keep the colour."""
    alpha = planes[-1]
    if len(planes) > 1:
        planes[:-1] /= np.maximum(alpha, 1.0)
    np.clip(alpha, 0.0, 1.0, out=alpha)
    if len(planes) > 1:
        np.clip(planes[:-1], 0.0, alpha, out=planes[:-1])
    return planes


def _coverage(box: Rect, inverse: Affine, size: Size) -> Float | None:
    """How much of each pixel of the box lies inside the picture, (h, w); None for all of it."""
    xs = np.arange(box.left, box.right, dtype=np.float64) + 0.5
    ys = (np.arange(box.top, box.bottom, dtype=np.float64) + 0.5)[:, np.newaxis]
    rows = (
        (inverse.a, inverse.b, inverse.c, size.width),
        (inverse.d, inverse.e, inverse.f, size.height),
    )
    across, down = (_covered(xs, ys, *row) for row in rows)
    if across is None or down is None:
        return down if across is None else across
    return across * down


def _covered(
    xs: npt.NDArray[np.float64],
    ys: npt.NDArray[np.float64],
    a: float,
    b: float,
    c: float,
    length: int,
) -> Float | None:
    """The share of each pixel's footprint u +- step / 2 inside [0, length], u = a x + b y + c."""
    half = math.hypot(a, b) / 2
    ends = [a * x + b * y + c for x in (xs[0], xs[-1]) for y in (ys[0, 0], ys[-1, 0])]
    if min(ends) >= half and max(ends) <= length - half:
        return None
    u = a * xs + (b * ys + c)
    share = np.minimum(u + half, length) - np.maximum(u - half, 0.0)
    return np.clip(share / (2 * half), 0.0, 1.0).astype(np.float32)


def _grid_shift(transform: Affine, size: Size) -> tuple[int, int] | None:
    """The whole-pixel shift that the map is; None if pixels have to be resampled."""
    x, y = round(transform.c), round(transform.f)
    moved = zip(transform.corners(size), Affine.translation(x, y).corners(size), strict=True)
    off = max(max(abs(p[0] - q[0]), abs(p[1] - q[1])) for p, q in moved)
    return (x, y) if off < _ON_GRID_PX else None


def _reduced(source: Source, transform: Affine, *, keep: bool) -> tuple[Source, Affine]:
    """A smaller source where the map shrinks it, by area average, and the rest of the map."""
    width, height = source.size.width, source.size.height
    small = Size(
        _reduced_length(width, math.hypot(transform.a, transform.d)),
        _reduced_length(height, math.hypot(transform.b, transform.e)),
    )
    if small == source.size:
        return source, transform
    pixels = _REDUCED.get((source.key(), small), lambda: _area_average(source, small), keep=keep)
    rest = transform.after(Affine.scaling(width / small.width, height / small.height))
    return Source(small, lambda rect: _split(pixels[rect.slices]), source.key, pixels), rest


def _area_average(source: Source, small: Size) -> Float:
    """(h, w, C) or (h, w), each pixel the mean of the source pixels under it.

    Rows are shortened in bands that stay in the processor's cache, columns afterwards: the same
    sums in the same order. OpenCV adds up whole-number reductions in another order, so those are
    made at once.
    """
    size, whole = source.size, Rect.of_size(source.size)
    if size.width % small.width == 0 or size.height % small.height == 0:
        return _resized(_interleaved(source.read(whole)), small)
    narrow: Float | None = None
    for band in whole.tiles(Size(size.width, _BAND_ROWS)):
        part = _resized(_interleaved(source.read(band)), Size(small.width, band.height))
        if narrow is None:
            narrow = np.empty((size.height, *part.shape[1:]), np.float32)
        narrow[band.top : band.bottom] = part
    assert narrow is not None
    return _resized(narrow, small)


def _resized(pixels: Float, size: Size) -> Float:
    resized = cv2.resize(pixels, (size.width, size.height), interpolation=cv2.INTER_AREA)
    return cast(Float, resized)


def _reduced_length(length: int, scale: float) -> int:
    return min(length, max(1, math.ceil(length * scale - 1e-6)))
