"""Layout layers in the window: the tool that draws them and the menu entry that adds one."""

from __future__ import annotations

from collections.abc import Callable

from collage_studio.app.editor import Editor
from collage_studio.app.selection import Selection
from collage_studio.document.layouts import add_layout, box_layer, middle_box
from collage_studio.document.model import Layer, LayerKind
from collage_studio.ui.action_table import ActionTable
from collage_studio.ui.canvas.canvas import Canvas
from collage_studio.ui.canvas.layout_tool import LayoutTool

TOOL = "layout"


class LayoutCommands:
    """Binds what makes layout layers. Made after the commands of other drawing tools."""

    def __init__(
        self,
        editor: Editor,
        selection: Selection,
        canvas: Canvas,
        set_tool: Callable[[str], None],
    ) -> None:
        self._editor, self._selection, self._canvas = editor, selection, canvas
        self._set_tool = set_tool
        self._edit_text: Callable[[], object] = lambda: None
        self._tool = LayoutTool(editor, lambda: canvas.viewport, canvas.update, self._take)
        canvas.tool_changed.connect(self._on_tool)

    def bind(self, table: ActionTable) -> None:
        """Give the table its functions."""
        self._edit_text = lambda: table.run("layer.text")
        table.bind("layer.add_box", self.add_box)
        table.bind(f"tool.{TOOL}", lambda: self._set_tool(TOOL))

    def add_box(self) -> None:
        """Put a layout box in the middle."""
        document = self._editor.document
        count = sum(layer.kind is LayerKind.LAYOUT for layer in document.walk())
        self._take(box_layer(middle_box(document), name=f"Box {count + 1}"))

    def _on_tool(self, tool: str) -> None:
        if tool == TOOL:
            self._canvas.hand_tool = self._tool
            self._canvas.update()

    def _take(self, layer: Layer) -> None:
        """Add a layer, select it and let its text be typed."""
        self._editor.apply(lambda d: add_layout(d, layer), f"Add {layer.name}")
        if self._canvas.tool == TOOL:
            self._set_tool("move")
        self._selection.select((layer.id,))
        self._edit_text()
