"""The bar along the top: menus, which view the canvas has, and what concerns the whole document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenuBar, QWidget

from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.basics import Button, on_click, tool_button
from collage_studio.ui.widgets.segment import Choice, Segment

VIEWS = (
    Choice("collage", "Collage", tooltip="Collage: The layers as you placed them."),
    Choice("result", "Harmonised", tooltip="Harmonised: The picture the model made of them."),
    Choice("compare", "Compare", tooltip="Compare (Y): Wipe between two versions."),
)


NARROW_BELOW = 1024


class Logo(QWidget):
    """Our mark."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(32, 39)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_icon(painter, "logo", QRectF(12, 10, 20, 20), "accent")
        painter.end()


class TopBar(QWidget):
    """40 px: logo, menus | views in the middle | undo, redo, find, queue, Export."""

    view_chosen = Signal(str)

    def __init__(self, run_action: Callable[[str], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("region", "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(39)
        self.menus = QMenuBar()
        self.menus.setNativeMenuBar(True)
        self.views = Segment(VIEWS, parent=self)
        self.views.setAccessibleName("View")
        self.views.chosen.connect(self.view_chosen)
        self.undo = tool_button("undo", "Undo (Ctrl+Z): Takes the last edit back.")
        self.redo = tool_button("redo", "Redo (Ctrl+Shift+Z): Brings it back.")
        self.find_button = tool_button(
            "find", "Find (Ctrl+F): Everything the program can do, by name."
        )
        self.queue = Button(
            "Queue",
            icon_name="queue",
            kind="quiet",
            tooltip="Queue: What runs, what waits, what failed.",
        )
        self._queue_words, self._queue_count = "Queue", 0
        self.export = Button(
            "Export",
            icon_name="export",
            tooltip="Export (Ctrl+Shift+E): Writes a layered PSD, a PNG or an OpenRaster file.",
        )
        self._build(run_action)

    def _build(self, run_action: Callable[[str], None]) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 12, 0)
        row.setSpacing(4)
        row.addWidget(Logo())
        row.addWidget(self.menus, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        for button, action in (
            (self.undo, "edit.undo"), (self.redo, "edit.redo"), (self.find_button, "edit.find"),
            (self.queue, "harmonise.queue"), (self.export, "file.export"),
        ):  # fmt: skip
            on_click(button, lambda action=action: run_action(action))
            row.addWidget(button)
        self.queue.setFixedHeight(28)
        self.export.setFixedHeight(28)

    def show_running(self, count: int, waiting: int = 0) -> None:
        """Say on the queue button how many jobs run."""
        busy = count + waiting
        self._queue_words = (
            f"{count} running" if count else (f"{waiting} waiting" if busy else "Queue")
        )
        self._queue_count = busy
        self._show_words()
        self.queue.set_kind("tinted" if count else "quiet")

    def _show_words(self) -> None:
        """A narrow bar has icons and numbers only, so that the views do not lie on buttons."""
        narrow = self.width() < NARROW_BELOW
        short = str(self._queue_count) if self._queue_count else ""
        for button, words in (
            (self.queue, short if narrow else self._queue_words),
            (self.export, "" if narrow else "Export"),
        ):
            if button.text() != words:
                button.setText(words)

    def show_view(self, view: str) -> None:
        """Show which view the canvas has."""
        self.views.show_value(view)

    def set_harmonised(self, available: bool) -> None:
        """Whether there is a picture to see and to compare."""
        reason = "" if available else "Harmonise the collage first"
        self.views.set_available("result", reason)
        self.views.set_available("compare", reason)

    def set_history(self, undo: str, redo: str) -> None:
        """Name what undo and redo would do; empty switches them off."""
        for button, name, key, label in (
            (self.undo, "Undo", "Ctrl+Z", undo),
            (self.redo, "Redo", "Ctrl+Shift+Z", redo),
        ):
            button.setEnabled(bool(label))
            nothing = f"There is nothing to {name.lower()}"
            button.setToolTip(f"{name} {label} ({key})" if label else f"{name}: {nothing}")

    def show_title(self, title: str, path: Path | None) -> None:
        """Say in the tooltip of Export which document this is."""
        self.setAccessibleDescription(str(path) if path else title)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._show_words()
        width = 288 if self.width() >= 1400 else 264
        left = (self.width() - width) // 2
        start = self.menus.geometry().right() + 8
        end = self.undo.geometry().left() - 8
        left = max(start, min(left, end - width))
        self.views.setGeometry(left, 6, width, 28)

    def sizeHint(self) -> QSize:
        return QSize(1280, 40)
