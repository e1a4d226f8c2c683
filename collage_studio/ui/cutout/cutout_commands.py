"""Binds the Mask menu and the tools that draw on layers; makes them when they are first needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QWidget

from collage_studio.app.editor import Editor
from collage_studio.app.notices import Notice
from collage_studio.app.selection import Selection
from collage_studio.app.settings import PreferencesStore
from collage_studio.document import edits
from collage_studio.ui.action_table import ActionTable
from collage_studio.ui.canvas.canvas import Canvas
from collage_studio.ui.panels.options_bar import OptionsBar

if TYPE_CHECKING:
    from collage_studio.cutout.rembg_models import CutoutModel
    from collage_studio.document.model import Mask, Raster
    from collage_studio.ui.background import Background
    from collage_studio.ui.cutout.background_popover import BackgroundPopover
    from collage_studio.ui.cutout.edge_popover import EdgePopover
    from collage_studio.ui.cutout.kit import Kit
    from collage_studio.ui.cutout.model_process import ModelProcess
    from collage_studio.ui.cutout.target import Target

TOOLS = ("pick", "brush", "eraser", "lasso", "noise")
REFINE_PX = 12.0


class CutoutCommands:
    """All that cuts out, as actions over the selected layer."""

    def __init__(
        self,
        window: QWidget,
        canvas: Canvas,
        options: OptionsBar,
        editor: Editor,
        selection: Selection,
        notice: Callable[[Notice], None],
        set_tool: Callable[[str], None],
        store: PreferencesStore,
    ) -> None:
        self._window, self._canvas, self._options = window, canvas, options
        self._editor, self._selection, self._notice = editor, selection, notice
        self._set_tool, self._store = set_tool, store
        self._run_action: Callable[[str], None] = lambda _action: None
        self._edge: EdgePopover | None = None
        self._removal: BackgroundPopover | None = None
        self._process: ModelProcess | None = None
        self._asked: tuple[str, Raster] | None = None
        canvas.tool_changed.connect(self._on_tool)

    def bind(self, table: ActionTable) -> None:
        """Give the table its functions."""
        self._run_action = table.run
        for tool in TOOLS:
            table.bind(f"tool.{tool}", lambda tool=tool: self._set_tool(tool))
        table.bind("mask.remove_background", self.open_removal)
        table.bind("mask.cut", lambda: self.kit.cut())
        table.bind("mask.refine", self.refine)
        table.bind("mask.edge", self.open_edge)
        table.bind("mask.clean", self.clean)
        table.bind("mask.invert", self.invert)
        table.bind("mask.drop", self.drop)
        table.bind("mask.toggle", self.toggle)
        table.bind("mask.show", self.toggle_red)
        table.bind("mask.swap", lambda: self.kit.swap(self._canvas.tool))
        table.bind("mask.smaller", lambda: self.kit.scale_brush(0.8))
        table.bind("mask.bigger", lambda: self.kit.scale_brush(1.25))
        table.bind("mask.softer", lambda: self.kit.harden(-0.1))
        table.bind("mask.harder", lambda: self.kit.harden(0.1))

    def close(self) -> None:
        """End a model's process; called when the window closes."""
        if self._process is not None:
            self._process.stop()
        if "kit" in self.__dict__:
            self.kit.close()

    @cached_property
    def kit(self) -> Kit:
        """The tools and their strips."""
        from collage_studio.ui.cutout.kit import Kit

        kit = Kit(self._canvas, self._run_action, self._set_tool, self._store)
        for tool, strip in kit.strips.items():
            self._options.add_page(tool, strip)
        kit.pick.failed.connect(self._say)
        kit.clicks.failed.connect(self._say)
        return kit

    def _on_tool(self, tool: str) -> None:
        if tool != "noise" and "kit" in self.__dict__:
            self.kit.noise.cancel()
        if tool in TOOLS:
            self._canvas.hand_tool = self.kit.take(tool)
            self._canvas.update()
        else:
            self._canvas.hand_tool = None
        self._options.show_tool(tool)

    def _target(self) -> Target | None:
        from collage_studio.ui.cutout.target import target_of

        target = target_of(self._editor, self._selection)
        if target is None:
            self._say("Select a picture layer that is not locked.")
        return target

    def _say(self, words: str) -> None:
        self._notice(Notice(words, "warn", key="cutout"))

    # Removing a background

    def open_removal(self) -> None:
        """Offer strokes and models."""
        if self._target() is None:
            return
        if self._removal is None:
            from collage_studio.ui.cutout.background_popover import BackgroundPopover
            from collage_studio.ui.cutout.model_process import ModelProcess

            self._process = ModelProcess(self._window)
            self._process.done.connect(self._on_mask)
            self._process.failed.connect(self._on_model_failed)
            self._removal = BackgroundPopover(
                self._window, self._process, lambda: self._set_tool("pick"), self._by_model
            )
        self._removal.toggle_at(self._options)

    def _by_model(self, model: CutoutModel) -> None:
        target = self._target()
        if target is None or target.layer.raster is None or self._process is None:
            return
        self._asked = (target.layer.id, target.layer.raster)
        self._process.remove(target.layer.raster, model.name)
        self._notice(Notice(f"{model.title} looks for the object.", "info", key="cutout"))

    def _on_mask(self, mask: Mask | None) -> None:
        if mask is None or self._asked is None:
            return
        layer_id, raster = self._asked
        self._asked = None
        layer = self._editor.document.find(layer_id)
        if layer is None or layer.raster is not raster or mask.size != raster.size:
            return
        self._give(layer_id, mask, f"Cut out {layer.name}")
        undo = (("Undo", "edit.undo"), ("Refine edge", "mask.refine"))
        self._notice(Notice(f"Cut out {layer.name}.", "ok", undo, key="cutout"))

    def _on_model_failed(self, words: str) -> None:
        if self._asked is not None:
            self._asked = None
            self._say(words)

    # Edges

    def _give(self, layer_id: str, mask: Mask | None, label: str, merge: str = "") -> None:
        from collage_studio.ui.cutout.target import give_mask

        if not merge:
            self._editor.seal()
        give_mask(self._editor, layer_id, mask, label, merge)

    def open_edge(self) -> None:
        """Open the bars of the edge."""
        if self._target() is None:
            return
        if self._edge is None:
            from collage_studio.ui.cutout.edge_popover import EdgePopover
            from collage_studio.ui.cutout.target import target_of

            self._edge = EdgePopover(
                self._window,
                lambda: target_of(self._editor, self._selection),
                self._background,
                self._run_action,
                self._give,
            )
        self._edge.toggle_at(self._options)

    def refine(self) -> None:
        """Find the outline anew near where it is."""
        target = self._target()
        if target is None or target.layer.raster is None:
            return
        from collage_studio.cutout.edges import refine_edge
        from collage_studio.cutout.layers import as_mask, outline_of, picture_of

        layer, raster = target.layer, target.layer.raster
        band = max(3.0, REFINE_PX / abs(target.placed.determinant) ** 0.5)
        outline = outline_of(layer)
        self._beside(
            lambda: as_mask(refine_edge(picture_of(raster), outline, band)),
            layer.id,
            raster,
            lambda mask: self._give(layer.id, mask, f"Refine edge of {layer.name}"),
        )

    def clean(self) -> None:
        """Take the backdrop's colour out of the edge; the layer gets new pixels."""
        target = self._target()
        if target is None or target.layer.raster is None:
            return
        from collage_studio.cutout.layers import cleaned_raster

        layer, raster = target.layer, target.layer.raster

        def give(cleaned: Raster) -> None:
            self._editor.seal()
            self._editor.apply(
                lambda d: edits.change_layer(d, layer.id, raster=cleaned),
                f"Clean colours of {layer.name}",
            )

        self._beside(lambda: cleaned_raster(layer), layer.id, raster, give)

    def _beside(
        self,
        work: Callable[[], Any],
        layer_id: str,
        raster: Raster,
        give: Callable[[Any], None],
    ) -> None:
        """Work beside the main thread; a layer changed or deleted meanwhile is left alone."""

        def arrived(outcome: Any) -> None:
            layer = self._editor.document.find(layer_id)
            if layer is not None and layer.raster is raster:
                give(outcome)

        self._background.submit(work, arrived)

    @property
    def _background(self) -> Background:
        return self._canvas.background

    def invert(self) -> None:
        """Show what was hidden and hide what was shown."""
        target = self._target()
        if target is not None:
            from collage_studio.cutout.layers import as_mask, outline_of

            layer = target.layer
            self._give(layer.id, as_mask(255 - outline_of(layer)), f"Invert mask of {layer.name}")

    def drop(self) -> None:
        """Remove the mask: everything is shown again."""
        target = self._target()
        if target is not None and target.layer.mask is not None:
            self._give(target.layer.id, None, f"Remove mask of {target.layer.name}")

    def toggle(self) -> None:
        """Switch the mask off to see the whole picture, or on again."""
        target = self._target()
        if target is not None and target.layer.mask is not None:
            layer = target.layer
            self._editor.apply(
                lambda d: edits.change_layer(d, layer.id, mask_enabled=not layer.mask_enabled),
                f"Mask of {layer.name}",
            )

    def toggle_red(self) -> None:
        """Show or hide the red over hidden parts."""
        self.kit.red_shown = not self.kit.red_shown
        self._canvas.update()
