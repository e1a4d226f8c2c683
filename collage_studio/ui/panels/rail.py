"""The tool rail at the left."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QVBoxLayout, QWidget

from collage_studio.ui.widgets.basics import Button, line, tool_button

TOOLS = (
    ("move", "move", "Move (V): Selects, moves, scales and turns layers."),
    ("pick", "pick", "Pick (W): Strokes on an object and around it cut it out."),
    ("", "", ""),
    ("brush", "brush", "Mask brush (B): Add to the mask. X removes."),
    ("eraser", "eraser", "Eraser (E): Hides parts of a layer; the mask brush brings them back."),
    ("lasso", "lasso", "Lasso (L): Keeps, adds or hides the part you draw around."),
    ("", "", ""),
    ("noise", "noise-brush", "Noise brush (N): Paint more or less change into the layer."),
    ("", "", ""),
    ("layout", "layout", "Layout box (U): A place with a text; Alt draws a free shape."),
    ("crop", "crop", "Crop (C): Cuts the canvas or makes it larger."),
    ("", "", ""),
    ("hand", "hand", "Hand (H): Moves the view. Space does so in every tool."),
    ("zoom", "zoom", "Zoom (Z): Brings the view nearer; Alt takes it away."),
)


class ToolRail(QWidget):
    """One tool is on; `chosen(tool)` when a person takes another."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("region", "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Tools")
        self.setFixedWidth(44)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, Button] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 8, 4, 8)
        column.setSpacing(4)
        for tool, icon_name, tooltip in TOOLS:
            if not tool:
                rule = line("h")
                rule.setFixedWidth(20)
                column.addWidget(rule, 0, Qt.AlignmentFlag.AlignHCenter)
                continue
            button = tool_button(icon_name, tooltip, checkable=True, size=36)
            button.setIconSize(QSize(20, 20))
            button.clicked.connect(lambda _on=False, tool=tool: self.chosen.emit(tool))
            self._group.addButton(button)
            self._buttons[tool] = button
            column.addWidget(button)
        column.addStretch(1)
        self.show_tool("move")

    def show_tool(self, tool: str) -> None:
        """Show which tool is on."""
        if tool in self._buttons:
            self._buttons[tool].setChecked(True)
