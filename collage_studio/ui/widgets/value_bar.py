"""A number as a bar: label left, value right, fill behind. Drag scrubs, double click types."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDoubleValidator,
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QWidget

from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font

KEYBOARD_REASONS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


def paint_bar(
    painter: QPainter,
    box: QRectF,
    share: float,
    *,
    noise: bool,
    radius: float = 4.0,
    hot: bool = False,
) -> None:
    """Paint a bar's ground, fill up to `share` in [0, 1], foot and outline into `box`."""
    theme = tokens.current()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    outline = QPainterPath()
    outline.addRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
    empty = noise and share <= 0
    painter.fillPath(outline, theme.color("pressed" if empty else "raised"))
    painter.save()
    painter.setClipPath(outline)
    filled = QRectF(box.left(), box.top(), box.width() * min(max(share, 0.0), 1.0), box.height())
    foot = QRectF(filled.left(), filled.bottom() - 3, filled.width(), 3)
    if noise:
        painter.fillRect(filled, QColor(noise_ground(share)))
        painter.fillRect(foot, _ramp(box))
    else:
        painter.fillRect(filled, theme.color("fill"))
        painter.fillRect(foot.adjusted(0, 1, 0, 0), theme.color("t3"))
    painter.restore()
    painter.setPen(QPen(theme.color("edge" if hot else "control"), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(outline)


def noise_ground(share: float) -> str:
    """The colour behind a noise bar's text: the ramp over `raised`."""
    theme = tokens.current()
    return tokens.mixed(tokens.noise_color(share).name(), theme.raised, theme.noise_strength)


def _ramp(box: QRectF) -> QLinearGradient:
    gradient = QLinearGradient(box.topLeft(), box.topRight())
    last = len(tokens.NOISE_RAMP) - 1
    for index, color in enumerate(tokens.NOISE_RAMP):
        gradient.setColorAt(index / last, QColor(color))
    return gradient


class _TypedValue(QLineEdit):
    """The field of a bar: Return stays in it, else the bar would open it again; Esc leaves."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.clear()
            self.hide()
            return
        super().keyPressEvent(event)
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            event.accept()


class ValueBar(QWidget):
    """One number between two ends.

    Signals:
        changed(float): the person moved it; sent while dragging.
        finished(): a drag, a key or a typed value is complete: the edit may be sealed.
    """

    changed = Signal(float)
    finished = Signal()

    def __init__(
        self,
        label: str,
        low: float = 0.0,
        high: float = 100.0,
        *,
        step: float = 1.0,
        unit: str = "",
        noise: bool = False,
        height: int = 28,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._label, self._low, self._high = label, low, high
        self._step, self._unit, self._noise = step, unit, noise
        self._value, self._mixed, self._note = low, False, ""
        self._press: tuple[QPointF, float] | None = None
        self._ring = self._hot = False
        self.reading: Callable[[float], str] | None = None
        self.setFixedHeight(height)
        self.setMinimumWidth(56)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setAccessibleName(label or "Value")

    @cached_property
    def _field(self) -> QLineEdit:
        """Where a value is typed; most bars never need it."""
        field = _TypedValue(self)
        field.setProperty("kind", "bar")
        field.setAccessibleName(self._label)
        validator = QDoubleValidator(self._low, self._high, 2, field)
        validator.setNotation(QDoubleValidator.Notation.StandardNotation)
        field.setAlignment(Qt.AlignmentFlag.AlignRight)
        field.hide()
        field.returnPressed.connect(self._take_typed)
        field.editingFinished.connect(self._leave_typing)
        return field

    @property
    def value(self) -> float:
        return self._value

    @property
    def is_mixed(self) -> bool:
        return self._mixed

    def show_value(self, value: float, *, mixed: bool = False, note: str = "") -> None:
        """Show `value` without telling anyone; `mixed` for differing layers.

        `note` stands instead of the number, as "0, kept".
        """
        self._value, self._mixed = min(max(value, self._low), self._high), mixed
        self._note = note
        self.setAccessibleDescription(self.text())
        self.update()

    def set_range(self, low: float, high: float) -> None:
        """Change the two ends."""
        self._low, self._high = low, high
        self.show_value(self._value)

    def text(self) -> str:
        """The value as it reads on the bar."""
        if self._mixed:
            return "mixed"
        if self._note:
            return self._note
        return self._number() + self._unit

    def _number(self) -> str:
        if self.reading is not None:
            return self.reading(self._value)
        decimals = 0 if self._step >= 1 else (1 if self._step >= 0.1 else 2)
        return f"{self._value:.{decimals}f}"

    def sizeHint(self) -> QSize:
        return QSize(120, self.height())

    def set_by_hand(self, value: float) -> None:
        """Take `value` as if it had been dragged there, and tell."""
        stepped = round((value - self._low) / self._step) * self._step + self._low
        new = min(max(stepped, self._low), self._high)
        if new == self._value and not self._mixed:
            return
        self.show_value(new)
        self.changed.emit(new)

    # Pointer

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._press = (event.position(), self._value)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._press is None:
            return
        start, before = self._press
        way = event.position().x() - start.x()
        if abs(way) < 3 and before == self._value:
            return
        fine = 0.2 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
        self.set_by_hand(before + fine * way / max(self.width(), 1) * (self._high - self._low))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._press is None:
            return
        start, before = self._press
        self._press = None
        still = (event.position() - start).manhattanLength() < 3
        if not still or self._value != before:
            self.finished.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._press = None
        self.start_typing()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not event.modifiers() & Qt.KeyboardModifier.AltModifier:
            event.ignore()
            return
        turned = event.angleDelta().y() or event.angleDelta().x()
        self.set_by_hand(self._value + (self._step if turned > 0 else -self._step))
        self.finished.emit()
        event.accept()

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        many = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        match event.key():
            case Qt.Key.Key_Left | Qt.Key.Key_Down:
                self.set_by_hand(self._value - many * self._step)
            case Qt.Key.Key_Right | Qt.Key.Key_Up:
                self.set_by_hand(self._value + many * self._step)
            case Qt.Key.Key_Home:
                self.set_by_hand(self._low)
            case Qt.Key.Key_End:
                self.set_by_hand(self._high)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_F2:
                self.start_typing()
                return
            case _ if event.text().isdigit():
                self.start_typing(event.text())
                return
            case _:
                super().keyPressEvent(event)
                return
        self.finished.emit()

    def start_typing(self, text: str = "") -> None:
        """Open the field for a typed value, beginning with `text` or the present number."""
        self._field.setText(text or self._number())
        self._field.setGeometry(self.rect())
        self._field.show()
        self._field.setFocus(Qt.FocusReason.OtherFocusReason)
        if not text:
            self._field.selectAll()

    def _take_typed(self) -> None:
        typed = self._field.text().replace(",", ".").rstrip(" %px°")
        try:
            value = float(typed)
        except ValueError:
            return
        self.set_by_hand(value)
        self.finished.emit()

    def _leave_typing(self) -> None:
        if self._field.isVisible():
            self._field.hide()
            if self._field.hasFocus() or self.focusWidget() is self._field:
                self.setFocus(Qt.FocusReason.OtherFocusReason)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEYBOARD_REASONS
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._ring = False
        super().focusOutEvent(event)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        if "_field" in self.__dict__:
            self._field.setGeometry(self.rect())

    # Paint

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        span = self._high - self._low
        share = 0.0 if self._mixed or span <= 0 else (self._value - self._low) / span
        if self.isEnabled():
            paint_bar(painter, box, share, noise=self._noise, hot=self.underMouse())
        else:
            self._paint_outline(painter, box)
        self._paint_words(painter, box)
        if self._ring:
            painter.setPen(QPen(tokens.current().color("focus"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 4, 4)
        painter.end()

    def _paint_outline(self, painter: QPainter, box: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(tokens.current().color("control"), 1))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def _paint_words(self, painter: QPainter, box: QRectF) -> None:
        theme = tokens.current()
        inner = box.adjusted(8, 0, -8, 0)
        dim = not self.isEnabled()
        face = font(12, 600)
        width = QFontMetrics(face).horizontalAdvance(self.text())
        painter.setFont(face)
        painter.setPen(theme.color("disabled" if dim else "t1"))
        painter.drawText(
            inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.text()
        )
        if not self._label:
            return
        painter.setFont(font(13))
        room = int(inner.width()) - width - 4
        words = QFontMetrics(font(13)).elidedText(self._label, Qt.TextElideMode.ElideRight, room)
        painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)
