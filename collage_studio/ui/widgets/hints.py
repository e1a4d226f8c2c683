"""The two hints of the first start: a callout at Harmonise and a line on the canvas."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from collage_studio.ui.style import tokens
from collage_studio.ui.widgets.basics import Button, Label, on_click, tool_button
from collage_studio.ui.widgets.popover import SHADOW, paint_card

_TIP = 8


class Callout(QWidget):
    """A card with a tip that points at a button below it."""

    def __init__(
        self,
        window: QWidget,
        target: QWidget,
        title: str,
        words: str,
        quiet: str,
        closed: Callable[[], object],
    ) -> None:
        super().__init__(window)
        self._target = target
        self.setAccessibleName(f"{title}. {words}")
        self.setFixedWidth(312 + 2 * SHADOW)
        whole = QVBoxLayout(self)
        edge = SHADOW + 16
        whole.setContentsMargins(edge, SHADOW + 10, SHADOW + 10, SHADOW + 14 + _TIP)
        whole.setSpacing(6)
        head = QHBoxLayout()
        head.addWidget(Label(title, "callout"))
        head.addStretch(1)
        cross = tool_button("close", "Close: Puts this hint away for good.", size=24)
        on_click(cross, closed)
        head.addWidget(cross)
        whole.addLayout(head)
        for text, role in ((words, ""), (quiet, "second")):
            label = Label(text, role)
            label.setWordWrap(True)
            whole.addWidget(label)
        window.installEventFilter(self)
        target.installEventFilter(self)

    def dismiss(self) -> None:
        """Go away for good."""
        window = self.parentWidget()
        for watched in (window, self._target):
            if watched is not None:
                watched.removeEventFilter(self)
        self.hide()
        self.deleteLater()

    def place(self) -> None:
        """Stand above the target, the tip over its middle."""
        window = self.parentWidget()
        if window is None or not self._target.isVisible():
            self.hide()
            return
        self.adjustSize()
        corner = self._target.mapTo(window, QPoint(0, 0))
        left = corner.x() + self._target.width() - self.width() + SHADOW
        self.move(left, corner.y() - self.height() + SHADOW - 2)
        self.show()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        moved = {QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show, QEvent.Type.Hide}
        if event.type() in moved:
            self.place()
            # What holds the target may still be laid out anew.
            QTimer.singleShot(0, self, self._place_again)
        return False

    def _place_again(self) -> None:
        if self.isVisible():
            self.place()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect()).adjusted(SHADOW, SHADOW, -SHADOW, -SHADOW - _TIP)
        paint_card(painter, box, edge="accent")
        theme = tokens.current()
        middle = box.right() - self._target.width() / 2
        foot = box.bottom() - 1
        tip = QPolygonF(
            [QPointF(middle - 9, foot), QPointF(middle, foot + _TIP), QPointF(middle + 9, foot)]
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("popover"))
        painter.drawPolygon(tip)
        painter.setPen(QPen(theme.color("accent"), 1))
        painter.drawPolyline(tip)
        painter.end()


class SampleLine(QWidget):
    """ "This is a sample..." at the bottom left of the canvas."""

    def __init__(
        self, canvas: QWidget, start_empty: Callable[[], object], closed: Callable[[], object]
    ) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 6, 4)
        row.setSpacing(2)
        row.addWidget(Label("This is a sample. Drop your own pictures anywhere, or"))
        link = Button("start an empty document", kind="link")
        on_click(link, start_empty)
        row.addWidget(link)
        cross = tool_button("close", "Close: Puts this hint away for good.", size=24)
        on_click(cross, closed)
        row.addWidget(cross)
        canvas.installEventFilter(self)
        self.place()

    def dismiss(self) -> None:
        """Go away for good."""
        self._canvas.removeEventFilter(self)
        self.hide()
        self.deleteLater()

    def place(self) -> None:
        """Keep to the corner."""
        self.adjustSize()
        self.move(12, self._canvas.height() - self.height() - 12)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Resize:
            self.place()
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = tokens.current()
        painter.setBrush(theme.color("popover"))
        painter.setPen(QPen(theme.color("control"), 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.end()
