"""The list of layers: one tree view whose rows are painted; the pointer's work is done here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QAbstractItemView, QToolTip, QTreeView, QWidget

from collage_studio.app.editor import Changed, Editor
from collage_studio.app.selection import Selection
from collage_studio.document.model import Layer, Variation
from collage_studio.ui import layer_edits
from collage_studio.ui.panels.layer_row import LayerRow, RowParts, row_parts
from collage_studio.ui.panels.layers_model import DEPTH_ROLE, Badge, LayersModel
from collage_studio.ui.panels.reorder import Landing, land, landing_at
from collage_studio.ui.style import tokens
from collage_studio.ui.widgets.basics import listen, own_viewport
from collage_studio.ui.widgets.value_bar import KEYBOARD_REASONS

if TYPE_CHECKING:
    from collage_studio.ui.proofs import Change

Index = QModelIndex | QPersistentModelIndex


@dataclass(slots=True)
class _Press:
    """What the pointer went down on."""

    part: str
    layer_id: str
    at: QPoint
    noise: float = 0.0
    eyes: bool = False
    moved: bool = False


class LayersTree(QTreeView):
    """Rows of layers. Signals carry what needs a menu or another region."""

    state_menu_requested = Signal(str, QPoint)
    menu_requested = Signal(str, QPoint)
    dragged_out = Signal(str, QPoint)
    text_edit_requested = Signal(str)

    def __init__(self, editor: Editor, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        own_viewport(self)
        self._editor, self._chosen = editor, selection
        self._model = LayersModel(editor.document, self)
        self._row = LayerRow(self)
        self._press: _Press | None = None
        self._landing: Landing | None = None
        self._showing = False
        self._set_up()
        self._subscriptions = [
            editor.changed.subscribe(self._on_changed),
            selection.changed.subscribe(lambda ids: self._show_selection()),
            selection.hover_changed.subscribe(self._show_hover),
        ]
        self.selectionModel().selectionChanged.connect(self._take_selection)
        self._show_document()

    def _set_up(self) -> None:
        self.setModel(self._model)
        self.setItemDelegate(self._row)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setUniformRowHeights(True)
        self.setMouseTracking(True)
        self.setExpandsOnDoubleClick(False)
        mode = QAbstractItemView
        self.setSelectionMode(mode.SelectionMode.ExtendedSelection)
        self.setEditTriggers(mode.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(mode.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Layers")
        listen(self.expanded, lambda index: self._fold(index, folded=False))
        listen(self.collapsed, lambda index: self._fold(index, folded=True))

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        for subscription in self._subscriptions:
            subscription.close()

    @property
    def layers_model(self) -> LayersModel:
        return self._model

    def set_filter(self, words: str) -> None:
        """Show only rows that match."""
        self._model.set_filter(words)
        self._restore_folds()
        self._show_selection()

    def show_changes(self, result: Variation | None, changes: Mapping[str, Change]) -> None:
        """Show in the rows what `result`, by default the accepted one, changed or no longer shows.

        `changes`: by layer id, as far as they were counted.
        """
        if self._model.show_changes(result, changes):
            self.viewport().update()

    def show_unread(self, ids: frozenset[str]) -> None:
        """Warn in the rows of layers whose words the model does not read."""
        self._model.show_unread(ids)
        self.viewport().update()

    def start_rename(self, layer_id: str) -> None:
        """Open the field in the row; Enter keeps, Esc leaves."""
        index = self._model.index_of(layer_id)
        if index.isValid():
            self.scrollTo(index)
            self.edit(index)

    def commitData(self, editor: QWidget) -> None:
        text = editor.property("text")
        layer = self._model.layer(self.currentIndex())
        if layer is not None and isinstance(text, str) and text != layer.name:
            layer_edits.rename(self._editor, layer.id, text)

    # From the document

    def _on_changed(self, change: Changed) -> None:
        if change.changes_collage:
            self._show_document()
        elif self._model.show_results(change.after):
            self.viewport().update()

    def _show_document(self) -> None:
        document = self._editor.document
        self._showing = True
        reset = self._model.show_document(document)
        self._showing = False
        self._row.only_rerolls = any(layer.state == "reroll" for layer in document.walk())
        if reset:
            self._restore_folds()
            self._show_selection()
        self.viewport().update()

    def _restore_folds(self) -> None:
        for layer in self._editor.document.walk():
            index = self._model.index_of(layer.id)
            if layer.is_group and index.isValid():
                self.setExpanded(index, layer.id not in self._row.folded)

    def _fold(self, index: QModelIndex, *, folded: bool) -> None:
        layer = self._model.layer(index)
        if layer is not None:
            (self._row.folded.add if folded else self._row.folded.discard)(layer.id)

    def _show_selection(self) -> None:
        chosen = QItemSelection()
        for layer_id in self._chosen.ids:
            index = self._model.index_of(layer_id)
            if index.isValid():
                chosen.select(index, index)
        self._showing = True
        self.selectionModel().select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        active = self._model.index_of(self._chosen.active)
        if active.isValid():
            flag = QItemSelectionModel.SelectionFlag.NoUpdate
            self.selectionModel().setCurrentIndex(active, flag)
            self.scrollTo(active)
        self._showing = False

    def _take_selection(self) -> None:
        if self._showing:
            return
        layers = [self._model.layer(index) for index in self.selectedIndexes()]
        ids = [layer.id for layer in layers if layer is not None]
        current = self._model.layer(self.currentIndex())
        if current is not None and current.id in ids:
            ids.remove(current.id)
            ids.append(current.id)
        self._chosen.select(ids)

    def _show_hover(self, layer_id: str) -> None:
        self._row.hovered_id = layer_id
        self.viewport().update()

    # Pointer

    def _parts(self, index: Index) -> RowParts | None:
        layer = self._model.layer(index)
        if layer is None:
            return None
        depth = int(self._model.data(index, DEPTH_ROLE) or 0)  # pyright: ignore[reportArgumentType]  it is an int
        return row_parts(self.visualRect(_plain(index)), depth, is_group=layer.is_group)

    def _part_at(self, place: QPoint) -> tuple[str, Layer | None]:
        index = self.indexAt(place)
        layer, parts = self._model.layer(index), self._parts(index)
        if layer is None or parts is None:
            return "", None
        if place.x() <= parts.eye.right() + 2:
            return "eye", layer
        if layer.is_group and parts.fold.adjusted(-4, 0, 4, 0).contains(place):
            return "fold", layer
        if parts.bar.contains(place):
            return "noise", layer
        return ("state" if place.x() >= parts.state.left() - 2 else "row"), layer

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        part, layer = self._part_at(place)
        if layer is None or event.button() is not Qt.MouseButton.LeftButton:
            if layer is None and event.button() is Qt.MouseButton.LeftButton:
                self._chosen.select(())
            return
        self._press = _Press(part, layer.id, place, layer_edits.shown_noise(layer) or 0.0)
        if part == "eye":
            self._press_eye(layer, event)
        elif part == "fold":
            index = self._model.index_of(layer.id)
            self.setExpanded(index, not self.isExpanded(index))
        elif part == "state":
            self.state_menu_requested.emit(layer.id, self.viewport().mapToGlobal(place))
        elif part == "row":
            super().mousePressEvent(event)

    def _press_eye(self, layer: Layer, event: QMouseEvent) -> None:
        if self._press is None:
            return
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            layer_edits.show_only(self._editor, layer.id)
            self._press = None
            return
        self._press.eyes = not layer.visible
        layer_edits.set_visible(self._editor, (layer.id,), not layer.visible)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        part, layer = self._part_at(place)
        press = self._press
        if press is None:
            self._chosen.hover(layer.id if layer else "")
            shape = Qt.CursorShape.SizeHorCursor if part == "noise" else Qt.CursorShape.ArrowCursor
            self.viewport().setCursor(shape)
            return
        if press.part == "eye":
            if layer is not None and layer.visible != press.eyes:
                layer_edits.set_visible(self._editor, (layer.id,), press.eyes)
        elif press.part == "noise":
            self._drag_noise(press, place)
        elif press.part == "row":
            self._drag_row(press, place)

    def _drag_noise(self, press: _Press, place: QPoint) -> None:
        way = place.x() - press.at.x()
        if not press.moved and abs(way) < 3:
            return
        press.moved = True
        noise = round((press.noise + way / 68) * 100) / 100
        ids = self._chosen.ids if press.layer_id in self._chosen.ids else (press.layer_id,)
        layer_edits.set_noise(self._editor, ids, noise)

    def _drag_row(self, press: _Press, place: QPoint) -> None:
        if press.layer_id == self._editor.document.background.id or self._model.is_filtered:
            return
        if not press.moved and (place - press.at).manhattanLength() < 6:
            return
        press.moved = True
        inside = self.viewport().rect().contains(place)
        self._landing = landing_at(self, self._model, press.layer_id, place) if inside else None
        shape = Qt.CursorShape.ClosedHandCursor if inside else Qt.CursorShape.DragCopyCursor
        self.viewport().setCursor(shape)
        self.viewport().update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        press, self._press = self._press, None
        landing, self._landing = self._landing, None
        self.viewport().unsetCursor()
        if press is None:
            return
        place = event.position().toPoint()
        if press.part in {"noise", "eye"}:
            self._editor.seal()
        elif press.part == "row" and press.moved:
            if landing is not None:
                land(self._editor, press.layer_id, landing)
            elif not self.viewport().rect().contains(place):
                self.dragged_out.emit(press.layer_id, self.viewport().mapToGlobal(place))
        elif press.part == "row":
            super().mouseReleaseEvent(event)
        self.viewport().update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        part, layer = self._part_at(event.position().toPoint())
        if layer is None or part != "row":
            return
        parts = self._parts(self._model.index_of(layer.id))
        if parts is not None and event.position().y() <= parts.words.center().y():
            self.start_rename(layer.id)
        else:
            self.text_edit_requested.emit(layer.id)

    def leaveEvent(self, event: QEvent) -> None:
        self._chosen.hover("")
        super().leaveEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        layer = self._model.layer(self.indexAt(event.pos()))
        if layer is None:
            return
        if layer.id not in self._chosen.ids:
            self._chosen.select((layer.id,))
        self.menu_requested.emit(layer.id, event.globalPos())

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        layer = self._model.layer(self.currentIndex())
        if layer is not None and event.key() == Qt.Key.Key_Space:
            ids = self._chosen.ids or (layer.id,)
            layer_edits.set_visible(self._editor, ids, not layer.visible)
        elif event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2} or event.text():
            event.ignore()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._row.focus_ring = event.reason() in KEYBOARD_REASONS
        super().focusInEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            part, layer = self._part_at(event.pos())
            badge = self._model.badge(layer) if layer is not None else None
            QToolTip.showText(event.globalPos(), _tooltip(part, layer, badge), self)
            return True
        return super().viewportEvent(event)

    # Paint

    def drawBranches(self, painter: QPainter, rect: QRect, index: Index) -> None:
        """Nothing: the row paints its own chevron."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        landing = self._landing
        if landing is None:
            return
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(tokens.current().color("accent"), 2))
        box = landing.mark
        if landing.into:
            painter.drawRoundedRect(box.adjusted(2, 1, -2, -1), 4, 4)
        else:
            painter.drawLine(box.left() + 6, box.top(), box.right(), box.top())
            painter.drawEllipse(QPoint(box.left() + 3, box.top()), 3, 3)
        painter.end()


def _plain(index: Index) -> QModelIndex:
    return (
        index
        if isinstance(index, QModelIndex)
        else index.model().index(index.row(), index.column(), index.parent())
    )


def _tooltip(part: str, layer: Layer | None, badge: Badge | None) -> str:
    if layer is None:
        return ""
    words = [layer.name, layer.text, badge.sentence if badge is not None else ""]
    painted = "Painted: The noise differs by place." if layer.noise_paint is not None else ""
    words.append(painted)
    noise = "Noise: 0 keeps every pixel, 100 lets the model repaint."
    return {
        "eye": "Show or hide (Space): Hidden layers take no part in a run.",
        "noise": f"{noise}\n{painted}".strip(),
        "state": "Next run: Keep, Harmonise or Re-roll.",
        "fold": "Fold or unfold the group",
    }.get(part, "\n".join(word for word in words if word))
