"""Two versions of the canvas at once: wipe, side by side or blink."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from collage_studio.document.model import Document, Raster, Variation
from collage_studio.ui.canvas import overlays

KNOB_PX = 30
STEP = 0.02


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its name and its picture; None = the layers themselves."""

    name: str
    picture: Raster | None = None


def default_sides(document: Document, shown: Variation | None) -> tuple[Side, Side]:
    """What is most worth comparing: before and after the last step."""
    collage = Side("Collage")
    accepted = Side("Accepted", document.accepted.picture) if document.accepted else None
    if shown is not None and (document.accepted is None or shown.id != document.accepted.id):
        word = "Re-roll" if shown.recipe.layer_ids else "Variation"
        run = [v.id for v in document.variations if v.run == shown.run]
        number = f" {run.index(shown.id) + 1}" if shown.id in run else ""
        return accepted or collage, Side(word + number, shown.picture)
    return (collage, accepted) if accepted else (collage, collage)


def line_x(picture: QRectF, share: float) -> float:
    """Where the wipe stands, logical px."""
    return picture.left() + picture.width() * share


def share_at(picture: QRectF, x: float) -> float:
    """The wipe's place in [0, 1] for a pointer position."""
    return min(max((x - picture.left()) / max(picture.width(), 1.0), 0.0), 1.0)


def is_on_line(picture: QRectF, share: float, pointer: QPointF) -> bool:
    """The pointer can take hold of the wipe."""
    near = abs(pointer.x() - line_x(picture, share)) <= KNOB_PX / 2
    return near and picture.top() <= pointer.y() <= picture.bottom()


def knob_box(picture: QRectF, share: float, room: QRectF) -> QRectF:
    """Where the wipe's knob lies."""
    at = QPointF(line_x(picture, share), picture.intersected(room).center().y())
    return QRectF(at.x() - KNOB_PX / 2, at.y() - KNOB_PX / 2, KNOB_PX, KNOB_PX)


def paint_wipe(
    painter: QPainter, picture: QRectF, share: float, names: tuple[str, str], room: QRectF
) -> None:
    """The line, its knob and the names on both sides."""
    x = line_x(picture, share)
    seen = picture.intersected(room)
    painter.setPen(QPen(QColor(0, 0, 0, 90), 4))
    painter.drawLine(QPointF(x, seen.top()), QPointF(x, seen.bottom()))
    painter.setPen(QPen(QColor("white"), 2))
    painter.drawLine(QPointF(x, seen.top()), QPointF(x, seen.bottom()))
    top = seen.top() + 12
    overlays.badge(painter, x - 10, top, names[0], from_right=True)
    overlays.badge(painter, x + 10, top, names[1])
    _paint_knob(painter, knob_box(picture, share, room).center())


def _paint_knob(painter: QPainter, centre: QPointF) -> None:
    painter.setPen(QPen(QColor(0, 0, 0, 70), 1))
    painter.setBrush(QColor("white"))
    painter.drawEllipse(centre, KNOB_PX / 2, KNOB_PX / 2)
    pen = QPen(QColor("#303030"), 1.5)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    for side in (-1, 1):
        tip = centre + QPointF(side * 8, 0)
        painter.drawPolyline([tip + QPointF(-side * 4, -4), tip, tip + QPointF(-side * 4, 4)])


def paint_names(painter: QPainter, pictures: tuple[QRectF, QRectF], names: tuple[str, str]) -> None:
    """The names of two pictures that stand side by side."""
    for picture, name in zip(pictures, names, strict=True):
        overlays.badge(painter, picture.left() + 12, picture.top() + 12, name)
