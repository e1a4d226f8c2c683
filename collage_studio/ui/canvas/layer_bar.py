"""The small bar under the selection: noise, what the next run does, re-roll, more."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.document import edits
from collage_studio.document.model import Document, Layer, NextState
from collage_studio.ui.style import tokens
from collage_studio.ui.widgets.basics import Button
from collage_studio.ui.widgets.segment import Choice, Segment
from collage_studio.ui.widgets.value_bar import ValueBar

GAP = 16
_CHOICES = (
    Choice(NextState.KEEP, icon="keep", tooltip="Keep: These pixels stay exactly as they are."),
    Choice(
        NextState.HARMONISE,
        icon="harmonise",
        tooltip="Harmonise: The next run fits this layer to the rest.",
    ),
    Choice(
        NextState.REROLL,
        icon="reroll",
        tooltip="Re-roll: The next run makes this layer anew, nothing else.",
    ),
)


class LayerBar(QWidget):
    """Shows and changes the selected layers; asks for a re-roll or the layer menu."""

    reroll_requested = Signal(str)
    menu_requested = Signal(str, QPoint)

    def __init__(self, editor: Editor, parent: QWidget) -> None:
        super().__init__(parent)
        self._editor = editor
        self._ids: tuple[str, ...] = ()
        self._noise = ValueBar("Noise", noise=True, parent=self)
        self._noise.setFixedWidth(132)
        self._noise.setToolTip("Noise: 0 keeps every pixel, 100 lets the model repaint.")
        self._state = Segment(_CHOICES, compact=True, parent=self)
        self._state.setAccessibleName("Next run")
        self._reroll = Button("Re-roll", icon_name="reroll", kind="tinted", parent=self)
        self._reroll.setToolTip(
            "Re-roll now: New seeds for this layer. Every other pixel stays identical."
        )
        self._more = Button(icon_name="more", kind="quiet", tooltip="More", parent=self)
        self._more.setFixedSize(28, 28)
        self._lay_out()
        self._noise.changed.connect(self._on_noise)
        self._noise.finished.connect(editor.seal)
        self._state.chosen.connect(self._on_state)
        self._reroll.clicked.connect(lambda: self.reroll_requested.emit(self._ids[-1]))
        self._more.clicked.connect(self._on_more)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)
        self.setAccessibleName("Layer bar")
        self.hide()

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(7, 5, 5, 5)
        row.setSpacing(8)
        for widget in (self._noise, self._state, self._reroll, self._more):
            row.addWidget(widget)

    def show_layers(self, document: Document, ids: tuple[str, ...]) -> None:
        """Show the common values of these layers."""
        layers = [layer for layer in map(document.find, ids) if layer is not None]
        self._ids = tuple(layer.id for layer in layers)
        if not layers:
            return
        noises = {layer.effective_noise for layer in layers}
        states = {layer.state for layer in layers}
        self._noise.show_value(layers[-1].effective_noise * 100, mixed=len(noises) > 1)
        self._state.show_value(states.pop() if len(states) == 1 else "")

    def place(self, selection: QRectF, room: QRectF, avoid: QRectF | None = None) -> None:
        """Go under the selection, above it where there is no room, always inside `room`.

        Args:
            avoid: a control on the canvas that must not be covered.
        """
        self.adjustSize()
        width, height = self.sizeHint().width(), self.sizeHint().height()
        left = selection.center().x() - width / 2
        left = min(max(left, room.left() + 8), room.right() - width - 8)
        top = selection.bottom() + GAP
        if top + height > room.bottom() - 8:
            above = selection.top() - 36 - height
            top = above if above >= room.top() + 8 else room.bottom() - height - 8
        if avoid is not None:
            left, top = _beside(avoid, QRectF(left, top, width, height), room)
        self.setGeometry(round(left), round(top), width, height)

    def _on_noise(self, value: float) -> None:
        ids = self._ids
        self._editor.apply(
            lambda document: edits.set_noise(document, ids, value / 100),
            _label("Noise of", self._editor.document, ids),
            merge=f"noise {ids}",
        )

    def _on_state(self, value: str) -> None:
        ids = self._ids
        self._editor.apply(
            lambda document: edits.set_state(document, ids, NextState(value)),
            _label(value.capitalize().replace("Reroll", "Re-roll"), self._editor.document, ids),
        )

    def _on_more(self) -> None:
        if self._ids:
            below = QPointF(0, self._more.height() + 4).toPoint()
            self.menu_requested.emit(self._ids[-1], self._more.mapToGlobal(below))

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = tokens.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(QColor(theme.control), 1))
        painter.setBrush(theme.color("popover"))
        painter.drawRoundedRect(box, 8, 8)
        painter.end()


def _label(verb: str, document: Document, ids: tuple[str, ...]) -> str:
    layers: list[Layer] = [layer for layer in map(document.find, ids) if layer is not None]
    return f"{verb} {layers[0].name}" if len(layers) == 1 else f"{verb} {len(layers)} layers"


def _beside(avoid: QRectF, box: QRectF, room: QRectF) -> tuple[float, float]:
    """Where `box` goes so as not to cover `avoid`: to its nearer side, else above or below it."""
    if not avoid.intersects(box):
        return box.left(), box.top()
    across = (avoid.left() - GAP - box.width(), avoid.right() + GAP)
    fits = [x for x in across if room.left() + 8 <= x <= room.right() - box.width() - 8]
    if fits:
        return min(fits, key=lambda x: abs(x - box.left())), box.top()
    down = (avoid.top() - GAP - box.height(), avoid.bottom() + GAP)
    return box.left(), min(down, key=lambda y: abs(y - box.top()))
