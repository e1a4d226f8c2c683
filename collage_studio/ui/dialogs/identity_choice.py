"""Which image encoder measures how much of what layers are a run keeps: a file, a folder, none."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from collage_studio.app.settings import PreferencesStore
from collage_studio.formats.errors import FormatError
from collage_studio.formats.quality_models import check_identity_model
from collage_studio.ui.widgets.basics import Label, listen
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.extra_files import ask_for_file

_FILE, _FOLDER = "+file", "+folder"
_TOOLTIP = "Identity: An image encoder that tells whether layers are still what they were."


class IdentityChoice(QWidget):
    """A list of what can be chosen, and a line for why something cannot."""

    def __init__(self, store: PreferencesStore) -> None:
        super().__init__()
        self._store = store
        self._dialog: QFileDialog | None = None
        self.choice = ChoiceButton([("", "none")], tooltip=_TOOLTIP)
        self.choice.setAccessibleName("Identity")
        self.trouble = Label("", "danger")
        self.trouble.setWordWrap(True)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.addWidget(self.choice)
        rows.addWidget(self.trouble)
        listen(self.choice.chosen, self._on_chosen)
        self._say("")
        self.refresh()

    def refresh(self) -> None:
        """Name what is chosen."""
        path = self._store.current.identity_model
        used = [(path, Path(path).name)] if path else []
        ways = [(_FOLDER, "Choose folder"), (_FILE, "Choose .onnx file")]
        self.choice.set_options([("", "none"), *used, *ways])
        self.choice.show_value(path)
        self.choice.setToolTip(f"Identity: {path}" if path else _TOOLTIP)

    def choose(self, path: Path) -> None:
        """Use this file or folder; why not is told."""
        try:
            check_identity_model(path)
        except FormatError as error:
            self._say(str(error))
            return
        self._say("")
        self._store.update(identity_model=str(path.absolute()))

    def _on_chosen(self, value: str) -> None:
        self._say("")
        if value not in (_FILE, _FOLDER):
            self._store.update(identity_model=value)
            return
        self.refresh()
        self._dialog = ask_for_file(
            self,
            "Image encoder",
            self.choose,
            folder=value == _FOLDER,
            names="ONNX models (*.onnx)",
        )

    def _say(self, words: str) -> None:
        self.trouble.show_text(words)
        self.trouble.setVisible(bool(words))
