"""The layers region of the dock: header, look of the selected layers, filter, list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from collage_studio.app.editor import Changed, Editor
from collage_studio.app.selection import Selection
from collage_studio.document.model import BlendMode, Layer
from collage_studio.ui import layer_edits
from collage_studio.ui.panels.layers_tree import LayersTree
from collage_studio.ui.style import tokens
from collage_studio.ui.widgets.basics import Button, Label, line, on_click, tool_button
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.value_bar import ValueBar

FILTER_FROM = 12
"""From this many layers on there is a filter field."""

_BLEND_NAMES = {mode: str(mode).replace("_", " ").capitalize() for mode in BlendMode}
_BLEND_OPTIONS = [(str(m), name) for m, name in _BLEND_NAMES.items() if m != "pass_through"]


class LayersPanel(QWidget):
    """Layers, their order and their look. `run_action(id)` asks the window for an action."""

    def __init__(
        self,
        editor: Editor,
        selection: Selection,
        run_action: Callable[[str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._editor, self._selection, self._run_action = editor, selection, run_action
        self.setProperty("region", "dock")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.tree = LayersTree(editor, selection)
        self._count = Label("0", "second")
        self.more = tool_button("more", "More: Everything for layers")
        self._lock = tool_button("lock", "Lock: Locked layers cannot be moved or deleted.")
        self._blend = ChoiceButton(_BLEND_OPTIONS, tooltip="Blend mode: How it mixes with below")
        self._opacity = ValueBar("Opacity", unit=" %")
        self._filter = QLineEdit()
        self.empty = EmptyLayers(run_action)
        self._build()
        self._subscriptions = [
            editor.changed.subscribe(self._on_changed),
            selection.changed.subscribe(lambda ids: self._refresh()),
        ]
        self._refresh()

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        self.tree.close_subscriptions()
        for subscription in self._subscriptions:
            subscription.close()

    def _build(self) -> None:
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(self._header())
        whole.addLayout(self._look())
        whole.addWidget(line("h"))
        self._filter.setPlaceholderText("Filter by name, text or state")
        self._filter.setAccessibleName("Filter layers")
        self._filter.setFixedHeight(28)
        self._filter.textChanged.connect(self.tree.set_filter)
        self._filter_row = QWidget()
        row = QHBoxLayout(self._filter_row)
        row.setContentsMargins(12, 6, 12, 2)
        row.addWidget(self._filter)
        whole.addWidget(self._filter_row)
        whole.addWidget(ColumnHeads())
        whole.addWidget(self.empty)
        whole.addWidget(self.tree, 1)

    def _header(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(12, 4, 8, 2)
        row.setSpacing(4)
        row.addWidget(Label("Layers", "title"))
        row.addSpacing(4)
        row.addWidget(self._count)
        row.addStretch(1)
        add = Button("Add", icon_name="add", tooltip="Add pictures: Puts pictures in as layers.")
        add.setFixedHeight(26)
        group = tool_button("group", "Group (Ctrl+G): Puts the layers into one group.")
        bin_button = tool_button("bin", "Delete: Removes the layers; undo brings them back.")
        for button, action in (
            (add, "file.add"), (group, "layer.group"), (bin_button, "edit.delete"),
        ):  # fmt: skip
            on_click(button, lambda action=action: self._run_action(action))
            row.addWidget(button)
        row.addWidget(self.more)
        return row

    def _look(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(12, 0, 8, 4)
        row.setSpacing(8)
        row.addWidget(self._blend, 1)
        row.addWidget(self._opacity, 1)
        row.addWidget(self._lock)
        self._blend.setFixedHeight(24)
        self._opacity.setFixedHeight(24)
        self._lock.setCheckable(True)
        self._blend.chosen.connect(self._take_blend)
        self._opacity.changed.connect(self._take_opacity)
        self._opacity.finished.connect(self._editor.seal)
        self._lock.toggled.connect(self._take_lock)
        return row

    def _on_changed(self, change: Changed) -> None:
        if change.changes_collage:
            self._refresh()

    def _refresh(self) -> None:
        document = self._editor.document
        everything = sum(1 for _ in document.walk())
        self._count.show_text(str(everything))
        self.empty.setVisible(everything == 0)
        self._filter_row.setVisible(everything >= FILTER_FROM or bool(self._filter.text()))
        layers = self._layers()
        for part in (self._blend, self._opacity, self._lock):
            part.setEnabled(bool(layers))
        self._show_look(layers)

    def _layers(self) -> list[Layer]:
        found = (self._editor.document.find(i) for i in self._selection.ids)
        background = self._editor.document.background.id
        return [layer for layer in found if layer is not None and layer.id != background]

    def _show_look(self, layers: list[Layer]) -> None:
        blends = {layer.blend for layer in layers}
        blend = blends.pop() if len(blends) == 1 else None
        self._blend.show_value(_shown_blend(blend) if blend else ("mixed" if layers else "normal"))
        opacities = {layer.opacity for layer in layers}
        opacity = layers[-1].opacity if layers else 1.0
        self._opacity.show_value(opacity * 100, mixed=len(opacities) > 1)
        locked = bool(layers) and all(layer.locked for layer in layers)
        with QSignalBlocker(self._lock):
            self._lock.setChecked(locked)
        self._lock.set_icon_name("lock" if locked or not layers else "unlock")

    def _ids(self) -> tuple[str, ...]:
        return tuple(layer.id for layer in self._layers())

    def _take_blend(self, value: str) -> None:
        layer_edits.change(
            self._editor,
            self._ids(),
            "Blend mode",
            lambda layer: replace(layer, blend=BlendMode(value)),
        )

    def _take_opacity(self, value: float) -> None:
        layer_edits.change(
            self._editor,
            self._ids(),
            "Opacity",
            lambda layer: replace(layer, opacity=round(value) / 100),
            merge="opacity",
        )

    def _take_lock(self, locked: bool) -> None:
        layer_edits.set_locked(self._editor, self._ids(), locked)


def _shown_blend(mode: BlendMode) -> str:
    """Groups that pass through read as Normal: that is how they look."""
    return "normal" if mode is BlendMode.PASS_THROUGH else str(mode)


class ColumnHeads(QWidget):
    """Layer, Noise, Next over the columns of the list."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(20)
        self._layer = Label("Layer", "small")
        self._noise = Label("Noise", "small")
        self._next = Label("Next", "small")
        for label in (self._layer, self._noise, self._next):
            label.setParent(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        right = self.width()
        bar = 68 if right >= 320 else 56
        self._layer.setGeometry(38, 2, 80, 16)
        self._noise.setGeometry(right - 36 - bar, 2, 60, 16)
        self._next.setGeometry(right - 34, 2, 32, 16)


class EmptyLayers(QWidget):
    """What stands in the list while there are no layers."""

    def __init__(self, run_action: Callable[[str], None]) -> None:
        super().__init__()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(28, 28, 28, 28)
        title = Label("No layers yet", "title")
        words = Label("Drop pictures on the canvas, paste, or add a file.", "second")
        for label in (title, words):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
            whole.addWidget(label)
        row = QHBoxLayout()
        row.addStretch(1)
        add = Button("Add", icon_name="add", tooltip="Add pictures: Puts pictures in as layers.")
        on_click(add, lambda: run_action("file.add"))
        samples = Button("Samples", tooltip="Samples: Collages to try things with.")
        on_click(samples, lambda: run_action("file.samples"))
        row.addWidget(add)
        row.addWidget(samples)
        row.addStretch(1)
        whole.addSpacing(8)
        whole.addLayout(row)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(tokens.current().color("edge"), 1, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawRoundedRect(self.rect().adjusted(12, 8, -12, -8), 6, 6)
        painter.end()
