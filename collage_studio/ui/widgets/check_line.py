"""A check box, with a second, quiet line where it has to say what it is good for."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QFocusEvent, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QCheckBox, QSizePolicy

from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.value_bar import KEYBOARD_REASONS

_SIDE, _GAP, _HEIGHT, _LINE = 16, 10, 40, 20


class CheckLine(QCheckBox):
    """Name and, below it, purpose beside a box; all of it can be pressed."""

    def __init__(self, name: str, purpose: str = "") -> None:
        super().__init__(name)
        self._purpose = purpose
        self._ring = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        self.show_purpose(purpose)

    @property
    def purpose(self) -> str:
        return self._purpose

    def show_purpose(self, purpose: str) -> None:
        """Show another second line."""
        self._purpose = purpose
        self.setFixedHeight(self._lines_height())
        self.setAccessibleDescription(purpose)
        self.update()

    def hitButton(self, pos: QPoint) -> bool:
        return self.rect().contains(pos)

    def sizeHint(self) -> QSize:
        widths = (
            QFontMetrics(font(13, 500)).horizontalAdvance(self.text()),
            QFontMetrics(font(12)).horizontalAdvance(self._purpose),
        )
        return QSize(_SIDE + _GAP + max(widths) + 4, self._lines_height())

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self._lines_height())

    def _lines_height(self) -> int:
        return _HEIGHT if self._purpose else _LINE

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._ring = event.reason() in KEYBOARD_REASONS
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._ring = False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_box(painter, QRectF(0, (_LINE - _SIDE) / 2, _SIDE, _SIDE))
        left = _SIDE + _GAP
        first = QRectF(left, 0, self.width() - left, _LINE)
        token = "t2" if self.isEnabled() else "disabled"
        self._paint_words(painter, first, self.text(), 13, "t1" if self.isEnabled() else token)
        self._paint_words(painter, first.translated(0, _LINE - 2), self._purpose, 12, token)
        painter.end()

    def _paint_box(self, painter: QPainter, box: QRectF) -> None:
        theme, on, enabled = tokens.current(), self.isChecked(), self.isEnabled()
        edge = "accent" if on and enabled else ("edge" if enabled else "control")
        painter.setPen(QPen(theme.color(edge), 1))
        painter.setBrush(theme.color("accent" if on and enabled else "raised"))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        if on:
            token = "on_accent" if enabled else "disabled"
            paint_icon(painter, "check", box.adjusted(1, 1, -1, -1), token)
        if self._ring:
            painter.setPen(QPen(theme.color("focus"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 4, 4)

    def _paint_words(
        self, painter: QPainter, box: QRectF, words: str, pixels: int, token: str
    ) -> None:
        face = font(pixels, 500 if pixels == 13 else 400)
        painter.setFont(face)
        painter.setPen(tokens.current().color(token))
        shown = QFontMetrics(face).elidedText(words, Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)
