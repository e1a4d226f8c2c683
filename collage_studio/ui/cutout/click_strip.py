"""The options of Pick: by strokes, or by clicks where a segmentation model was chosen."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QWidget

from collage_studio.ui.cutout.click_tool import ClickTool
from collage_studio.ui.widgets.basics import Button, Label, listen, on_click
from collage_studio.ui.widgets.segment import Choice, Segment

_WAYS = (
    Choice("strokes", "Strokes", tooltip="Strokes: Drawn along the object and around it."),
    Choice("clicks", "Clicks", tooltip="Clicks: Your segmentation model finds what they are on."),
)


class ClickStrip(QWidget):
    """The cut, the last click back, and what to do."""

    def __init__(self, tool: ClickTool) -> None:
        super().__init__()
        self._tool = tool
        self.cut = Button("Cut out", icon_name="check", kind="tinted")
        self.cut.setToolTip("Cut out (Return): Hides all that was not found.")
        self.back = Button("Click back", icon_name="undo", kind="quiet")
        self.back.setToolTip("Click back: Takes the newest click away.")
        self.says = Label("", "second", elide=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for button in (self.cut, self.back):
            button.setFixedHeight(24)
            row.addWidget(button)
        row.addSpacing(4)
        row.addWidget(self.says, 1)
        on_click(self.cut, tool.cut)
        on_click(self.back, tool.undo_click)
        tool.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what can be done now."""
        tool = self._tool
        self.cut.setEnabled(tool.can_cut)
        self.back.setEnabled(tool.click_count > 0)
        if tool.click_count == 0:
            self.says.show_text("Click on the object; Alt-click on what is not it")
        else:
            self.says.show_text("Working it out" if tool.is_busy else "")


class PickPage(QWidget):
    """Strokes or clicks; the choice is there only while there is one."""

    def __init__(self, strokes: QWidget, clicks: QWidget, changed: Callable[[], None]) -> None:
        """Args: changed: called when the person chooses the other way."""
        super().__init__()
        self._changed = changed
        self.ways = Segment(_WAYS, height=24, compact=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self.ways)
        self._stack = QStackedLayout()
        # Put in first: a stack shows its widgets, which would be windows without a parent.
        row.addLayout(self._stack, 1)
        self._stack.addWidget(strokes)
        self._stack.addWidget(clicks)
        listen(self.ways.chosen, self._take)
        self.ways.show_value("strokes")

    @property
    def by_clicks(self) -> bool:
        """Clicks are the way chosen."""
        return self._stack.currentIndex() == 1

    def offer_clicks(self, on: bool) -> None:
        """Whether a segmentation model is there; without one only strokes are."""
        self.ways.setVisible(on)
        if not on and self.by_clicks:
            self._take("strokes")

    def _take(self, way: str) -> None:
        self.ways.show_value(way)
        self._stack.setCurrentIndex(1 if way == "clicks" else 0)
        self._changed()
