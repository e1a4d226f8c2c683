"""The lower half of the dock: the selected layers, or the document where nothing is selected."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.app.selection import Selection
from collage_studio.document.model import Start
from collage_studio.ui.panels.document_page import DocumentPage
from collage_studio.ui.panels.layer_page import LayerPage


class Inspector(QWidget):
    """Shows the page that fits the selection."""

    def __init__(
        self,
        editor: Editor,
        selection: Selection,
        run_action: Callable[[str], None],
        reroll: Callable[[tuple[str, ...], Start], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._editor, self._selection = editor, selection
        self.setProperty("region", "dock")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Inspector")
        self.layer_page = LayerPage(editor, selection, reroll)
        self.document_page = DocumentPage(editor, run_action)
        self._pages = QStackedWidget()
        for page in (self.layer_page, self.document_page):
            self._pages.addWidget(_scrolled(page))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._pages)
        self._subscriptions = [
            editor.changed.subscribe(lambda change: self._refresh()),
            selection.changed.subscribe(lambda ids: self._refresh()),
        ]
        self._refresh()

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        for subscription in self._subscriptions:
            subscription.close()

    def edit_text(self) -> None:
        """Put the cursor into the selected layer's text."""
        self.layer_page.edit_text()

    def _refresh(self) -> None:
        document = self._editor.document
        found = (document.find(layer_id) for layer_id in self._selection.ids)
        layers = tuple(layer for layer in found if layer is not None)
        self._pages.setCurrentIndex(0 if layers else 1)
        if layers:
            self.layer_page.show_layers(layers)
        else:
            self.document_page.show_document(document)


def _scrolled(page: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(page)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area
