"""Which two files answer Pick by clicks: an encoder and a decoder, both or none."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from collage_studio.app.settings import PreferencesStore
from collage_studio.ui.widgets.basics import Button, on_click, tool_button

_NAME_PX = 112
_PARTS = ("Encoder", "Decoder")


class SegmenterChoice(QWidget):
    """Two buttons that name the files, and one that lets them go."""

    def __init__(self, window: QWidget, store: PreferencesStore) -> None:
        super().__init__()
        self._window, self._store = window, store
        self._dialog: QFileDialog | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.files = tuple(Button(f"{part}…") for part in _PARTS)
        for place, button in enumerate(self.files):
            on_click(button, lambda place=place: self._ask(place))
            row.addWidget(button, 1)
        self.clear = tool_button("close", "Clear: Pick works by strokes alone.", size=24)
        on_click(self.clear, lambda: store.update(segmenter=()))
        row.addWidget(self.clear)
        self.refresh()

    def refresh(self) -> None:
        """Name the files that are chosen."""
        chosen = self._chosen()
        for part, path, button in zip(_PARTS, chosen, self.files, strict=True):
            name = Path(path).stem if path else f"{part}…"
            # Names of a pair differ at their ends.
            left = Qt.TextElideMode.ElideLeft
            button.setText(button.fontMetrics().elidedText(name, left, _NAME_PX))
            button.setAccessibleName(f"{part} of Pick by clicks: {path or 'none'}")
            button.setToolTip(f"{part}: {path or 'An .onnx file of your own.'}")
        self.clear.setEnabled(any(chosen))

    def choose(self, place: int, path: str) -> None:
        """Take the encoder's (0) or the decoder's (1) file."""
        chosen = list(self._chosen())
        chosen[place] = path
        self._store.update(segmenter=tuple(chosen))

    def _chosen(self) -> tuple[str, str]:
        kept = self._store.current.segmenter
        return (kept[0], kept[1]) if len(kept) == 2 else ("", "")

    def _ask(self, place: int) -> None:
        title = f"{_PARTS[place]} of a segmentation model"
        dialog = self._dialog = QFileDialog(self._window, title, "", "ONNX models (*.onnx)")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(partial(self.choose, place))
        dialog.open()
