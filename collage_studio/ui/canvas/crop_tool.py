"""The tool that gives the canvas another frame: drawn, moved, pulled at eight handles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QRegion

from collage_studio.document.geometry import Rect, Size
from collage_studio.ui.canvas import overlays
from collage_studio.ui.canvas.snapping import REACH_PX, Box, pull
from collage_studio.ui.canvas.viewport import Viewport

GRIP_PX = 12
"""How near to a handle or an edge the pointer takes hold of it, logical px."""
SHADE = QColor(0, 0, 0, 150)
THIRDS = QColor(255, 255, 255, 90)

Sides = tuple[int, int]
"""Which edges are pulled, across and down: -1 the first, 0 none, 1 the second."""

_SHAPES = {
    (0, -1): Qt.CursorShape.SizeVerCursor, (0, 1): Qt.CursorShape.SizeVerCursor,
    (-1, 0): Qt.CursorShape.SizeHorCursor, (1, 0): Qt.CursorShape.SizeHorCursor,
    (-1, -1): Qt.CursorShape.SizeFDiagCursor, (1, 1): Qt.CursorShape.SizeFDiagCursor,
    (-1, 1): Qt.CursorShape.SizeBDiagCursor, (1, -1): Qt.CursorShape.SizeBDiagCursor,
}  # fmt: skip


@dataclass(slots=True)
class _Pull:
    """A gesture in progress: where it began, of which frame, and which edges it pulls."""

    start: tuple[float, float]
    box: Box
    sides: Sides | None


class CropTool:
    """A `HandTool`. Nothing changes before `finish` hands the frame over.

    Args:
        canvas_size: of the document now.
        apply: gets the frame in canvas px.
        changed: called after every change of the frame.
    """

    def __init__(
        self,
        canvas_size: Callable[[], Size],
        viewport: Callable[[], Viewport],
        pointer: Callable[[], QPointF | None],
        apply: Callable[[Rect], None],
        changed: Callable[[], None],
    ) -> None:
        self._size, self._viewport, self._pointer = canvas_size, viewport, pointer
        self._apply, self._changed = apply, changed
        self.ratio: float | None = None
        """Width over height that is kept; None leaves it free."""
        self._box: Box | None = None
        self._pull: _Pull | None = None

    # What the frame is

    @property
    def frame(self) -> Rect:
        """The frame in whole canvas px; the canvas itself until one is drawn."""
        if self._box is None:
            return Rect.of_size(self._size())
        left, top, right, bottom = (round(side) for side in self._box)
        return Rect(left, top, max(right, left + 1), max(bottom, top + 1))

    @property
    def is_changed(self) -> bool:
        """The frame is another than the canvas."""
        return self.frame != Rect.of_size(self._size())

    def box_in(self, view: Viewport) -> QRectF:
        """Where the frame is seen, logical px of the widget."""
        frame = self.frame
        first = view.to_widget(frame.left, frame.top)
        return QRectF(first, view.to_widget(frame.right, frame.bottom))

    def set_frame(self, frame: Rect) -> None:
        """Take a frame that was typed."""
        self._box = (frame.left, frame.top, frame.right, frame.bottom)
        self._changed()

    def set_ratio(self, ratio: float | None) -> None:
        """Keep this width over height from now on, around the middle of the frame."""
        self.ratio = ratio
        if ratio is None:
            return
        frame = self.frame
        width = min(frame.width, frame.height * ratio)
        x, y = (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2
        half = width / 2, width / ratio / 2
        self._box = (x - half[0], y - half[1], x + half[0], y + half[1])
        self._changed()

    def reset(self) -> None:
        """Back to the whole canvas, with no ratio to keep."""
        self._box = self._pull = self.ratio = None
        self._changed()

    # Gestures

    @property
    def is_drawing(self) -> bool:
        """The button is down."""
        return self._pull is not None

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Take hold of an edge, a corner or the frame; elsewhere begin a new one."""
        point, frame = self._viewport().to_canvas(at), self.frame
        box: Box = (frame.left, frame.top, frame.right, frame.bottom)
        sides = self._sides_at(at)
        if sides is None and not (self.is_changed and _is_inside(box, (point.x(), point.y()))):
            box, sides = (point.x(), point.y(), point.x(), point.y()), (1, 1)
        self._pull = _Pull((point.x(), point.y()), box, sides)

    def move(self, at: QPointF) -> None:
        """Pull on."""
        if self._pull is None:
            return
        view, pulled = self._viewport(), self._pull
        point = view.to_canvas(at)
        dx, dy = point.x() - pulled.start[0], point.y() - pulled.start[1]
        if pulled.sides is None:
            left, top, right, bottom = pulled.box
            self._box = (left + dx, top + dy, right + dx, bottom + dy)
        else:
            box = self._snapped(_pulled(pulled.box, pulled.sides, dx, dy), pulled.sides)
            self._box = _in_order(_with_ratio(box, pulled.sides, self.ratio))
        self._changed()

    def release(self, at: QPointF) -> None:
        """Let go; a click alone leaves the frame as it was."""
        pulled, self._pull = self._pull, None
        if pulled is not None and self._box is not None:
            frame = self.frame
            if pulled.box[0] == pulled.box[2] and min(frame.width, frame.height) < 4:
                self._box = None
        self._changed()

    def cancel(self) -> bool:
        """Give the frame up; True if there was another than the canvas."""
        was = self.is_drawing or self.is_changed
        if was:
            self.reset()
        return was

    def finish(self) -> bool:
        """Hand the frame over."""
        if not self.is_changed:
            return False
        self._apply(self.frame)
        return True

    def cursor(self) -> Qt.CursorShape:
        """An arrow along what the pointer would pull."""
        at = self._pointer()
        if at is None:
            return Qt.CursorShape.CrossCursor
        sides = self._pull.sides if self._pull is not None else self._sides_at(at)
        if sides is not None:
            return _SHAPES[sides]
        frame, point = self.frame, self._viewport().to_canvas(at)
        box: Box = (frame.left, frame.top, frame.right, frame.bottom)
        moves = self.is_changed and _is_inside(box, (point.x(), point.y()))
        return Qt.CursorShape.SizeAllCursor if moves else Qt.CursorShape.CrossCursor

    def hint(self) -> str:
        """One line for the status bar."""
        if self.is_changed:
            return "Return takes the frame · Esc gives it up · layers keep all their pixels"
        return "Drag a frame, or pull an edge in or out · layers keep all their pixels"

    # Paint

    def paint(self, painter: QPainter, view: Viewport) -> None:
        """Shade what goes, frame what stays, with its size."""
        frame = self.frame
        box = self.box_in(view)
        if self.is_changed:
            outside = QRegion(painter.viewport()).subtracted(QRegion(box.toAlignedRect()))
            painter.save()
            painter.setClipRegion(outside)
            painter.fillRect(painter.viewport(), SHADE)
            painter.restore()
        corners = [box.topLeft(), box.topRight(), box.bottomRight(), box.bottomLeft()]
        overlays.outline(painter, view, [_canvas_point(view, corner) for corner in corners])
        if self.is_drawing:
            _paint_thirds(painter, box)
        for across in (-1, 0, 1):
            for down in (-1, 0, 1):
                if across or down:
                    overlays.handle(painter, _on(box, (across, down)))
        words = f"{frame.width} × {frame.height}"
        below = min(box.bottom() + 18, painter.viewport().bottom() - 14)
        ground, ink = overlays.DARK_PILL, overlays.ON_DARK
        overlays.pill(painter, QPointF(box.center().x(), below), words, ground, ink)

    def _sides_at(self, at: QPointF) -> Sides | None:
        """Which edges the pointer is on; None where it is on none."""
        box = self.box_in(self._viewport())
        near = box.adjusted(-GRIP_PX, -GRIP_PX, GRIP_PX, GRIP_PX)
        if not near.contains(at):
            return None
        across = _side(at.x(), box.left(), box.right())
        down = _side(at.y(), box.top(), box.bottom())
        return (across, down) if across or down else None

    def _snapped(self, box: Box, sides: Sides) -> Box:
        """Pulled edges jump to the canvas's edges and centres when near."""
        size = self._size()
        whole: Box = (0, 0, size.width, size.height)
        reach = REACH_PX / self._viewport().logical_scale
        result = list(box)
        for axis, side in enumerate(sides):
            if side:
                index = axis if side < 0 else axis + 2
                result[index] += pull(result[index], (), whole, reach, axis) or 0.0
        return result[0], result[1], result[2], result[3]


