"""Buttons, lines and labels of the house style."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSize, Qt, SignalInstance
from PySide6.QtGui import QFocusEvent, QPalette
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QFrame,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from collage_studio.ui.style.icons import icon
from collage_studio.ui.widgets.value_bar import KEYBOARD_REASONS

_ICON_TOKENS = {"primary": "on_accent", "tinted": "accent", "link": "accent", "": "t1"}


def restyle(widget: QWidget) -> None:
    """Make the style sheet look at the widget's properties again."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)


class Button(QPushButton):
    """A push button of one kind: "", "primary", "tinted", "quiet", "link" or "tool".

    It shows its focus ring after keyboard use only.
    """

    def __init__(
        self,
        text: str = "",
        *,
        icon_name: str = "",
        kind: str = "",
        tooltip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._icon_name, self._kind = icon_name, kind
        self.setProperty("kind", kind)
        self.setFixedHeight(28)
        self.setAutoDefault(False)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setIconSize(QSize(22, 18) if text else QSize(20, 20))
        self.setToolTip(tooltip)
        self.setAccessibleName(text or tooltip.split(":")[0])
        if icon_name:
            self._show_icon()

    def set_kind(self, kind: str) -> None:
        """Change the kind; its icon takes the fitting colour."""
        if kind != self._kind:
            self._kind = kind
            self.setProperty("kind", kind)
            self._show_icon()
            restyle(self)

    def set_icon_name(self, name: str) -> None:
        """Show another icon."""
        if name != self._icon_name:
            self._icon_name = name
            self._show_icon()

    def _show_icon(self) -> None:
        if self._icon_name:
            self.setIcon(icon(self._icon_name, _ICON_TOKENS.get(self._kind, "t2")))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_ring(event.reason() in KEYBOARD_REASONS)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._show_ring(False)

    def _show_ring(self, on: bool) -> None:
        if bool(self.property("ring")) != on:
            self.setProperty("ring", on)
            restyle(self)


def tool_button(icon_name: str, tooltip: str, *, checkable: bool = False, size: int = 28) -> Button:
    """A square icon button; `tooltip` begins with its name: "Undo: Takes back the last edit"."""
    button = Button(icon_name=icon_name, kind="tool", tooltip=tooltip)
    button.setCheckable(checkable)
    button.setFixedSize(size, size)
    return button


def on_click(button: QPushButton, call: Callable[[], object]) -> None:
    """Run `call` on every click, without Qt's `checked` argument."""
    button.clicked.connect(lambda _checked=False: call())


def listen(signal: SignalInstance, call: Callable[[Any], object]) -> None:
    """Call `call` with the signal's one value: a lambda has a type here, in `connect` none."""
    signal.connect(call)


def own_viewport(area: QAbstractScrollArea) -> QWidget:
    """Give a scrolling widget a viewport made here, with the ground of Qt's own.

    PySide does not know what class Qt's own has. To find out it readies every class of widget
    there is, which takes 35 ms of the program's start.
    """
    made = QWidget()
    made.setBackgroundRole(QPalette.ColorRole.Base)
    area.setViewport(made)
    return made


def line(kind: str) -> QFrame:
    """A hairline: "h" or "v" inside a region, "H" or "V" between regions."""
    made = QFrame()
    made.setProperty("line", kind)
    policy = QSizePolicy.Policy
    if kind in "hH":
        made.setFixedHeight(1)
        made.setSizePolicy(policy.Expanding, policy.Fixed)
    else:
        made.setFixedWidth(1)
        made.setSizePolicy(policy.Fixed, policy.Expanding)
    return made


class Label(QLabel):
    """A text in one role: "title", "second", "hint", "small", "label", "ok", "warn", "danger".

    With `elide` it shortens at its end and shows all of itself in the tooltip.
    """

    def __init__(self, text: str = "", role: str = "", *, elide: bool = False) -> None:
        super().__init__()
        self._elide, self._full = elide, ""
        self.setProperty("role", role)
        self.setTextFormat(Qt.TextFormat.PlainText)
        if elide:
            self.setMinimumWidth(0)
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.show_text(text)

    def show_text(self, text: str) -> None:
        """Show `text`."""
        self._full = text
        if not self._elide:
            self.setText(text)
            return
        self.setAccessibleName(text)
        self._fit()

    def set_role(self, role: str) -> None:
        """Change the role, and with it colour and size."""
        if self.property("role") != role:
            self.setProperty("role", role)
            restyle(self)

    @property
    def full_text(self) -> str:
        return self._full

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        return QSize(16, hint.height()) if self._elide else hint

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        if not self._elide:
            return hint
        return QSize(self.fontMetrics().horizontalAdvance(self._full) + 2, hint.height())

    def resizeEvent(self, event: object) -> None:
        if self._elide:
            self._fit()

    def _fit(self) -> None:
        mode = Qt.TextElideMode.ElideRight
        shown = self.fontMetrics().elidedText(self._full, mode, max(self.width(), 16))
        self.setText(shown)
        self.setToolTip(self._full if shown != self._full else "")
