"""A line that unfolds: closed it shows its name and its values."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.value_bar import KEYBOARD_REASONS


class FoldLine(QWidget):
    """The line itself, 28 px: chevron, name, values at the right."""

    toggled = Signal(bool)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self._values = name, ""
        self._open = self._ring = False
        self.setFixedHeight(28)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(name)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def show_values(self, values: str) -> None:
        """Show the values of what is folded away."""
        self._values = values
        self.setAccessibleDescription(values)
        self.update()

    def set_open(self, opened: bool) -> None:
        """Fold or unfold."""
        if opened != self._open:
            self._open = opened
            self.toggled.emit(opened)
            self.update()

    @property
    def is_open(self) -> bool:
        return self._open

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.set_open(not self._open)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self.set_open(not self._open)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEYBOARD_REASONS
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._ring = False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = tokens.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.underMouse():
            painter.fillRect(self.rect(), theme.color("hover"))
        name = "chevron-down" if self._open else "chevron"
        paint_icon(painter, name, QRectF(12, self.height() / 2 - 7, 14, 14), "t2")
        across = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(font(13, 600))
        painter.setPen(theme.color("t1"))
        painter.drawText(self.rect().adjusted(30, 0, -12, 0), across, self._name)
        if not self._open:
            painter.setFont(font(12))
            painter.setPen(theme.color("t2"))
            right = across | Qt.AlignmentFlag.AlignRight
            painter.drawText(self.rect().adjusted(90, 0, -12, 0), right, self._values)
        if self._ring:
            painter.setPen(QPen(theme.color("focus"), 2))
            painter.drawRoundedRect(self.rect().adjusted(3, 2, -3, -2), 4, 4)
        painter.end()


class Fold(QWidget):
    """A fold line with its content below; fill `body`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.line = FoldLine(name)
        self._content = QWidget()
        self.body = QVBoxLayout(self._content)
        self.body.setContentsMargins(12, 2, 12, 8)
        self.body.setSpacing(4)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.line)
        whole.addWidget(self._content)
        self._content.hide()
        self.line.toggled.connect(self._content.setVisible)
