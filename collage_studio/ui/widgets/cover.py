"""Hides what a widget shows until there is something to show."""

from __future__ import annotations

from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from collage_studio.ui.style import tokens

_BEYOND_ANY_SCREEN = 1 << 14


class Cover(QWidget):
    """Lies over all of `covered`, whatever its size, in one colour; delete it to uncover it."""

    def __init__(self, covered: QWidget, token: str) -> None:
        super().__init__(covered)
        self._token = token
        self.setGeometry(0, 0, _BEYOND_ANY_SCREEN, _BEYOND_ANY_SCREEN)
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), tokens.current().color(self._token))
        painter.end()
