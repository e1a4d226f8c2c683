"""The options strip of the crop tool: size, proportion, take it or leave it."""

from __future__ import annotations

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from collage_studio.document.cropping import LARGEST_PX
from collage_studio.document.geometry import Rect
from collage_studio.ui.canvas.crop_tool import CropTool
from collage_studio.ui.widgets.basics import Button, listen, on_click
from collage_studio.ui.widgets.fields import NumberField
from collage_studio.ui.widgets.segment import Choice, Segment

ROOM_FOR_RATIO, ROOM_FOR_BACK = 700, 460
"""Narrower strips leave out the proportions, then the way back, which Esc has too."""
_RATIOS = {"free": None, "1:1": 1.0, "4:3": 4 / 3, "3:4": 3 / 4, "16:9": 16 / 9}


class CropStrip(QWidget):
    """Shows and sets the frame of a `CropTool`."""

    def __init__(self, tool: CropTool) -> None:
        super().__init__()
        self._tool = tool
        self.fields = {
            "X": NumberField("X", "Left edge in px"),
            "Y": NumberField("Y", "Top edge in px"),
            "W": NumberField("W", "Width in px", low=1, high=LARGEST_PX),
            "H": NumberField("H", "Height in px", low=1, high=LARGEST_PX),
        }
        choices = [
            Choice(key, key.capitalize(), tooltip=f"Proportion: {_words_of(key)}")
            for key in _RATIOS
        ]
        self.ratio = Segment(choices, height=24, compact=True)
        self.take = Button("Crop", icon_name="check", kind="tinted")
        self.back = Button("Whole canvas", kind="quiet")
        self.back.setToolTip("Whole canvas (Esc): Gives the frame up.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for field in self.fields.values():
            field.setFixedWidth(68)
            row.addWidget(field)
        row.addSpacing(4)
        row.addWidget(self.ratio)
        row.addSpacing(4)
        for button in (self.take, self.back):
            button.setFixedHeight(24)
            row.addWidget(button)
        row.addStretch(1)
        for name, field in self.fields.items():
            listen(field.entered, lambda value, name=name: self._type(name, round(value)))
        listen(self.ratio.chosen, lambda value: tool.set_ratio(_RATIOS[value]))
        on_click(self.take, tool.finish)
        on_click(self.back, tool.reset)
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        width = event.size().width()
        self.ratio.setVisible(width >= ROOM_FOR_RATIO)
        self.back.setVisible(width >= ROOM_FOR_BACK)

    def refresh(self) -> None:
        """Show the frame as it is."""
        frame, changed = self._tool.frame, self._tool.is_changed
        values = {"X": frame.left, "Y": frame.top, "W": frame.width, "H": frame.height}
        for name, field in self.fields.items():
            field.show_value(values[name])
        kept = next((key for key, value in _RATIOS.items() if value == self._tool.ratio), "free")
        self.ratio.show_value(kept)
        self.take.setEnabled(changed)
        self.back.setEnabled(changed)
        reason = "Draw another frame first"
        self.take.setToolTip("Crop (Return): Gives the canvas this frame." if changed else reason)

    def _type(self, name: str, value: int) -> None:
        frame, ratio = self._tool.frame, self._tool.ratio
        left = value if name == "X" else frame.left
        top = value if name == "Y" else frame.top
        width = value if name == "W" else frame.width
        height = value if name == "H" else frame.height
        if ratio is not None and name == "W":
            height = max(1, round(width / ratio))
        elif ratio is not None and name == "H":
            width = max(1, round(height * ratio))
        self._tool.set_frame(Rect(left, top, left + width, top + height))


def _words_of(key: str) -> str:
    return "Every width and height." if key == "free" else f"Keeps {key}."
