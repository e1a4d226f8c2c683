"""A button that shows its value and opens a menu of values; nothing blocks while it is open."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.basics import Button, on_click


class ChoiceButton(Button):
    """One of several values; `chosen(value)` when a person takes one.

    Args:
        options: (value, label) pairs.
        caption: quiet word before the value, as "Seeds".
    """

    chosen = Signal(str)

    def __init__(
        self,
        options: Sequence[tuple[str, str]] = (),
        *,
        caption: str = "",
        tooltip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("", kind="", tooltip=tooltip, parent=parent)
        self._options, self._caption = tuple(options), caption
        self._value = self._options[0][0] if self._options else ""
        self._menu: QMenu | None = None
        self.setAccessibleName(caption or tooltip.split(":")[0])
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(28)
        on_click(self, self._open)

    @property
    def value(self) -> str:
        return self._value

    def set_options(self, options: Sequence[tuple[str, str]]) -> None:
        """Replace the values on offer."""
        self._options = tuple(options)
        self.update()

    def show_value(self, value: str) -> None:
        """Show a value without telling anyone."""
        self._value = value
        self.setAccessibleDescription(self._label())
        self.update()

    def _label(self) -> str:
        return dict(self._options).get(self._value, self._value)

    def _open(self) -> None:
        if self._menu is not None:
            self._menu.deleteLater()
        self._menu = menu = QMenu(self)
        for value, label in self._options:
            entry = menu.addAction(label)
            entry.setCheckable(True)
            entry.setChecked(value == self._value)
            entry.triggered.connect(lambda _on=False, value=value: self._take(value))
        menu.setMinimumWidth(self.width())
        menu.popup(self.mapToGlobal(QPoint(0, self.height() + 2)))

    def _take(self, value: str) -> None:
        if value != self._value:
            self.show_value(value)
            self.chosen.emit(value)

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(font(13, 500))
        widest = max((metrics.horizontalAdvance(label) for _, label in self._options), default=40)
        words = metrics.horizontalAdvance(self._caption + " ") if self._caption else 0
        return QSize(widest + words + 40, 28)

    def minimumSizeHint(self) -> QSize:
        return QSize(56, 28)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        theme = tokens.current()
        painter = QPainter(self)
        box = self.rect().adjusted(8, 0, -24, 0)
        across = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        if self._caption:
            painter.setFont(font(13))
            painter.setPen(theme.color("t2" if self.isEnabled() else "disabled"))
            painter.drawText(box, across, self._caption)
            box.setLeft(box.left() + QFontMetrics(font(13)).horizontalAdvance(self._caption) + 6)
        painter.setFont(font(13, 500))
        painter.setPen(theme.color("t1" if self.isEnabled() else "disabled"))
        words = QFontMetrics(painter.font()).elidedText(
            self._label(), Qt.TextElideMode.ElideRight, box.width()
        )
        painter.drawText(box, across, words)
        side = QRectF(self.width() - 22, self.height() / 2 - 7, 14, 14)
        paint_icon(painter, "chevron-down", side, "t2" if self.isEnabled() else "disabled")
        painter.end()
