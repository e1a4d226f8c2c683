"""Rasters as premultiplied QImages with mip levels, kept within a budget in bytes."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QImage

from collage_studio.document.geometry import Rect
from collage_studio.document.model import Layer, Mask, Raster

Bgra: TypeAlias = "npt.NDArray[np.uint8]"
"""(H, W, 4) uint8, premultiplied, in QImage's ARGB32 byte order."""

FORMAT = QImage.Format.Format_ARGB32_Premultiplied


def blank(width: int, height: int) -> QImage:
    """A transparent picture."""
    image = QImage(max(1, width), max(1, height), FORMAT)
    image.fill(0)
    return image


def view_of(image: QImage) -> Bgra:
    """The pixels of `image`, writeable, sharing its memory; keep the image alive meanwhile."""
    rows = np.frombuffer(cast(Any, image.bits()), np.uint8)
    rows = rows.reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 4].reshape(image.height(), image.width(), 4)


def image_of(pixels: Bgra) -> QImage:
    """A QImage with its own copy of `pixels`."""
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels)
    return QImage(cast(Any, data.data), width, height, width * 4, FORMAT).copy()


def image_of_rgb(picture: npt.NDArray[np.uint8]) -> QImage:
    """From (H, W, 3) or (H, W, 4) uint8 sRGB with straight alpha."""
    if picture.shape[2] == 3:
        opaque = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGRA)
        return image_of(cast(Bgra, opaque))
    return image_of(premultiplied(picture, None))


def premultiplied(pixels: npt.NDArray[Any], mask: npt.NDArray[np.uint8] | None) -> Bgra:
    """Premultiplied 8-bit pixels of a straight (H, W, 4) picture under an optional mask."""
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=255.0 / 65535.0)
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels)
    if mask is not None:
        data = data.copy() if data is pixels else data
        data[..., 3] = cv2.multiply(np.ascontiguousarray(data[..., 3]), mask, scale=1 / 255)
    straight = QImage(cast(Any, data.data), width, height, width * 4, QImage.Format.Format_RGBA8888)
    image = straight.convertToFormat(FORMAT)
    return view_of(image).copy()


@dataclass(frozen=True, slots=True)
class _Key:
    raster: int
    mask: int
    level: int


class Sources:
    """Mip levels of rasters under their masks, made on demand; the least used go first.

    Level n is 2**n times smaller. Shared by everything that paints one document.
    """

    def __init__(self, budget_bytes: int = 768 << 20) -> None:
        self._budget = budget_bytes
        self._held = 0
        self._levels: OrderedDict[_Key, tuple[QImage, Raster, Mask | None]] = OrderedDict()

    def level_for(self, layer: Layer, scale: float) -> int:
        """The smallest level that still has a source pixel per target pixel at `scale`."""
        if layer.raster is None or scale >= 1.0:
            return 0
        size = layer.raster.size
        deepest = max(0, int(math.log2(max(1, min(size.width, size.height)))) - 1)
        return min(deepest, math.floor(math.log2(1.0 / max(scale, 1e-6)) + 1e-6))

    def image(self, layer: Layer, level: int) -> QImage:
        """The layer's own pixels under its mask, `level` times halved."""
        raster, mask = _owners(layer)
        key = _Key(id(raster), id(mask), level)
        if key in self._levels:
            self._levels.move_to_end(key)
            return self._levels[key][0]
        image = self._make(raster, mask, level)
        self._levels[key] = (image, raster, mask)
        self._held += image.sizeInBytes()
        self._prune()
        return image

    def has(self, layer: Layer, level: int) -> bool:
        raster, mask = _owners(layer)
        return _Key(id(raster), id(mask), level) in self._levels

    def patch(self, before: Layer, after: Layer, box: Rect) -> None:
        """Make the pictures of `before` those of `after`, whose mask differs inside `box` alone.

        A brush stroke on a large layer then costs what it touches. `before` is made anew should
        it come back.
        """
        (raster, old), (same, mask) = _owners(before), _owners(after)
        if raster is not same or old is mask:
            return
        for key in [k for k in self._levels if (k.raster, k.mask) == (id(raster), id(old))]:
            image, _, _ = self._levels.pop(key)
            _repaint(image, raster, mask, key.level, box)
            self._levels[_Key(id(raster), id(mask), key.level)] = (image, raster, mask)

    def _make(self, raster: Raster, mask: Mask | None, level: int) -> QImage:
        finer = self._levels.get(_Key(id(raster), id(mask), level - 1))
        if level and finer:
            return image_of(_halved(view_of(finer[0])))
        pixels = premultiplied(raster.pixels, mask.values if mask else None)
        for _ in range(level):
            pixels = _halved(pixels)
        return image_of(pixels)

    def _prune(self) -> None:
        while self._held > self._budget and len(self._levels) > 1:
            _, (image, _, _) = self._levels.popitem(last=False)
            self._held -= image.sizeInBytes()


def _owners(layer: Layer) -> tuple[Raster, Mask | None]:
    if layer.raster is None:
        raise ValueError(f"Layer {layer.name!r} has no pixels of its own.")
    return layer.raster, layer.mask if layer.mask_enabled else None


def _repaint(image: QImage, raster: Raster, mask: Mask | None, level: int, box: Rect) -> None:
    """Redraw what lies in `box` of the source in a picture of this level."""
    step = 1 << level
    aligned = Rect(
        box.left // step * step, box.top // step * step,
        -(-box.right // step) * step, -(-box.bottom // step) * step,
    ).intersect(Rect.of_size(raster.size))  # fmt: skip
    if aligned.is_empty:
        return
    pixels = premultiplied(
        raster.pixels[aligned.slices], mask.values[aligned.slices] if mask else None
    )
    for _ in range(level):
        pixels = _halved(pixels)
    top, left = aligned.top // step, aligned.left // step
    target = view_of(image)[top : top + pixels.shape[0], left : left + pixels.shape[1]]
    target[...] = pixels[: target.shape[0], : target.shape[1]]


def _halved(pixels: Bgra) -> Bgra:
    """Area average over 2 x 2, edge repeated where a side is odd."""
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        bordered = cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        pixels = cast(Bgra, bordered)
    half = (max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2))
    return cast(Bgra, cv2.resize(pixels, half, interpolation=cv2.INTER_AREA))
