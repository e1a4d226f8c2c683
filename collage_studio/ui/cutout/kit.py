"""The drawing tools of one window with their shared brush and their option strips."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from collage_studio.ui.canvas.canvas_view import CanvasView
from collage_studio.ui.canvas.hand_tool import HandTool
from collage_studio.ui.cutout.brush_tool import Brush, BrushTool, LassoTool
from collage_studio.ui.cutout.pick_tool import PickTool
from collage_studio.ui.cutout.strips import MAX_SIZE, BrushStrip, LassoStrip, PickStrip


class Kit:
    """Pick, brush, eraser and lasso; brush and eraser are one tool that adds or removes."""

    def __init__(
        self,
        canvas: CanvasView,
        run_action: Callable[[str], None],
        set_tool: Callable[[str], None],
    ) -> None:
        self._canvas, self._set_tool = canvas, set_tool
        self.red_shown = True
        self.brush = Brush()
        self.painter = BrushTool(canvas, self.brush, lambda: self.red_shown)
        self.lasso = LassoTool(canvas, self.brush, lambda: self.red_shown)
        self.pick = PickTool(canvas)
        self._brush_strip = BrushStrip(self.brush, run_action, set_tool)
        self._pick_strip = PickStrip(self.pick, run_action)
        self.strips: dict[str, QWidget] = {
            "brush": self._brush_strip,
            "eraser": self._brush_strip,
            "lasso": LassoStrip(self.brush, run_action),
            "pick": self._pick_strip,
        }

    def take(self, tool: str) -> HandTool:
        """The tool of this name, ready to draw."""
        if tool == "pick":
            return self.pick
        if tool == "lasso":
            return self.lasso
        self.brush.adds = tool == "brush"
        self._brush_strip.refresh()
        return self.painter

    def swap(self, tool: str) -> None:
        """Add becomes remove, object becomes backdrop, and back."""
        if tool == "pick":
            self.pick.draws_object = not self.pick.draws_object
            self._pick_strip.refresh()
        elif tool in {"brush", "eraser"}:
            self._set_tool("eraser" if tool == "brush" else "brush")
        self._canvas.update()

    def scale_brush(self, factor: float) -> None:
        """Make the brush larger or smaller by at least a pixel."""
        size = self.brush.size * factor
        size = size + 1 if factor > 1 else size - 1
        self.brush.size = float(round(min(max(size, 1.0), MAX_SIZE)))
        self._brush_strip.refresh()
        self._canvas.update()

    def harden(self, by: float) -> None:
        """Make the brush's edge harder or softer."""
        self.brush.hardness = min(max(round(self.brush.hardness + by, 2), 0.0), 1.0)
        self._brush_strip.refresh()
