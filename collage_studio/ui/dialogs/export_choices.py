"""The check boxes of the export sheet: what goes into the file beside the picture."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from collage_studio.document.model import Document
from collage_studio.formats.picture import accepted_raster
from collage_studio.formats.psd_kept import text_layers
from collage_studio.ui.dialogs.export_facts import LAYERED, WITH_RECIPE
from collage_studio.ui.widgets.basics import listen
from collage_studio.ui.widgets.check_line import CheckLine

_NEEDS_ORIGINALS = "Editable text: It lies among the original cutouts, which are left out."


class ExportChoices(QWidget):
    """Original cutouts, recipe, editable text; `changed` when a person changes one.

    Only what makes a difference in the file is shown.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._originals = CheckLine(
            "Original cutouts, hidden", "Lets you go on working from the PSD"
        )
        self._recipe = CheckLine("Recipe")
        self._text = CheckLine(
            "Editable text (experimental)", "Photoshop redraws it with its own fonts"
        )
        self._document: Document | None = None
        self._suffix = ""
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        self._originals.setChecked(True)
        self._recipe.setChecked(True)
        for box in (self._originals, self._recipe, self._text):
            rows.addWidget(box)
            listen(box.toggled, lambda _on: self._on_toggled())

    @property
    def originals(self) -> bool:
        return self._originals.isChecked()

    @property
    def recipe(self) -> bool:
        return self._recipe.isChecked()

    @property
    def editable_text(self) -> bool:
        """Whether text layers are wanted, and there is a place for them in this file."""
        return self._text.isChecked() and not self._text.isHidden() and self._text.isEnabled()

    def show_for(self, document: Document, suffix: str) -> None:
        """Show what can be chosen for a file of this kind."""
        self._document, self._suffix = document, suffix
        is_layered = suffix in LAYERED
        has_result = accepted_raster(document) is not None
        self._originals.setVisible(is_layered and has_result)
        self._recipe.setVisible(suffix in WITH_RECIPE)
        self._text.setVisible(is_layered and bool(text_layers(document)))
        has_originals = self.originals or not has_result
        self._text.setEnabled(has_originals)
        self._text.setToolTip("" if has_originals else _NEEDS_ORIGINALS)
        self._recipe.show_purpose(_purpose(is_layered, has_originals))
        self.setVisible(is_layered or suffix in WITH_RECIPE)

    def _on_toggled(self) -> None:
        if self._document is not None:
            self.show_for(self._document, self._suffix)
        self.changed.emit()


def _purpose(is_layered: bool, has_originals: bool) -> str:
    """What the recipe is good for in a file."""
    if not is_layered:
        return "Texts, noise and seeds go with the picture"
    return "Opens here again with " + (
        "texts, noise and seeds" if has_originals else "texts and noise"
    )
