"""The lower half of the dock: the selected layers, or the document where nothing is selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from collage_studio.app.editor import Changed, Editor
from collage_studio.app.selection import Selection
from collage_studio.document.recipe import Start
from collage_studio.ui.panels.document_page import DocumentPage

if TYPE_CHECKING:
    from collage_studio.ui.panels.layer_page import LayerPage, LayerSection


class Inspector(QWidget):
    """Shows the page that fits the selection. The one for layers is made when it is needed."""

    def __init__(
        self,
        editor: Editor,
        selection: Selection,
        run_action: Callable[[str], None],
        reroll: Callable[[tuple[str, ...], Start], None],
        sections: Sequence[Callable[[], LayerSection]] = (),
        parent: QWidget | None = None,
    ) -> None:
        """Args: sections: make further parts of the layers' page."""
        super().__init__(parent)
        self._editor, self._selection = editor, selection
        self.setProperty("region", "dock")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Inspector")
        self._reroll, self._sections = reroll, tuple(sections)
        self.document_page = DocumentPage(editor, run_action)
        self._pages = QStackedWidget()
        self._pages.addWidget(_scrolled(self.document_page))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._pages)
        self._subscriptions = [
            editor.changed.subscribe(self._on_changed),
            selection.changed.subscribe(lambda ids: self._refresh()),
        ]
        self._refresh()

    @cached_property
    def layer_page(self) -> LayerPage:
        """The page for selected layers."""
        from collage_studio.ui.panels.layer_page import LayerPage

        made = LayerPage(self._editor, self._selection, self._reroll)
        for make in self._sections:
            made.add_section(make())
        self._pages.addWidget(_scrolled(made))
        return made

    def make_ready(self) -> None:
        """Make what the first selection will show."""
        assert self.layer_page

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        for subscription in self._subscriptions:
            subscription.close()
        if "layer_page" in self.__dict__:
            self.layer_page.close_subscriptions()

    def edit_text(self) -> None:
        """Put the cursor into the selected layer's text."""
        self.layer_page.edit_text()

    def _on_changed(self, change: Changed) -> None:
        if change.changes_collage:
            self._refresh()

    def _refresh(self) -> None:
        document = self._editor.document
        found = (document.find(layer_id) for layer_id in self._selection.ids)
        layers = tuple(layer for layer in found if layer is not None)
        if layers:
            self.layer_page.show_layers(layers)
            self._pages.setCurrentIndex(1)
        else:
            self._pages.setCurrentIndex(0)
            self.document_page.show_document(document)


def _scrolled(page: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(page)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area
