"""Cropping in the window: the tool, its options, and the edit it makes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF

from collage_studio.app.editor import Changed, Editor
from collage_studio.app.notices import Notice
from collage_studio.document.geometry import Rect
from collage_studio.ui.action_table import ActionTable
from collage_studio.ui.canvas.canvas import Canvas
from collage_studio.ui.panels.options_bar import OptionsBar

if TYPE_CHECKING:
    from collage_studio.ui.canvas.crop_tool import CropTool
    from collage_studio.ui.panels.crop_strip import CropStrip

TOOL = "crop"
MARGIN = 12
"""Left free around a frame that is brought into sight, logical px."""


class CropCommands:
    """Binds the crop tool. Made after the commands of the drawing tools, as theirs take it off."""

    def __init__(
        self,
        editor: Editor,
        canvas: Canvas,
        options: OptionsBar,
        notice: Callable[[Notice], None],
    ) -> None:
        self._editor, self._canvas, self._options = editor, canvas, options
        self._set_tool: Callable[[str], None] = lambda _name: None
        self._notice = notice
        canvas.tool_changed.connect(self._on_tool)
        self._subscription = editor.changed.subscribe(self._on_changed)

    def bind(self, table: ActionTable, set_tool: Callable[[str], None]) -> None:
        """Give the table its functions."""
        self._set_tool = set_tool
        table.bind(f"tool.{TOOL}", lambda: set_tool(TOOL))

    def close(self) -> None:
        """Stop listening; called when the window closes."""
        self._subscription.close()

    @cached_property
    def tool(self) -> CropTool:
        """The tool; made when it is first taken."""
        from collage_studio.ui.canvas.crop_tool import CropTool

        return CropTool(
            lambda: self._editor.document.size,
            lambda: self._canvas.viewport,
            lambda: self._canvas.pointer_at,
            self._crop,
            self._show,
        )

    @cached_property
    def strip(self) -> CropStrip:
        """Its options."""
        from collage_studio.ui.panels.crop_strip import CropStrip

        made = CropStrip(self.tool)
        self._options.add_page(TOOL, made)
        return made

    def _on_tool(self, name: str) -> None:
        if name == TOOL:
            self.strip.refresh()
            self._canvas.hand_tool = self.tool
            self._options.show_tool(TOOL)
            self._canvas.update()
        elif "tool" in self.__dict__ and self.tool.is_changed:
            self.tool.reset()

    def _on_changed(self, change: Changed) -> None:
        if "tool" in self.__dict__ and change.before.size != change.after.size:
            self.tool.reset()

    def _show(self) -> None:
        self.strip.refresh()
        if not self.tool.is_drawing:
            self._bring_into_sight()
        self._canvas.update()

    def _bring_into_sight(self) -> None:
        """Zoom out and move the view where the frame reaches beyond the widget."""
        room = QRectF(self._canvas.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -3 * MARGIN)
        box = self.tool.box_in(self._canvas.viewport)
        if room.contains(box) or not self.tool.is_changed:
            return
        share = min(1.0, room.width() / box.width(), room.height() / box.height())
        if share < 1.0:
            self._canvas.zoom_to(self._canvas.zoom * share)
        way = room.center() - self.tool.box_in(self._canvas.viewport).center()
        self._canvas.pan(way.x(), way.y())

    def _crop(self, frame: Rect) -> None:
        from collage_studio.document.cropping import cropped

        try:
            cropped_document = cropped(self._editor.document, frame)
        except ValueError as error:
            self._notice(Notice(str(error), "warn", key="crop"))
            return
        self._editor.seal()
        self._editor.apply(lambda _document: cropped_document, "Crop")
        self._set_tool("move")
