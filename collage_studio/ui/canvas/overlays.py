"""What is drawn over the picture: outlines, handles, guides, pills and the drop frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen

from collage_studio.ui.canvas.frame import Frame, Point
from collage_studio.ui.canvas.gestures import knob_of, usable_handles
from collage_studio.ui.canvas.snapping import Guide
from collage_studio.ui.canvas.viewport import Viewport
from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon

DARK_PILL = QColor(22, 22, 22, 224)
ON_DARK = QColor("#F2F2F2")
_HALO = QColor(0, 0, 0, 102)


def outline(
    painter: QPainter, view: Viewport, corners: Sequence[Point], *, width: float = 1.5,
    dashed: bool = False,
) -> None:  # fmt: skip
    """A closed accent line over a black halo, through canvas points."""
    points = [view.to_widget(*corner) for corner in corners]
    if _is_upright(points):
        points = [_crisp(point) for point in points]
    # Single lines: a stroked polygon as large as the picture takes many times as long.
    sides = list(zip(points, [*points[1:], points[0]], strict=True))
    painter.setPen(_square_ended(_HALO, width * 2))
    for start, end in sides:
        painter.drawLine(start, end)
    pen = _square_ended(tokens.current().color("on_picture"), width)
    if dashed:
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        pen.setDashPattern([4, 3])
    painter.setPen(pen)
    for start, end in sides:
        painter.drawLine(start, end)


def _is_upright(points: Sequence[QPointF]) -> bool:
    return abs(points[0].y() - points[1].y()) < 0.5 and abs(points[1].x() - points[2].x()) < 0.5


def _square_ended(color: QColor, width: float) -> QPen:
    pen = QPen(color, width)
    pen.setCapStyle(Qt.PenCapStyle.SquareCap)
    return pen


def selection(painter: QPainter, view: Viewport, frame: Frame, *, handles: bool) -> None:
    """The frame with its handles and knob; dashed and bare where it cannot be moved."""
    outline(painter, view, frame.corners, dashed=not handles)
    if not handles:
        return
    scale = view.logical_scale
    knob = view.to_widget(*knob_of(frame, scale))
    top = view.to_widget(*frame.at(0.5, 0.0))
    accent = tokens.current().color("on_picture")
    painter.setPen(QPen(_HALO, 3))
    painter.drawLine(top, knob)
    painter.setPen(QPen(accent, 1.5))
    painter.drawLine(top, knob)
    for place in usable_handles(frame, scale):
        at = view.to_widget(*frame.at(*place))
        handle(painter, at)
    painter.setPen(QPen(_HALO, 1))
    painter.setBrush(QColor("white"))
    painter.drawEllipse(knob, 5.5, 5.5)
    painter.setPen(QPen(accent, 1.5))
    painter.drawEllipse(knob, 4.5, 4.5)


def handle(painter: QPainter, at: QPointF) -> None:
    """What an edge or a corner is pulled at."""
    accent = tokens.current().color("on_picture")
    painter.setPen(QPen(_HALO, 1))
    painter.setBrush(QColor("white"))
    painter.drawRoundedRect(QRectF(at.x() - 4.5, at.y() - 4.5, 9, 9), 2, 2)
    painter.setPen(QPen(accent, 1.25))
    painter.drawRoundedRect(QRectF(at.x() - 3.5, at.y() - 3.5, 7, 7), 1.5, 1.5)


def guides(painter: QPainter, view: Viewport, lines: Iterable[Guide]) -> None:
    """Magenta lines on device pixels; measured ones with end marks and a pill."""
    theme = tokens.current()
    painter.setPen(QPen(theme.color("guide"), 1))
    measured: list[tuple[Guide, QPointF, QPointF]] = []
    for line in lines:
        start = _crisp(view.to_widget(line.x1, line.y1))
        end = _crisp(view.to_widget(line.x2, line.y2))
        painter.drawLine(start, end)
        if line.label:
            measured.append((line, start, end))
            across = QPointF(0, 4) if line.y1 == line.y2 else QPointF(4, 0)
            painter.drawLine(start - across, start + across)
            painter.drawLine(end - across, end + across)
    for line, start, end in measured:
        pill(painter, (start + end) / 2, line.label, theme.color("guide_pill"), QColor("white"))


def pill(painter: QPainter, centre: QPointF, text: str, ground: QColor, ink: QColor) -> None:
    """A small rounded label around a point."""
    face = font(11, 600)
    width = QFontMetrics(face).horizontalAdvance(text) + 16
    box = QRectF(round(centre.x() - width / 2), round(centre.y() - 10), width, 20)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ground)
    painter.drawRoundedRect(box, 4, 4)
    painter.setFont(face)
    painter.setPen(ink)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def pointer_note(
    painter: QPainter, pointer: QPointF, text: str, room: QRectF, *, clear: float = 0.0
) -> None:
    """A dark label right below the pointer, kept inside `room`.

    Args:
        clear: radius in px of a ring around the pointer; the label lies centred below it, or above
            it where there is no room.
    """
    face = font(12, 600)
    width = QFontMetrics(face).horizontalAdvance(text) + 24
    left, top = pointer.x() + 14, pointer.y() + 16
    if clear > 0:
        left, top = pointer.x() - width / 2, pointer.y() + clear + 10
        if top > room.bottom() - 28 and pointer.y() - clear - 34 >= room.top():
            top = pointer.y() - clear - 34
    left = min(max(left, room.left() + 4), room.right() - width - 4)
    top = min(top, room.bottom() - 28)
    box = QRectF(round(left), round(top), width, 24)
    _dark(painter, box)
    painter.setFont(face)
    painter.setPen(ON_DARK)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def badge(
    painter: QPainter,
    left: float,
    top: float,
    text: str,
    *,
    icon: str = "",
    from_right: bool = False,
) -> QRectF:
    """A dark label 28 px high at (left, top), or ending there; tells where it lies."""
    face = font(12, 600)
    width = QFontMetrics(face).horizontalAdvance(text) + 20 + (22 if icon else 0)
    box = QRectF(round(left - width if from_right else left), round(top), width, 28)
    _dark(painter, box)
    inner = box.adjusted(10, 0, -10, 0)
    if icon:
        paint_icon(painter, icon, QRectF(inner.left() - 2, box.top() + 6, 16, 16), "on_picture")
        inner.adjust(20, 0, 0, 0)
    painter.setFont(face)
    painter.setPen(ON_DARK)
    painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
    return box


def _dark(painter: QPainter, box: QRectF) -> None:
    painter.setPen(QPen(QColor(255, 255, 255, 30), 1))
    painter.setBrush(DARK_PILL)
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)


def drop_frame(painter: QPainter, box: QRectF, text: str) -> None:
    """The dashed frame while pictures are dragged over the canvas."""
    theme = tokens.current()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.color("on_picture", 0.12))
    painter.drawRoundedRect(box, 6, 6)
    pen = QPen(theme.color("on_picture"), 2)
    pen.setDashPattern([4, 3])
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 6, 6)
    face = font(13, 600)
    width = QFontMetrics(face).horizontalAdvance(text)
    spot = QRectF(box.center().x() - width / 2 - 16, box.center().y() - 18, width + 32, 36)
    _dark(painter, spot)
    painter.setFont(face)
    painter.setPen(ON_DARK)
    painter.drawText(spot, Qt.AlignmentFlag.AlignCenter, text)


def marquee(painter: QPainter, box: QRectF) -> None:
    """The rubber band while several layers are being caught."""
    theme = tokens.current()
    painter.setPen(QPen(theme.color("on_picture"), 1))
    painter.setBrush(theme.color("on_picture", 0.14))
    painter.drawRect(box)


def progress_line(painter: QPainter, picture: QRectF, share: float) -> None:
    """3 px along the picture's top edge."""
    theme = tokens.current()
    groove = QRectF(picture.left(), picture.top() - 5, picture.width(), 3)
    painter.fillRect(groove, theme.color("control"))
    groove.setWidth(groove.width() * min(max(share, 0.0), 1.0))
    painter.fillRect(groove, theme.color("accent"))


def _crisp(point: QPointF) -> QPointF:
    return QPointF(round(point.x() - 0.5) + 0.5, round(point.y() - 0.5) + 0.5)
