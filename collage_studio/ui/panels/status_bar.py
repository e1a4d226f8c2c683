"""The line at the bottom: zoom, size, colour | what the pointer can do | engine, save state."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from collage_studio.document.geometry import Size
from collage_studio.ui.widgets.basics import Label

ENGINE_WORDS = {
    "starting": "Engine starting",
    "ready": "Engine ready",
    "restarting": "Engine restarting",
    "stopped": "Engine stopped",
}


class StatusBar(QWidget):
    """24 px of quiet facts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("region", "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(23)
        self.setAccessibleName("Status")
        self._zoom = Label("100 %", "small")
        self._size = Label("", "small")
        self._color = Label("sRGB", "small")
        self._hint = Label("", "small", elide=True)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._engine = Label("", "small")
        self._saved = Label("", "small")
        self._doing = self._saved_words = ""
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(16)
        self._zoom.setMinimumWidth(36)
        for part in (self._zoom, self._size, self._color):
            row.addWidget(part)
        row.addWidget(self._hint, 1)
        row.addWidget(self._engine)
        row.addWidget(self._saved)

    def show_zoom(self, zoom: float) -> None:
        """Zoom as a factor, 1 = 100 %."""
        self._zoom.show_text(f"{round(zoom * 100)} %")

    def show_size(self, size: Size) -> None:
        """Canvas size in px."""
        self._size.show_text(f"{size.width} × {size.height} px")

    def show_hint(self, words: str) -> None:
        """What the pointer or the tool can do now."""
        self._hint.show_text(words)

    def show_engine(self, state: str) -> None:
        """What the engine does: a key of ENGINE_WORDS."""
        self._engine.show_text(ENGINE_WORDS.get(state, state))

    def show_saved(self, *, modified: bool, named: bool) -> None:
        """Whether everything is in the file."""
        self._saved_words = "Edited" if modified else ("Saved" if named else "")
        self._saved.show_text(self._doing or self._saved_words)

    def show_doing(self, words: str) -> None:
        """What is being written, "Saving…" or "Exporting…", instead of the save state."""
        self._doing = words
        self._saved.show_text(words or self._saved_words)
