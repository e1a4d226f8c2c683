"""Small pictures of layers and of whole documents, kept while they are in use."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPixmap

from collage_studio.document.model import Layer, LayerKind, Raster
from collage_studio.ui.style import tokens

_LIMIT = 600


class _Recent:
    """The last thumbnails made; each entry holds its pixels, so that an id is never reused."""

    def __init__(self) -> None:
        self._items: OrderedDict[tuple[Any, ...], tuple[Any, QPixmap]] = OrderedDict()

    def get(self, key: tuple[Any, ...]) -> QPixmap | None:
        found = self._items.get(key)
        if found is None:
            return None
        self._items.move_to_end(key)
        return found[1]

    def put(self, key: tuple[Any, ...], owner: Any, made: QPixmap) -> QPixmap:
        self._items[key] = (owner, made)
        while len(self._items) > _LIMIT:
            self._items.popitem(last=False)
        return made


_recent = _Recent()


def image_of(pixels: npt.NDArray[np.uint8]) -> QImage:
    """(H, W, 3 or 4) uint8 straight sRGB as a QImage of its own."""
    pixels = np.ascontiguousarray(pixels)
    height, width, depth = pixels.shape
    kind = QImage.Format.Format_RGBA8888 if depth == 4 else QImage.Format.Format_RGB888
    return QImage(pixels.data, width, height, width * depth, kind).copy()


def eight_bit(raster: Raster) -> npt.NDArray[np.uint8]:
    """(H, W, 4) uint8 of a raster of any depth."""
    pixels = raster.pixels
    return pixels.astype(np.uint8, copy=False) if raster.depth == 8 else _high_bytes(pixels)


def _high_bytes(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return (pixels >> 8).astype(np.uint8)


def layer_thumb(layer: Layer, side: int, ratio: float) -> QPixmap:
    """Thumbnail of `layer`, `side` logical px square at device pixel ratio `ratio`."""
    shown = _picture_in(layer)
    theme = tokens.current().name
    key = (id(shown.raster), id(shown.mask), shown.fill, side, ratio, theme, shown.kind)
    known = _recent.get(key)
    if known is not None:
        return known
    return _recent.put(key, (shown.raster, shown.mask), _drawn(shown, side, ratio))


def _picture_in(layer: Layer) -> Layer:
    """The layer itself, or of a group its topmost picture."""
    if not layer.is_group:
        return layer
    leaves = [child for child in layer.walk() if not child.is_group]
    return leaves[-1] if leaves else layer


def _drawn(layer: Layer, side: int, ratio: float) -> QPixmap:
    made = QPixmap(round(side * ratio), round(side * ratio))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    box = QRectF(0, 0, side, side)
    clip = QPainterPath()
    clip.addRoundedRect(box, 2, 2)
    painter.setClipPath(clip)
    if layer.raster is None:
        painter.fillRect(box, QColor(*layer.fill) if not layer.is_group else Qt.GlobalColor.gray)
    else:
        paint_checks(painter, box)
        _paint_raster(painter, layer, side, ratio)
    painter.end()
    return made


def paint_checks(painter: QPainter, box: QRectF, size: int = 6) -> None:
    """Fill `box` with the pattern that stands for transparency."""
    dark = tokens.current().name == "dark"
    first, second = ("#4A4A4A", "#3A3A3A") if dark else ("#FFFFFF", "#DDDDDD")
    painter.fillRect(box, QColor(first))
    for row in range(int(box.height() / size) + 1):
        for column in range(row % 2, int(box.width() / size) + 1, 2):
            cell = QRectF(box.left() + column * size, box.top() + row * size, size, size)
            painter.fillRect(cell.intersected(box), QColor(second))


def _paint_raster(painter: QPainter, layer: Layer, side: int, ratio: float) -> None:
    assert layer.raster is not None
    pixels = eight_bit(layer.raster)
    stride = max(1, max(pixels.shape[:2]) // (side * 4))
    small = pixels[::stride, ::stride].copy()
    if layer.kind is LayerKind.LAYOUT:
        small[:] = layer.fill
    if layer.mask is not None and layer.mask_enabled:
        masked = small[..., 3].astype(np.uint16) * layer.mask.values[::stride, ::stride]
        small[..., 3] = (masked // 255).astype(np.uint8)
    image = image_of(_cropped(small))
    whole = round(side * ratio)
    fitted = image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied).scaled(
        QSize(whole, whole),
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    fitted.setDevicePixelRatio(ratio)
    size = fitted.deviceIndependentSize()
    painter.drawImage(
        QRectF((side - size.width()) / 2, (side - size.height()) / 2, size.width(), size.height()),
        fitted,
    )


def _cropped(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Without transparent margins; everything if nothing is visible."""
    rows = np.flatnonzero(pixels[..., 3].max(axis=1) > 8)
    columns = np.flatnonzero(pixels[..., 3].max(axis=0) > 8)
    if not rows.size or not columns.size:
        return pixels
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def picture_thumb(
    pixels: npt.NDArray[np.uint8],
    owner: object,
    size: QSize,
    ratio: float,
    part: QRect | None = None,
) -> QPixmap:
    """`pixels` (H, W, 3 or 4), or `part` of them, filling `size` logical px, cropped to fit.

    `owner` is the immutable value the pixels belong to: the cache's key.
    """
    key = (id(owner), size.width(), size.height(), ratio, part.getRect() if part else None)
    known = _recent.get(key)
    if known is not None:
        return known
    if part is not None:
        box = part.intersected(QRect(0, 0, pixels.shape[1], pixels.shape[0]))
        pixels = pixels[box.top() : box.bottom() + 1, box.left() : box.right() + 1]
    return _recent.put(key, owner, fresh_thumb(pixels, size, ratio))


def _filling(image: QImage, size: QSize, ratio: float) -> QPixmap:
    whole = QSize(round(size.width() * ratio), round(size.height() * ratio))
    fitted = image.scaled(
        whole,
        Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )
    left, top = (fitted.width() - whole.width()) // 2, (fitted.height() - whole.height()) // 2
    made = QPixmap.fromImage(fitted.copy(QRect(left, top, whole.width(), whole.height())))
    made.setDevicePixelRatio(ratio)
    return made


def fresh_thumb(pixels: npt.NDArray[np.uint8], size: QSize, ratio: float) -> QPixmap:
    """Like `picture_thumb`, of a passing picture nobody keeps."""
    return _filling(image_of(_shrunk(pixels, size, ratio)), size, ratio)


def _shrunk(pixels: npt.NDArray[np.uint8], size: QSize, ratio: float) -> npt.NDArray[np.uint8]:
    """Large pictures by a whole factor, which is quick, to no less than twice the size needed."""
    height, width = pixels.shape[:2]
    factor = int(min(width / size.width(), height / size.height()) / (2 * ratio))
    if factor < 2:
        return pixels
    across, down = width // factor, height // factor
    whole = np.ascontiguousarray(pixels[: down * factor, : across * factor])
    shrunk = cv2.resize(whole, (across, down), interpolation=cv2.INTER_AREA)
    return shrunk.astype(np.uint8, copy=False)
