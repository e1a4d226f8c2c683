"""The bar of the tool that is on: place and size of the selection, flip, align, snap."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QPoint, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QStackedWidget, QWidget

from collage_studio.app.editor import Changed, Editor
from collage_studio.app.selection import Selection
from collage_studio.document import edits
from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document
from collage_studio.document.tree import extent, find_node, joint_extent, outermost
from collage_studio.ui.layer_edits import names_of
from collage_studio.ui.panels.method_panel import choose_method
from collage_studio.ui.panels.methods import METHODS, SENTENCES
from collage_studio.ui.widgets.basics import Label, line, listen, on_click, tool_button
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.fields import NumberField
from collage_studio.ui.widgets.segment import Choice, Segment

Box = tuple[float, float, float, float]
ALIGNMENTS = (
    "layer.align_left", "layer.align_center", "layer.align_right",
    "layer.align_top", "layer.align_middle", "layer.align_bottom",
)  # fmt: skip
COMPARE_KINDS = (
    Choice("wipe", "Wipe"),
    Choice("side", "Side by side"),
    Choice("blink", "Blink"),
)


def selection_box(document: Document, ids: tuple[str, ...]) -> Box | None:
    """(left, top, right, bottom) of the selected layers on the canvas in px."""
    boxes = (extent(node.layer, node.outer) for node in outermost(document, ids))
    return joint_extent(box for box in boxes if box is not None)


def angle_of(document: Document, layer_id: str) -> float:
    """Degrees clockwise by which a layer is turned, -180..180."""
    node = find_node(document, layer_id)
    if node is None:
        return 0.0
    placed = node.outer.after(node.layer.placement)
    return (
        math.degrees(math.atan2(placed.d, placed.a))
        if placed.determinant > 0
        else (math.degrees(math.atan2(-placed.d, -placed.a)))
    )


class OptionsBar(QWidget):
    """36 px. Fields send edits; the rest asks for actions."""

    snap_toggled = Signal(bool)
    noise_map_toggled = Signal(bool)
    compare_kind_chosen = Signal(str)

    def __init__(
        self,
        editor: Editor,
        selection: Selection,
        run_action: Callable[[str], None],
        actions: Callable[[str], QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._editor, self._selection, self._actions = editor, selection, actions
        self.setProperty("region", "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(35)
        self.setAccessibleName("Tool options")
        self._hint = Label("Click an object to move, scale or turn it", "second")
        self._run_action = run_action
        self._is_ready = False
        self.snap = tool_button(
            "guides", "Snap: Edges and centres catch. Alt lets go.", checkable=True
        )
        self.noise_map = tool_button(
            "noise-map",
            "Noise map (Shift+N): What the sampler will change, and how much.",
            checkable=True,
        )
        self.method = ChoiceButton(METHODS, tooltip="Method: How the picture is made.")
        self.method.setFixedHeight(24)
        self.panels = tool_button(
            "panel", "Panels: Layers and inspector, over the canvas.", checkable=True
        )
        self.compare_kind = Segment(COMPARE_KINDS, height=24, compact=True)
        self._menu: QMenu | None = None
        self._tool, self._view = "move", "collage"
        self._tool_pages: dict[str, QWidget] = {}
        self._build()
        self._connect()
        self._subscriptions = [
            editor.changed.subscribe(self._on_changed),
            selection.changed.subscribe(lambda ids: self._refresh()),
        ]
        self._refresh()

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        for subscription in self._subscriptions:
            subscription.close()

    def make_ready(self) -> None:
        """Make what a selection shows; without one only a hint stands there."""
        if self._is_ready:
            return
        self._is_ready = True
        self._x = NumberField("X", "Left edge in px")
        self._y = NumberField("Y", "Top edge in px")
        self._w = NumberField("W", "Width in px", low=1)
        self._h = NumberField("H", "Height in px", low=1)
        self._angle = NumberField("∠", "Angle in degrees", unit="°", decimals=1, low=-360, high=360)
        self._fields = (self._x, self._y, self._w, self._h, self._angle)
        self._flip_h = tool_button("flip-horizontal", "Flip horizontally (Shift+H)")
        self._flip_v = tool_button("flip-vertical", "Flip vertically (Shift+V)")
        self._align = tool_button("align", "Align: Lines up edges or centres.")
        for field in self._fields:
            field.setFixedWidth(68 if field is not self._angle else 76)
        rules = [line("v"), line("v"), line("v")]
        for rule in rules:
            rule.setFixedHeight(16)
        for button, action in (
            (self._flip_h, "layer.flip_horizontal"), (self._flip_v, "layer.flip_vertical"),
        ):  # fmt: skip
            on_click(button, lambda action=action: self._run_action(action))
        on_click(self._align, self._open_align)
        buttons = (rules[0], self._flip_h, self._flip_v, rules[1], self._align, rules[2])
        self._placing = QWidget()
        row = QHBoxLayout(self._placing)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for field in self._fields:
            row.addWidget(field)
        row.addSpacing(8)
        for part in buttons:
            row.addWidget(part)
        self._placing.hide()
        self._move_row.insertWidget(1, self._placing)
        self._connect_fields()

    def _build(self) -> None:
        move = QWidget()
        row = self._move_row = QHBoxLayout(move)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self._hint)
        row.addWidget(self.snap)
        row.addStretch(1)
        compare = QWidget()
        beside = QHBoxLayout(compare)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.addWidget(self.compare_kind)
        beside.addStretch(1)
        self._pages = QStackedWidget()
        self._pages.addWidget(move)
        self._pages.addWidget(compare)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(12, 0, 12, 0)
        whole.setSpacing(4)
        whole.addWidget(self._pages, 1)
        self.method.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        whole.addWidget(self.method)
        whole.addSpacing(8)
        whole.addWidget(Label("Show", "second"))
        whole.addSpacing(4)
        whole.addWidget(self.noise_map)
        whole.addWidget(self.panels)

    def _connect_fields(self) -> None:
        listen(self._x.entered, lambda value: self._move_to(value, None))
        listen(self._y.entered, lambda value: self._move_to(None, value))
        listen(self._w.entered, lambda value: self._scale_to(value, None))
        listen(self._h.entered, lambda value: self._scale_to(None, value))
        self._angle.entered.connect(self._turn_to)

    def _connect(self) -> None:
        self.snap.toggled.connect(self.snap_toggled)
        self.noise_map.toggled.connect(self.noise_map_toggled)
        self.compare_kind.chosen.connect(self.compare_kind_chosen)
        listen(self.method.chosen, lambda value: choose_method(self._editor, value))

    def add_page(self, tool: str, page: QWidget) -> None:
        """Give a tool its own options; several tools may share a page."""
        if self._pages.indexOf(page) < 0:
            # A page that is wide must not take its width from the dock.
            page.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            self._pages.addWidget(page)
        self._tool_pages[tool] = page

    def show_tool(self, tool: str) -> None:
        """Show the options of the tool that is on."""
        self._tool = tool
        self._show_page()

    def show_view(self, view: str) -> None:
        """In Compare the bar has its kinds instead."""
        self._view = view
        self._show_page()

    def _show_page(self) -> None:
        page = self._tool_pages.get(self._tool)
        if self._view == "compare":
            self._pages.setCurrentIndex(1)
        elif page is not None:
            self._pages.setCurrentWidget(page)
        else:
            self._pages.setCurrentIndex(0)

    def show_toggles(self, *, snap: bool, noise_map: bool) -> None:
        """Show what is on without telling anyone."""
        for button, on in ((self.snap, snap), (self.noise_map, noise_map)):
            with QSignalBlocker(button):
                button.setChecked(on)

    def _on_changed(self, change: Changed) -> None:
        if change.changes_collage:
            self._refresh()

    def _refresh(self) -> None:
        document, ids = self._editor.document, self._selection.ids
        method = document.settings.method
        self.method.show_value(method)
        self.method.setToolTip(f"{dict(METHODS).get(method, method)}: {SENTENCES.get(method, '')}")
        box = selection_box(document, ids)
        if box is not None:
            self.make_ready()
        if self._is_ready:
            self._placing.setVisible(box is not None)
        self._hint.setVisible(box is None)
        if box is None:
            return
        left, top, right, bottom = box
        values = (left, top, right - left, bottom - top)
        for field, value in zip(self._fields, values, strict=False):
            field.show_value(value)
        self._angle.show_value(angle_of(document, self._selection.active))
        layers = [document.find(layer_id) for layer_id in ids]
        free = not any(layer is not None and layer.locked for layer in layers)
        for part in (*self._fields, self._flip_h, self._flip_v, self._align):
            part.setEnabled(free)

    def _transform(self, transform: Affine, what: str) -> None:
        ids = self._selection.ids
        label = f"{what} {names_of(self._editor.document, ids)}"
        self._editor.apply(lambda document: edits.transform_layers(document, ids, transform), label)

    def _move_to(self, x: float | None, y: float | None) -> None:
        box = selection_box(self._editor.document, self._selection.ids)
        if box is not None:
            by_x = 0.0 if x is None else x - box[0]
            by_y = 0.0 if y is None else y - box[1]
            self._transform(Affine.translation(by_x, by_y), "Move")

    def _scale_to(self, width: float | None, height: float | None) -> None:
        """One side given: the other follows in proportion."""
        box = selection_box(self._editor.document, self._selection.ids)
        if box is None or box[2] <= box[0] or box[3] <= box[1]:
            return
        factor = (
            width / (box[2] - box[0]) if width is not None else (height or 1) / (box[3] - box[1])
        )
        self._transform(Affine.scaling(factor).about(box[0], box[1]), "Scale")

    def _turn_to(self, degrees: float) -> None:
        document = self._editor.document
        box = selection_box(document, self._selection.ids)
        if box is not None:
            by = degrees - angle_of(document, self._selection.active)
            centre = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            self._transform(Affine.rotation(by).about(*centre), "Turn")

    def _open_align(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for action_id in ALIGNMENTS:
            menu.addAction(self._actions(action_id))
        menu.popup(self._align.mapToGlobal(QPoint(0, self._align.height() + 2)))
