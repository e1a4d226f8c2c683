"""The options strips of mask brush, eraser, lasso and pick."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QWidget

from collage_studio.cutout.brush import LassoMode
from collage_studio.ui.cutout.brush_tool import Brush
from collage_studio.ui.cutout.pick_tool import PickTool
from collage_studio.ui.widgets.basics import Button, Label, line, listen, on_click
from collage_studio.ui.widgets.segment import Choice, Segment
from collage_studio.ui.widgets.value_bar import ValueBar

MAX_SIZE = 600
_ADD = Choice("add", "Add", tooltip="Add: Paints hidden parts back in. X swaps.")
_REMOVE = Choice("remove", "Remove", tooltip="Remove: Hides parts of the layer. X swaps.")


class BrushStrip(QWidget):
    """Add or Remove, size, hardness, flow, and what can be done to the edge."""

    def __init__(
        self, brush: Brush, run_action: Callable[[str], None], use_tool: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._brush = brush
        self.kind = Segment((_ADD, _REMOVE), height=24, compact=True)
        self.size_bar = ValueBar("Size", 1, MAX_SIZE, unit=" px", height=24)
        self.hardness = ValueBar("Hardness", unit=" %", height=24)
        self.flow = ValueBar("Flow", 1, 100, unit=" %", height=24)
        self.size_bar.setToolTip("Size: Across, in canvas pixels. [ and ] change it.")
        self.hardness.setToolTip("Hardness: How sharp the brush ends.")
        self.flow.setToolTip("Flow: How far one stroke goes.")
        row = _row(self)
        row.addWidget(self.kind)
        row.addSpacing(4)
        for bar, width in ((self.size_bar, 112), (self.hardness, 120), (self.flow, 104)):
            bar.setMinimumWidth(width - 32)
            bar.setMaximumWidth(width)
            row.addWidget(bar, 1)
        _add_edge_buttons(row, run_action)
        row.addStretch(0)
        listen(self.kind.chosen, lambda value: use_tool("brush" if value == "add" else "eraser"))
        listen(self.size_bar.changed, lambda value: setattr(brush, "size", value))
        listen(self.hardness.changed, lambda value: setattr(brush, "hardness", value / 100))
        listen(self.flow.changed, lambda value: setattr(brush, "flow", value / 100))
        self.refresh()

    def refresh(self) -> None:
        """Show the brush as it is."""
        brush = self._brush
        self.kind.show_value("add" if brush.adds else "remove")
        self.size_bar.show_value(brush.size)
        self.hardness.show_value(brush.hardness * 100)
        self.flow.show_value(brush.flow * 100)


class LassoStrip(QWidget):
    """What a lasso does with the part inside it."""

    def __init__(self, brush: Brush, run_action: Callable[[str], None]) -> None:
        super().__init__()
        self._brush = brush
        only = Choice("only", "Keep inside", tooltip="Keep inside: Hides all the rest.")
        self.kind = Segment((only, _ADD, _REMOVE), height=24, compact=True)
        row = _row(self)
        row.addWidget(self.kind)
        _add_edge_buttons(row, run_action)
        row.addStretch(1)
        listen(self.kind.chosen, self._take)
        self.refresh()

    def refresh(self) -> None:
        """Show the lasso's mode."""
        self.kind.show_value(str(self._brush.lasso))

    def _take(self, value: str) -> None:
        self._brush.lasso = LassoMode(value)


class PickStrip(QWidget):
    """Object or backdrop strokes, and the cut."""

    def __init__(self, tool: PickTool, run_action: Callable[[str], None]) -> None:
        super().__init__()
        self._tool = tool
        on_object = Choice("object", "Object", tooltip="Object: What is to stay. X swaps.")
        backdrop = Choice("backdrop", "Backdrop", tooltip="Backdrop: What is to go. X swaps.")
        self.kind = Segment((on_object, backdrop), height=24, compact=True)
        self.cut = Button("Cut out", icon_name="check", kind="tinted")
        self.cut.setToolTip("Cut out (Return): Finds the fine edge and hides the rest.")
        self.back = Button("Stroke back", icon_name="undo", kind="quiet")
        self.back.setToolTip("Stroke back: Takes the newest stroke away.")
        self.models = Button("By model", icon_name="model", kind="quiet")
        self.models.setToolTip("By model: Background models, with licence and size.")
        self.says = Label("", "second", elide=True)
        row = _row(self)
        row.addWidget(self.kind)
        row.addSpacing(4)
        for button in (self.cut, self.back):
            button.setFixedHeight(24)
            row.addWidget(button)
        row.addWidget(_rule())
        self.models.setFixedHeight(24)
        row.addWidget(self.models)
        row.addSpacing(4)
        row.addWidget(self.says, 1)
        listen(self.kind.chosen, self._take)
        on_click(self.cut, tool.cut)
        on_click(self.back, tool.undo_stroke)
        on_click(self.models, lambda: run_action("mask.remove_background"))
        tool.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what can be done now."""
        tool = self._tool
        self.kind.show_value("object" if tool.draws_object else "backdrop")
        ready = tool.can_cut and not tool.is_busy
        self.cut.setEnabled(ready)
        self.back.setEnabled(tool.stroke_count > 0)
        if tool.stroke_count == 0:
            self.says.show_text("Draw along the object, then once around it")
        elif tool.is_busy:
            self.says.show_text("Working it out")
        else:
            self.says.show_text("")

    def _take(self, value: str) -> None:
        self._tool.draws_object = value == "object"


def _row(widget: QWidget) -> QHBoxLayout:
    row = QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(6)
    return row


def _rule() -> QWidget:
    rule = line("v")
    rule.setFixedHeight(16)
    return rule


def _add_edge_buttons(row: QHBoxLayout, run_action: Callable[[str], None]) -> None:
    row.addWidget(_rule())
    buttons = (
        ("Refine edge", "mask.refine", "Refine edge: Finds the outline anew, hair included."),
        ("Edge", "mask.edge", "Edge: Grow, shrink, smooth and feather."),
    )
    for text, action, tooltip in buttons:
        button = Button(text, tooltip=tooltip)
        button.setFixedHeight(24)
        on_click(button, lambda action=action: run_action(action))
        row.addWidget(button)
