"""A choice of one among a few, all of them seen: Keep, Harmonise, Re-roll."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetrics,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.value_bar import KEYBOARD_REASONS


@dataclass(frozen=True, slots=True)
class Choice:
    """One place in a segment; `tooltip` also says why it is off."""

    value: str
    label: str = ""
    icon: str = ""
    tooltip: str = ""


class Segment(QWidget):
    """Shows all choices; `chosen(value)` when a person takes one."""

    chosen = Signal(str)

    def __init__(
        self,
        choices: Sequence[Choice],
        *,
        height: int = 28,
        compact: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._choices = tuple(choices)
        self._off: dict[str, str] = {}
        self._value = self._choices[0].value if self._choices else ""
        self._ring = False
        self._hovered = -1
        self._compact = compact
        self.setFixedHeight(height)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        policy = QSizePolicy.Policy.Fixed if compact else QSizePolicy.Policy.Expanding
        self.setSizePolicy(policy, QSizePolicy.Policy.Fixed)

    @property
    def value(self) -> str:
        """The choice shown; empty if it is mixed."""
        return self._value

    def show_value(self, value: str) -> None:
        """Show a choice without telling anyone; "" shows none."""
        if value != self._value:
            self._value = value
            self.setAccessibleDescription(value or "mixed")
            self.update()

    def set_available(self, value: str, reason: str = "") -> None:
        """Switch a choice off with the reason its tooltip gives; an empty reason switches it on."""
        if reason == self._off.get(value, ""):
            return
        if reason:
            self._off[value] = reason
        else:
            self._off.pop(value, None)
        self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(font(12, 600))
        cells = [
            self._content_width(metrics, c) + (16 if self._compact else 24) for c in self._choices
        ]
        widest = max(cells, default=0)
        return QSize(widest * len(cells) + 4, self.height())

    def minimumSizeHint(self) -> QSize:
        """Where it is narrow, icons beside words give way."""
        return QSize((self._widest(with_icons=False) + 8) * len(self._choices) + 4, self.height())

    def _widest(self, *, with_icons: bool) -> int:
        metrics = QFontMetrics(font(12, 600))
        widths = (self._content_width(metrics, c, with_icon=with_icons) for c in self._choices)
        return max(widths, default=0)

    @property
    def _has_room(self) -> bool:
        """Every choice has its icon beside its words."""
        return self._cell(0).width() >= self._widest(with_icons=True) + 2

    @staticmethod
    def _content_width(metrics: QFontMetrics, choice: Choice, *, with_icon: bool = True) -> int:
        if not choice.icon or (choice.label and not with_icon):
            return metrics.horizontalAdvance(choice.label)
        return 16 + (6 + metrics.horizontalAdvance(choice.label) if choice.label else 0)

    def _cell(self, index: int) -> QRectF:
        width = (self.width() - 4) / max(len(self._choices), 1)
        return QRectF(2 + index * width, 2, width, self.height() - 4)

    def _index_at(self, place: QPointF) -> int:
        cells = range(len(self._choices))
        return next((i for i in cells if self._cell(i).contains(place)), -1)

    def _take(self, index: int) -> None:
        if not 0 <= index < len(self._choices):
            return
        value = self._choices[index].value
        if value in self._off or value == self._value:
            return
        self.show_value(value)
        self.chosen.emit(value)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._take(self._index_at(event.position()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hovered = self._index_at(event.position())
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = -1
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        values = [c.value for c in self._choices]
        index = values.index(self._value) if self._value in values else -1
        if event.key() in {Qt.Key.Key_Left, Qt.Key.Key_Up}:
            self._take(index - 1)
        elif event.key() in {Qt.Key.Key_Right, Qt.Key.Key_Down}:
            self._take(index + 1)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            index = self._index_at(QPointF(event.pos()))
            choice = self._choices[index] if index >= 0 else None
            words = self._off.get(choice.value) or choice.tooltip if choice else ""
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return super().event(event)

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
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(theme.color("control"), 1))
        painter.setBrush(theme.color("pressed"))
        painter.drawRoundedRect(box, 5, 5)
        for index, choice in enumerate(self._choices):
            self._paint_cell(painter, index, choice)
        if self._ring:
            painter.setPen(QPen(theme.color("focus"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
        painter.end()

    def _paint_cell(self, painter: QPainter, index: int, choice: Choice) -> None:
        theme = tokens.current()
        cell = self._cell(index)
        on = choice.value == self._value and self.isEnabled()
        off = choice.value in self._off or not self.isEnabled()
        if on:
            painter.setPen(QPen(theme.color("control"), 1))
            painter.setBrush(theme.color("raised" if theme.name == "light" else "fill"))
            painter.drawRoundedRect(cell.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        elif index == self._hovered and not off:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("hover"))
            painter.drawRoundedRect(cell, 4, 4)
        token = "disabled" if off else ("t1" if on or index == self._hovered else "t2")
        face = font(12, 600)
        has_icon = bool(choice.icon) and (self._has_room or not choice.label)
        width = self._content_width(QFontMetrics(face), choice, with_icon=has_icon)
        left = cell.center().x() - width / 2
        if has_icon:
            square = QRectF(round(left), round(cell.center().y() - 8), 16, 16)
            paint_icon(painter, choice.icon, square, "accent" if on else token)
            left += 16 + 6
        painter.setFont(face)
        painter.setPen(theme.color(token))
        words = cell.adjusted(left - cell.left(), 0, 0, 0)
        painter.drawText(
            words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, choice.label
        )
