"""The options strip of the noise brush."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from collage_studio.app.actions import BY_ID, REASONS, has_paint
from collage_studio.app.editor import Changed, Editor
from collage_studio.app.selection import Selection
from collage_studio.cutout.noise_brush import PaintMode
from collage_studio.ui.cutout.noise_tool import NoiseTool
from collage_studio.ui.cutout.strips import MAX_SIZE
from collage_studio.ui.widgets.basics import Button, line, listen, on_click
from collage_studio.ui.widgets.segment import Choice, Segment
from collage_studio.ui.widgets.value_bar import ValueBar

CLEAR = "layer.clear_paint"
_MODES = (
    Choice("set", "Set", tooltip="Set: Draws the noise towards the value beside it."),
    Choice("raise", "Raise", tooltip="Raise: More noise with each stroke. X swaps with Lower."),
    Choice("lower", "Lower", tooltip="Lower: Less noise with each stroke. X swaps with Raise."),
)
_LEAST = 84
_GAP = 6
_NOISE_TIP = "Noise: What a stroke sets. Alt and a click pick it off the map."


class NoiseStrip(QWidget):
    """What a stroke does, the brush, and the end of all painted noise."""

    def __init__(
        self,
        tool: NoiseTool,
        editor: Editor,
        selection: Selection,
        run_action: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._tool, self._editor, self._selection = tool, editor, selection
        self.kind = Segment(_MODES, height=24, compact=True)
        self.noise = ValueBar("Noise", noise=True, height=24)
        self.size_bar = ValueBar("Size", 1, MAX_SIZE, unit=" px", height=24)
        self.hardness = ValueBar("Hardness", unit=" %", height=24)
        self.flow = ValueBar("Flow", 1, 100, unit=" %", height=24)
        self.size_bar.setToolTip("Size: Across, in canvas pixels. [ and ] change it.")
        self.hardness.setToolTip("Hardness: How sharp the brush ends. Shift+[ and Shift+].")
        self.flow.setToolTip("Flow: How far one stroke goes.")
        self.clear = Button("Clear paint")
        self.clear.setFixedHeight(24)
        self._lay_out()
        brush = tool.brush
        listen(self.kind.chosen, self._take_mode)
        listen(self.noise.changed, lambda value: setattr(brush, "noise", value / 100))
        listen(self.size_bar.changed, lambda value: setattr(brush, "size", value))
        listen(self.hardness.changed, lambda value: setattr(brush, "hardness", value / 100))
        listen(self.flow.changed, lambda value: setattr(brush, "flow", value / 100))
        on_click(self.clear, lambda: run_action(CLEAR))
        tool.picked = self.refresh
        self._subscriptions = [
            editor.changed.subscribe(self._on_changed),
            selection.changed.subscribe(lambda _ids: self._show_clear()),
        ]
        self.refresh()
        self._show_clear()

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(_GAP)
        row.addWidget(self.kind)
        row.addSpacing(2)
        bars = (
            (self.noise, 80, 128), (self.size_bar, 96, 120),
            (self.hardness, 118, 128), (self.flow, 89, 112),
        )  # fmt: skip
        for bar, whole, most in bars:
            bar.setMinimumWidth(min(whole, _LEAST))
            bar.setMaximumWidth(most)
            row.addWidget(bar, whole)  # room is shared out by what the words need
        rule = line("v")
        rule.setFixedHeight(16)
        row.addWidget(rule)
        row.addWidget(self.clear)
        row.addStretch(0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where it is narrow, hardness goes, which has keys, and then flow."""
        bars = (self.noise, self.size_bar, self.hardness, self.flow)
        needed = sum(bar.minimumWidth() + _GAP for bar in bars)
        needed += self.kind.sizeHint().width() + self.clear.sizeHint().width() + 3 * _GAP
        for bar in (self.hardness, self.flow):
            bar.setVisible(needed <= self.width())
            if bar.isHidden():
                needed -= bar.minimumWidth() + _GAP

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        for subscription in self._subscriptions:
            subscription.close()

    def refresh(self) -> None:
        """Show the brush as it is."""
        brush = self._tool.brush
        sets = brush.mode is PaintMode.SET
        self.kind.show_value(str(brush.mode))
        self.noise.setEnabled(sets)
        self.noise.setToolTip(
            _NOISE_TIP if sets else f"Noise: {brush.mode.capitalize()} needs no value."
        )
        self.noise.show_value(brush.noise * 100)
        self.size_bar.show_value(brush.size)
        self.hardness.show_value(brush.hardness * 100)
        self.flow.show_value(brush.flow * 100)

    def _take_mode(self, value: str) -> None:
        self._tool.brush.mode = PaintMode(value)
        self.refresh()

    def _on_changed(self, change: Changed) -> None:
        if change.changes_collage:
            self._show_clear()

    def _show_clear(self) -> None:
        document, ids = self._editor.document, self._selection.ids
        reason = REASONS["painted"] if ids else REASONS["selection"]
        if has_paint(document, ids):
            reason = ""
        self.clear.setEnabled(not reason)
        self.clear.setToolTip(reason or f"Clear paint: {BY_ID[CLEAR].tooltip}")
