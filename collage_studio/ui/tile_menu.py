"""What can be done with one variation beside showing it: its menu, and dragging it out."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from collage_studio.document import edits
from collage_studio.document.model import Variation
from collage_studio.ui.panels.strip import Strip
from collage_studio.ui.panels.strip_looks import ACCEPTED
from collage_studio.ui.run_commands import RunCommands
from collage_studio.ui.run_view import RunView
from collage_studio.ui.session import Session
from collage_studio.ui.widgets.thumbs import eight_bit, image_of


class TileMenu:
    """Answers the strip's requests that concern one tile."""

    def __init__(
        self, session: Session, strip: Strip, view: RunView, commands: RunCommands
    ) -> None:
        self._session, self._strip, self._view = session, strip, view
        self._commands = commands
        strip.menu_requested.connect(self._open)
        strip.drag_requested.connect(self._drag)

    def _find(self, key: str) -> Variation | None:
        document = self._session.editor.document
        if key == ACCEPTED:
            return document.accepted
        return next((one for one in document.variations if one.id == key), None)

    def _open(self, key: str, at: QPointF) -> None:
        menu = self.menu(key)
        if menu is not None:
            menu.popup(at.toPoint())

    def menu(self, key: str) -> QMenu | None:
        """What can be done with this tile; None if it stands for no variation."""
        variation = self._find(key)
        if variation is None:
            return None
        menu = QMenu(self._strip)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if key != ACCEPTED:
            menu.addAction("Accept").triggered.connect(lambda _on=False: self._view.accept(key))
        menu.addAction("Copy seed").triggered.connect(
            lambda _on=False: QGuiApplication.clipboard().setText(str(variation.recipe.seed))
        )
        menu.addAction("Use this recipe").triggered.connect(
            lambda _on=False: self.use_recipe(variation)
        )
        self._add_take(menu, variation)
        if key != ACCEPTED:
            menu.addSeparator()
            menu.addAction("Delete").triggered.connect(lambda _on=False: self._view.drop(key))
        return menu

    def _add_take(self, menu: QMenu, source: Variation) -> None:
        """Offer to put the selected layers of `source` into the picture shown."""
        ids, document = self._session.selection.ids, self._session.editor.document
        layers = [layer for layer in map(document.find, ids) if layer is not None]
        what = "the selected layer" if not layers else f"{len(layers)} layers"
        entry = menu.addAction(f"Take {layers[0].name if len(layers) == 1 else what} from this one")
        base = self._find(self._view.shown)
        entry.setEnabled(bool(layers) and base is not None and base.id != source.id)
        if base is not None:
            entry.triggered.connect(lambda _on=False: self._commands.take(tuple(ids), source, base))

    def use_recipe(self, variation: Variation) -> None:
        """Take over the settings a variation was made with."""
        settings = variation.recipe.settings
        self._session.editor.apply(lambda d: edits.set_settings(d, settings), "Use recipe")

    def _drag(self, key: str) -> None:
        variation, tile = self._find(key), self._strip.tile(key)
        if variation is not None and tile is not None:
            data = QMimeData()
            data.setImageData(image_of(eight_bit(variation.picture)))
            tile.start_drag(data)
