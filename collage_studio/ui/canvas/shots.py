"""Put finished pictures of the canvas into the widget, pixel for pixel, or scaled until ready."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter

from collage_studio.ui.canvas.bakes import View
from collage_studio.ui.canvas.scene import Shot
from collage_studio.ui.canvas.viewport import Viewport


def view_of_port(viewport: Viewport) -> View:
    """What a renderer makes for this viewport."""
    return View(viewport.scale, viewport.scaled_size, viewport.visible)


def paint_shot(painter: QPainter, shot: Shot, viewport: Viewport, image: QImage) -> None:
    """Draw `image`, which shows what `shot` shows, where it belongs now."""
    box, now = shot.view.visible, viewport.scaled_size
    if box.is_empty:
        return
    across, down = now.width / shot.view.size.width, now.height / shot.view.size.height
    ratio = viewport.ratio
    target = QRectF(
        (viewport.left + box.left * across) / ratio,
        (viewport.top + box.top * down) / ratio,
        box.width * across / ratio,
        box.height * down / ratio,
    )
    painter.drawImage(target, image, QRectF(0, 0, box.width, box.height))


def paint_checkerboard(painter: QPainter, picture: QRectF) -> None:
    """The pattern that stands for nothing, 8 px squares that do not move with the zoom."""
    painter.fillRect(picture, QColor("#FFFFFF"))
    tile = QImage(16, 16, QImage.Format.Format_RGB32)
    tile.fill(QColor("#FFFFFF"))
    for x, y in ((8, 0), (0, 8)):
        for row in range(8):
            for column in range(8):
                tile.setPixel(x + column, y + row, QColor("#DCDCDC").rgb())
    painter.save()
    painter.setBrushOrigin(picture.topLeft())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(tile))
    painter.drawRect(picture)
    painter.restore()


def paint_ground(painter: QPainter, room: QRectF, picture: QRectF, color: QColor) -> None:
    """What surrounds the picture, with a soft edge that lifts it off; the picture is left out."""
    seen = picture.intersected(room)
    if seen.isEmpty():
        painter.fillRect(room, color)
        return
    for strip in _around(room, seen):
        painter.fillRect(strip, color)
    for reach, alpha in ((3.0, 20), (2.0, 30), (1.0, 70)):
        outer = seen.adjusted(-reach, -reach, reach, reach)
        inner = outer.adjusted(1, 1, -1, -1)
        for strip in _around(outer, inner):
            painter.fillRect(strip, QColor(0, 0, 0, alpha))


def _around(outer: QRectF, inner: QRectF) -> tuple[QRectF, ...]:
    """Four strips: `outer` without `inner`."""
    middle_height = inner.height()
    return (
        QRectF(outer.left(), outer.top(), outer.width(), inner.top() - outer.top()),
        QRectF(outer.left(), inner.bottom(), outer.width(), outer.bottom() - inner.bottom()),
        QRectF(outer.left(), inner.top(), inner.left() - outer.left(), middle_height),
        QRectF(inner.right(), inner.top(), outer.right() - inner.right(), middle_height),
    )


def clip_between(picture: QRectF, x: float, *, right: bool) -> QRectF:
    """The part of the picture on one side of the wipe."""
    if right:
        return QRectF(QPointF(x, picture.top() - 8), picture.bottomRight() + QPointF(0, 8))
    return QRectF(picture.topLeft() - QPointF(0, 8), QPointF(x, picture.bottom() + 8))
