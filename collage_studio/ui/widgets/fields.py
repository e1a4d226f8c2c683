"""Fields to type in: a number with its name inside, and a text that grows with its lines."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import (
    QDoubleValidator,
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
)
from PySide6.QtWidgets import QLabel, QLineEdit, QPlainTextEdit, QSizePolicy, QWidget

from collage_studio.ui.style.fonts import font


def leaves_undo_to_window(event: QEvent) -> bool:
    """Whether this is undo or redo on its way to the window: texts of the document have no own."""
    if event.type() is not QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
        return False
    undo, redo = QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo
    if event.matches(undo) or event.matches(redo):
        event.ignore()
        return True
    return False


class NumberField(QLineEdit):
    """A number typed in: `entered(value)` on Enter or when left; arrows step by 1, Shift by 10."""

    entered = Signal(float)

    def __init__(
        self,
        label: str,
        name: str,
        *,
        low: float = -99999.0,
        high: float = 99999.0,
        unit: str = "",
        decimals: int = 0,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._unit, self._decimals = unit, decimals
        self._low, self._high = low, high
        self._shown = 0.0
        self._name = QLabel(label, self)
        self._name.setProperty("role", "second")
        self._name.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        indent = QFontMetrics(font(12)).horizontalAdvance(label) + 8
        self.setTextMargins(indent, 0, 0, 0)
        self.setValidator(QDoubleValidator(low, high, decimals, self))
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setFixedHeight(24)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.editingFinished.connect(self._take)

    @property
    def value(self) -> float:
        return self._shown

    def show_value(self, value: float) -> None:
        """Show a number unless it is being typed over."""
        self._shown = value
        if self.hasFocus() and self.isModified():
            return
        with QSignalBlocker(self):
            self.setText(f"{value:.{self._decimals}f}{self._unit}")
            self.setCursorPosition(0)
        self.setModified(False)

    def _take(self) -> None:
        if not self.isModified():
            return
        self.setModified(False)
        typed = self.text().replace(",", ".").removesuffix(self._unit).strip()
        try:
            value = min(max(float(typed), self._low), self._high)
        except ValueError:
            self.show_value(self._shown)
            return
        if value != self._shown:
            self._shown = value
            self.entered.emit(value)
        self.show_value(self._shown)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        with QSignalBlocker(self):
            self.setText(self.text().removesuffix(self._unit))
        self.setModified(False)
        self.selectAll()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.show_value(self._shown)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}
        way = steps.get(Qt.Key(event.key()), 0)
        if not way:
            super().keyPressEvent(event)
            return
        many = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        self.setText(f"{self._shown + way * many:.{self._decimals}f}")
        self.setModified(True)
        self._take()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._name.setGeometry(8, 0, self.textMargins().left(), self.height())

    def sizeHint(self) -> QSize:
        return QSize(68, 24)

    def minimumSizeHint(self) -> QSize:
        return QSize(48, 24)


class GrowingText(QPlainTextEdit):
    """A few words: `lines` high at rest, grows to `most`. `edited(text)` while typing."""

    edited = Signal(str)
    finished = Signal()

    def __init__(
        self, name: str, *, lines: int = 2, most: int = 5, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._lines, self._most = lines, most
        self.setAccessibleName(name)
        self.setTabChangesFocus(True)
        self.setUndoRedoEnabled(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(3)
        self.textChanged.connect(self._changed)
        self._fit()

    def show_text(self, text: str) -> None:
        """Show `text` without telling anyone; the cursor stays if it is the same."""
        if text != self.toPlainText():
            with QSignalBlocker(self):
                self.setPlainText(text)
            self._fit()

    def event(self, event: QEvent) -> bool:
        return False if leaves_undo_to_window(event) else super().event(event)

    def _changed(self) -> None:
        self._fit()
        self.edited.emit(self.toPlainText())

    def _fit(self) -> None:
        high = self.fontMetrics().lineSpacing()
        lines = min(max(self._wanted_lines(), self._lines), self._most)
        self.setFixedHeight(high * lines + 14)

    def _wanted_lines(self) -> int:
        return max(1, round(self.document().size().height()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self.finished.emit()
            self.clearFocus()
            return
        super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.finished.emit()
