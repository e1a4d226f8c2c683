"""Layout layers on the canvas: their shape in a tint, an outline and their words."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPen, QPolygonF, QTransform

from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document, Layer, LayerKind, Mask
from collage_studio.document.tree import nodes
from collage_studio.ui.canvas.frame import Frame
from collage_studio.ui.canvas.sources import image_of
from collage_studio.ui.canvas.viewport import Viewport
from collage_studio.ui.style.fonts import font

_SHARE = 0.28
_LONGEST_PX = 512
_KEPT = 32
_tinted: OrderedDict[tuple[str, tuple[int, int, int, int]], QImage] = OrderedDict()


def paint(painter: QPainter, view: Viewport, document: Document) -> None:
    """Paint every visible layout layer, back to front."""
    for node in nodes(document.layers):
        layer = node.layer
        if layer.kind is LayerKind.LAYOUT and node.is_shown and layer.mask is not None:
            _paint_one(painter, view, layer, layer.mask, node.outer.after(layer.placement))


def _paint_one(painter: QPainter, view: Viewport, layer: Layer, mask: Mask, placed: Affine) -> None:
    frame = Frame(placed, mask.size.width, mask.size.height)
    corners = QPolygonF([view.to_widget(*corner) for corner in frame.corners])
    image = _tint(mask, layer.fill)
    fitted = QTransform()
    source = QPolygonF(
        [
            QPointF(0, 0),
            QPointF(image.width(), 0),
            QPointF(image.width(), image.height()),
            QPointF(0, image.height()),
        ]
    )
    if not QTransform.quadToQuad(source, corners, fitted):
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setTransform(fitted, combine=True)
    painter.drawImage(QPointF(0, 0), image)
    painter.restore()
    _paint_edge(painter, layer, corners)


def _paint_edge(painter: QPainter, layer: Layer, corners: QPolygonF) -> None:
    tint = QColor(*layer.fill)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(0, 0, 0, 110), 3))
    painter.drawPolygon(corners)
    painter.setPen(QPen(tint, 1.5, Qt.PenStyle.DashLine))
    painter.drawPolygon(corners)
    box = corners.boundingRect()
    face = font(12, 600)
    room = max(24.0, box.width() - 12)
    words = QFontMetrics(face).elidedText(
        layer.text.strip() or f"{layer.name}: no text yet",
        Qt.TextElideMode.ElideRight,
        int(room - 16),
    )
    width = QFontMetrics(face).horizontalAdvance(words) + 16
    label = QRectF(box.left() + 6, box.top() + 6, width, 22)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(22, 22, 22, 216))
    painter.drawRoundedRect(label, 4, 4)
    painter.setBrush(tint)
    painter.drawRoundedRect(QRectF(label.left(), label.top(), 4, 22), 2, 2)
    painter.setFont(face)
    painter.setPen(QColor("#F2F2F2"))
    painter.drawText(label, Qt.AlignmentFlag.AlignCenter, words)


def _tint(mask: Mask, fill: tuple[int, int, int, int]) -> QImage:
    """The shape as a see-through picture, at most so many px long."""
    key = (mask.key, fill)
    if key in _tinted:
        _tinted.move_to_end(key)
        return _tinted[key]
    stride = max(1, -(-max(mask.values.shape) // _LONGEST_PX))
    share = mask.values[::stride, ::stride].astype(np.float32) / 255.0 * _SHARE
    red, green, blue, _ = fill
    colour = np.array([blue, green, red, 255], np.float32)
    pixels = np.rint(share[..., None] * colour).astype(np.uint8)
    _tinted[key] = image_of(pixels)
    while len(_tinted) > _KEPT:
        _tinted.popitem(last=False)
    return _tinted[key]