def _side(at: float, low: float, high: float) -> int:
    if abs(at - high) <= GRIP_PX:
        return 1
    return -1 if abs(at - low) <= GRIP_PX else 0


def _pulled(box: Box, sides: Sides, dx: float, dy: float) -> Box:
    left, top, right, bottom = box
    across, down = sides
    return (
        left + (dx if across < 0 else 0), top + (dy if down < 0 else 0),
        right + (dx if across > 0 else 0), bottom + (dy if down > 0 else 0),
    )  # fmt: skip


def _with_ratio(box: Box, sides: Sides, ratio: float | None) -> Box:
    """The box with `ratio` kept; the edges that were not pulled stay where they are."""
    if ratio is None:
        return box
    left, top, right, bottom = box
    across, down = sides
    width, height = abs(right - left), abs(bottom - top)
    if across and (not down or width >= height * ratio):
        height = width / ratio
    else:
        width = height * ratio
    x = right - width if across < 0 else left if across else (left + right - width) / 2
    y = bottom - height if down < 0 else top if down else (top + bottom - height) / 2
    if across > 0 and right < left:
        x = left - width
    if down > 0 and bottom < top:
        y = top - height
    return x, y, x + width, y + height


def _in_order(box: Box) -> Box:
    """An edge pulled past its opposite one becomes that."""
    left, top, right, bottom = box
    return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


def _is_inside(box: Box, point: tuple[float, float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _canvas_point(view: Viewport, at: QPointF) -> tuple[float, float]:
    point = view.to_canvas(at)
    return point.x(), point.y()


def _on(box: QRectF, sides: Sides) -> QPointF:
    return QPointF(
        box.center().x() + sides[0] * box.width() / 2,
        box.center().y() + sides[1] * box.height() / 2,
    )


def _paint_thirds(painter: QPainter, box: QRectF) -> None:
    painter.setPen(QPen(THIRDS, 1))
    for share in (1 / 3, 2 / 3):
        x, y = box.left() + share * box.width(), box.top() + share * box.height()
        painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()))
        painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
