"""Popovers and sheets: child widgets of the window with a painted shadow. None is modal."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from shiboken6 import isValid

from collage_studio.ui.style import tokens

SHADOW = 12


def paint_card(
    painter: QPainter,
    box: QRectF,
    *,
    radius: float = 8,
    ground: str = "popover",
    edge: str = "edge",
) -> None:
    """Paint a floating card with its shadow into `box`; the shadow lies SHADOW px outside."""
    theme = tokens.current()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    peak = 0.055 if theme.name == "dark" else 0.022
    for spread in range(SHADOW, 0, -2):
        painter.setBrush(theme.color("shadow", peak))
        grown = box.adjusted(-spread, -spread + 3, spread, spread)
        painter.drawRoundedRect(grown, radius + spread, radius + spread)
    painter.setBrush(theme.color(ground))
    painter.setPen(QPen(theme.color(edge), 1))
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


def give_focus_back(before: QWidget | None) -> None:
    """Return the focus to where it was, if that is still there to take it."""
    if before is not None and isValid(before) and before.isVisible():
        before.setFocus(Qt.FocusReason.OtherFocusReason)


class Popover(QWidget):
    """A card at a button. Esc, its button or a press outside closes it.

    Fill `body`; open with `open_at`.
    """

    closed = Signal()

    def __init__(self, window: QWidget, name: str, width: int = 280) -> None:
        super().__init__(window)
        self.setAccessibleName(name)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._anchor: QWidget | None = None
        self._before: QWidget | None = None
        self._above = False
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(SHADOW + 1, SHADOW + 1, SHADOW + 1, SHADOW + 1)
        self.body.setSpacing(0)
        self.setFixedWidth(width + 2 * SHADOW)
        self.hide()

    def toggle_at(self, anchor: QWidget, *, above: bool = False) -> None:
        """Open at `anchor`, or close if it is open."""
        if self.isVisible():
            self.close_popover()
        else:
            self.open_at(anchor, above=above)

    def open_at(self, anchor: QWidget, *, above: bool = False) -> None:
        """Show the card below (or above) `anchor`, inside the window, and take the focus."""
        self._anchor, self._above = anchor, above
        self._before = QApplication.focusWidget()
        self.prepare()
        self.place()
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)
        QApplication.instance().installEventFilter(self)  # pyright: ignore[reportOptionalMemberAccess]  exists while a widget does

    def prepare(self) -> None:
        """Bring the content up to date; called before every opening."""

    def place(self) -> None:
        """Put the card at its anchor again, as after its content grew."""
        window, anchor = self.parentWidget(), self._anchor
        if window is None or anchor is None:
            return
        self.adjustSize()
        corner = anchor.mapTo(window, QPoint(0, 0))
        left = corner.x() + anchor.width() // 2 - self.width() // 2
        left = min(max(left, 4 - SHADOW), window.width() - self.width() + SHADOW - 4)
        if self._above:
            top = corner.y() - self.height() + SHADOW - 8
        else:
            top = corner.y() + anchor.height() - SHADOW + 6
        top = min(max(top, 4 - SHADOW), window.height() - self.height() + SHADOW - 4)
        self.move(left, top)

    def close_popover(self) -> None:
        """Hide the card and tell."""
        if self.isVisible():
            self._unwatch()
            give_focus_back(self._before)
            self.hide()
            self.closed.emit()

    def hideEvent(self, event: object) -> None:
        self._unwatch()

    def _unwatch(self) -> None:
        app = QApplication.instance()
        if app is not None:
            app.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.MouseButtonPress and isinstance(watched, QWidget):
            inside = watched is self or self.isAncestorOf(watched)
            on_anchor = self._anchor is not None and (
                watched is self._anchor or self._anchor.isAncestorOf(watched)
            )
            if not inside and not on_anchor and watched.window() is self.window():
                self.close_popover()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_popover()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        edge = SHADOW
        paint_card(painter, QRectF(self.rect()).adjusted(edge, edge, -edge, -edge))
        painter.end()


class Sheet(QWidget):
    """A card in the middle of the dimmed window. Esc or a press outside closes it; jobs go on."""

    closed = Signal()

    def __init__(self, window: QWidget, name: str, width: int, height: int) -> None:
        super().__init__(window)
        self.setAccessibleName(name)
        self._size = (width, height)
        self._before: QWidget | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.card = QWidget(self)
        window.installEventFilter(self)
        self.hide()

    def open_sheet(self) -> None:
        """Cover the window and take the focus."""
        self._before = QApplication.focusWidget()
        self._cover()
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def close_sheet(self) -> None:
        """Uncover the window."""
        if self.isVisible():
            give_focus_back(self._before)
            self.hide()
            self.closed.emit()

    def _cover(self) -> None:
        window = self.parentWidget()
        if window is None:
            return
        self.setGeometry(window.rect())
        width = min(self._size[0], self.width() - 48)
        height = min(self._size[1], self.height() - 48)
        left, top = (self.width() - width) // 2, (self.height() - height) // 2
        self.card.setGeometry(QRect(left, top, width, height))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Resize and self.isVisible():
            self._cover()
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self.card.geometry().contains(event.position().toPoint()):
            self.close_sheet()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_sheet()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        dim = 0.6 if tokens.current().name == "dark" else 0.35
        painter.fillRect(self.rect(), tokens.current().color("shadow", dim))
        paint_card(painter, QRectF(self.card.geometry()), radius=12)
        painter.end()
