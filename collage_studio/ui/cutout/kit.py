"""The drawing tools of one window with their shared brush and their option strips."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from collage_studio.app.settings import Preferences, PreferencesStore
from collage_studio.ui.canvas.canvas_view import CanvasView
from collage_studio.ui.canvas.hand_tool import HandTool
from collage_studio.ui.cutout.brush_tool import Brush, BrushTool, LassoTool
from collage_studio.ui.cutout.click_strip import ClickStrip, PickPage
from collage_studio.ui.cutout.click_tool import ClickTool, Pair
from collage_studio.ui.cutout.noise_strip import NoiseStrip
from collage_studio.ui.cutout.noise_tool import NoiseBrush, NoiseTool
from collage_studio.ui.cutout.pick_tool import PickTool
from collage_studio.ui.cutout.segment_process import SegmentProcess
from collage_studio.ui.cutout.strips import MAX_SIZE, BrushStrip, LassoStrip, PickStrip


class Kit:
    """Pick, brush, eraser, lasso and noise; brush and eraser are one tool that adds or removes.

    Pick works by strokes, or by clicks where the person has chosen a segmentation model.
    """

    def __init__(
        self,
        canvas: CanvasView,
        run_action: Callable[[str], None],
        set_tool: Callable[[str], None],
        store: PreferencesStore,
    ) -> None:
        self._store = store
        self._canvas, self._set_tool = canvas, set_tool
        self.red_shown = True
        self.brush = Brush()
        self.painter = BrushTool(canvas, self.brush, lambda: self.red_shown)
        self.lasso = LassoTool(canvas, self.brush, lambda: self.red_shown)
        self.noise = NoiseTool(canvas, NoiseBrush())
        self.pick = PickTool(canvas)
        self.process = SegmentProcess(canvas)
        self.clicks = ClickTool(canvas, self.process, self._pair)
        self._brush_strip = BrushStrip(self.brush, run_action, set_tool)
        self._noise_strip = NoiseStrip(self.noise, canvas.editor, canvas.selection, run_action)
        self._pick_strip = PickStrip(self.pick, run_action)
        self._page = PickPage(self._pick_strip, ClickStrip(self.clicks), self._on_way)
        self._subscription = store.changed.subscribe(self._on_preferences)
        self._on_preferences(store.current)
        self.strips: dict[str, QWidget] = {
            "brush": self._brush_strip,
            "eraser": self._brush_strip,
            "lasso": LassoStrip(self.brush, run_action),
            "noise": self._noise_strip,
            "pick": self._page,
        }

    def take(self, tool: str) -> HandTool:
        """The tool of this name, ready to draw."""
        if tool == "pick":
            return self.clicks if self._page.by_clicks else self.pick
        if tool == "lasso":
            return self.lasso
        if tool == "noise":
            return self.noise
        self.brush.adds = tool == "brush"
        self._brush_strip.refresh()
        return self.painter

    def cut(self) -> None:
        """Cut out what strokes or clicks mean."""
        if self._page.by_clicks:
            self.clicks.cut()
        else:
            self.pick.cut()

    def close(self) -> None:
        """End the model's process; called when the window closes."""
        self._subscription.close()
        self._noise_strip.close_subscriptions()
        self.process.stop()

    def _pair(self) -> Pair | None:
        chosen = self._store.current.segmenter
        return (chosen[0], chosen[1]) if len(chosen) == 2 and all(chosen) else None

    def _on_preferences(self, _preferences: Preferences) -> None:
        self._page.offer_clicks(self._pair() is not None)

    def _on_way(self) -> None:
        """The person chose strokes or clicks."""
        if self._canvas.tool == "pick":
            self._canvas.hand_tool = self.take("pick")
            self._canvas.update()

    def swap(self, tool: str) -> None:
        """Add becomes remove, object becomes backdrop, Raise becomes Lower, and back."""
        if tool == "pick" and not self._page.by_clicks:
            self.pick.draws_object = not self.pick.draws_object
            self._pick_strip.refresh()
        elif tool in {"brush", "eraser"}:
            self._set_tool("eraser" if tool == "brush" else "brush")
        elif tool == "noise":
            self.noise.swap()
            self._noise_strip.refresh()
        self._canvas.update()

    def scale_brush(self, factor: float) -> None:
        """Make the brush larger or smaller by at least a pixel."""
        brush, strip = self._brush_on
        size = brush.size * factor
        size = size + 1 if factor > 1 else size - 1
        brush.size = float(round(min(max(size, 1.0), MAX_SIZE)))
        strip.refresh()
        self._canvas.update()

    def harden(self, by: float) -> None:
        """Make the brush's edge harder or softer."""
        brush, strip = self._brush_on
        brush.hardness = min(max(round(brush.hardness + by, 2), 0.0), 1.0)
        strip.refresh()
        self._canvas.update()

    @property
    def _brush_on(self) -> tuple[Brush | NoiseBrush, BrushStrip | NoiseStrip]:
        """The brush that the keys change, and its strip."""
        if self._canvas.tool == "noise":
            return self.noise.brush, self._noise_strip
        return self.brush, self._brush_strip
