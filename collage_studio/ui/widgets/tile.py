"""One picture in the variations strip, with its number, seed and state."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QMimeData, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QContextMenuEvent,
    QDrag,
    QEnterEvent,
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QWidget

from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.value_bar import KEYBOARD_REASONS

PICTURE = QSize(108, 72)


@dataclass(frozen=True, slots=True)
class TileLook:
    """What a tile shows.

    Args:
        key: what it stands for: "collage", "accepted", a variation's id, "job:seed", "more".
        title: bold, left below; note: quiet, right below.
        state: "ready", "waiting", "running", "failed" or "more".
        progress: [0, 1] of a running one.
    """

    key: str
    title: str = ""
    note: str = ""
    state: str = "ready"
    progress: float = 0.0
    shown: bool = False
    accepted: bool = False


class Tile(QWidget):
    """Click shows it; Return accepts, Delete drops; dragging it out gives its picture."""

    pressed = Signal(str)
    accepted = Signal(str)
    dropped = Signal(str)
    menu_requested = Signal(str, QPointF)
    drag_requested = Signal(str)

    def __init__(self, look: TileLook, picture: QPixmap | None = None) -> None:
        super().__init__()
        self._look, self._picture = look, None
        self._ring = self._hot = False
        self._start: QPointF | None = None
        self.setFixedSize(PICTURE.width() + 8, PICTURE.height() + 24)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._say()
        self.show_look(look, picture)

    @property
    def look(self) -> TileLook:
        return self._look

    def show_look(self, look: TileLook, picture: QPixmap | None) -> None:
        """Show another state or picture."""
        if look == self._look and _is_same(picture, self._picture):
            return
        self._look, self._picture = look, picture
        self._say()
        self.update()

    def _say(self) -> None:
        look = self._look
        spoken = [look.title, look.note, look.state if look.state != "ready" else ""]
        self.setAccessibleName(", ".join(word for word in spoken if word))

    def start_drag(self, mime: QMimeData) -> None:
        """Begin a drag that carries `mime`, with the picture under the pointer."""
        drag = QDrag(self)
        drag.setMimeData(mime)
        if self._picture is not None:
            drag.setPixmap(self._picture)
        drag.exec(Qt.DropAction.CopyAction)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._start = event.position()
            self.pressed.emit(self._look.key)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        start = self._start
        if start is not None and (event.position() - start).manhattanLength() > 12:
            self._start = None
            self.drag_requested.emit(self._look.key)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._start = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.accepted.emit(self._look.key)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_requested.emit(self._look.key, QPointF(event.globalPos()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self.accepted.emit(self._look.key)
            case Qt.Key.Key_Space:
                self.pressed.emit(self._look.key)
            case Qt.Key.Key_Delete | Qt.Key.Key_Backspace:
                self.dropped.emit(self._look.key)
            case Qt.Key.Key_Right | Qt.Key.Key_Left:
                forward = event.key() == Qt.Key.Key_Right
                self.focusNextPrevChild(forward)
            case _:
                super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEYBOARD_REASONS
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._ring = False
        self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hot = True
        self.update()

    def leaveEvent(self, event: object) -> None:
        self._hot = False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(4, 4, PICTURE.width(), PICTURE.height())
        self._paint_picture(painter, box)
        self._paint_marks(painter, box)
        if self._look.state != "more":
            self._paint_line(painter)
        painter.end()

    def _paint_picture(self, painter: QPainter, box: QRectF) -> None:
        theme = tokens.current()
        if self._picture is not None:
            # As a brush: a round clip makes the painter mix pixel by pixel.
            painter.save()
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QBrush(self._picture))
            painter.setBrushOrigin(box.topLeft())
            painter.drawRoundedRect(box, 4, 4)
            painter.restore()
            return
        dashed = self._look.state == "more"
        failed = self._look.state == "failed"
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        edge = "danger" if failed else ("edge" if dashed else "control")
        painter.setPen(QPen(theme.color(edge), 1, style))
        painter.setBrush(theme.color("hover" if self._hot and dashed else "raised"))
        if dashed and not self._hot:
            painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        self._paint_inner_words(painter, box)

    def _paint_inner_words(self, painter: QPainter, box: QRectF) -> None:
        theme = tokens.current()
        icons = {"more": ("plus", "t1"), "failed": ("warning", "danger")}
        words = {"more": "More seeds", "failed": "Retry", "waiting": "waiting"}
        name, token = icons.get(self._look.state, ("", "t2"))
        centre = box.center()
        if name:
            paint_icon(painter, name, QRectF(centre.x() - 9, centre.y() - 19, 18, 18), token)
        painter.setFont(font(12, 500 if name else 400))
        painter.setPen(theme.color("t1" if self._look.state == "more" else token))
        text_box = box.adjusted(0, 24, 0, 0) if name else box
        word = words.get(self._look.state, "starting")
        painter.drawText(text_box, Qt.AlignmentFlag.AlignCenter, word)

    def _paint_marks(self, painter: QPainter, box: QRectF) -> None:
        theme = tokens.current()
        if self._look.state == "running":
            track = QRectF(box.left() + 8, box.bottom() - 10, box.width() - 16, 4)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("line_strong", 0.7))
            painter.drawRoundedRect(track, 2, 2)
            track.setWidth(track.width() * min(max(self._look.progress, 0.0), 1.0))
            painter.setBrush(theme.color("on_picture"))
            painter.drawRoundedRect(track, 2, 2)
        if self._look.accepted:
            mark = QRectF(box.right() - 22, box.top() + 5, 17, 17)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("accent"))
            painter.drawEllipse(mark)
            paint_icon(painter, "check", mark.adjusted(2.5, 2.5, -2.5, -2.5), "on_accent")
        token = "focus" if self._ring else ("accent" if self._look.shown else "")
        if token or (self._hot and self._look.state == "ready"):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.color(token or "edge"), 2 if token else 1))
            painter.drawRoundedRect(box.adjusted(-2, -2, 2, 2), 6, 6)

    def _paint_line(self, painter: QPainter) -> None:
        theme = tokens.current()
        left, top = 4, PICTURE.height() + 7
        width = PICTURE.width()
        painter.setFont(font(11, 600))
        waiting = self._look.state == "waiting"
        painter.setPen(theme.color("t2" if waiting else "t1"))
        painter.drawText(left, top, width, 16, Qt.AlignmentFlag.AlignVCenter, self._look.title)
        painter.setFont(font(11))
        painter.setPen(theme.color("t2"))
        taken = QFontMetrics(font(11, 600)).horizontalAdvance(self._look.title) + 6
        note = painter.fontMetrics().elidedText(
            self._look.note, Qt.TextElideMode.ElideRight, width - taken
        )
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(left, top, width, 16, right, note)


def _is_same(one: QPixmap | None, other: QPixmap | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.cacheKey() == other.cacheKey()
