"""The layers of a document as a tree for Qt's views: topmost first, Background last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from collage_studio.app.stale import EDITED, MOVED, NEW, Stale, stale_layers
from collage_studio.document.model import Document, Layer, NextState, Variation
from collage_studio.ui.panels.caption_words import unsaid

if TYPE_CHECKING:
    from collage_studio.ui.proofs import Change

Index = QModelIndex | QPersistentModelIndex
LAYER_ROLE = Qt.ItemDataRole.UserRole + 1
DEPTH_ROLE = Qt.ItemDataRole.UserRole + 2
BADGE_ROLE = Qt.ItemDataRole.UserRole + 3


_STALE_SENTENCES = {
    NEW: "New: The picture was made before this layer came.",
    MOVED: "Moved: The picture shows it where it was. Harmonise to fit it in.",
    EDITED: "Edited: The picture shows it as it was. Harmonise to fit it in.",
}


_UNREAD = "Unread: The caption is too long, and the model skips “{}”. Shorten the caption."
_UNSAID = "Unsaid: The caption leaves its words out. Add to caption, in its menu, puts them in."


@dataclass(frozen=True, slots=True)
class Badge:
    """What a row says: `kind` "stale", "warning", "same" or "changed", a word, the figures."""

    kind: str
    words: str
    sentence: str


@dataclass(slots=True)
class _Node:
    layer_id: str
    parent: int
    row: int
    depth: int
    children: list[int] = field(default_factory=list[int])


class LayersModel(QAbstractItemModel):
    """Shows one document value; `show_document` moves it to the next."""

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._filter = ""
        self._nodes: list[_Node] = []
        self._numbers: dict[str, int] = {}
        self._layers: dict[str, Layer] = {}
        self._document = document
        self._result: Variation | None = None
        self._stale: Mapping[str, Stale] = {}
        self._changes: Mapping[str, Change] = {}
        self._unread: frozenset[str] = frozenset()
        self._unsaid: frozenset[str] = unsaid(document)
        self._build(document)

    # What it shows

    @property
    def document(self) -> Document:
        return self._document

    def show_document(self, document: Document) -> bool:
        """Take the next value; True if rows came, went or moved."""
        before, self._document = self._layers, document
        self._compare()
        outline = [(n.layer_id, n.parent) for n in self._nodes]
        nodes, _numbers, layers = self._outline(document)
        if [(n.layer_id, n.parent) for n in nodes] != outline:
            self.beginResetModel()
            self._build(document)
            self.endResetModel()
            return True
        self._layers = layers
        for layer_id, layer in layers.items():
            if before.get(layer_id) is not layer:
                index = self.index_of(layer_id)
                self.dataChanged.emit(index, index)
        return False

    def show_results(self, document: Document) -> bool:
        """Take the next value, whose layers are the same; True if the rows say something else."""
        self._document = document
        return self._compare()

    def show_changes(self, result: Variation | None, changes: Mapping[str, Change]) -> bool:
        """Show how layers differ from `result`, by default the accepted one, and what it changed.

        Returns:
            Whether the rows have to be painted again.
        """
        before, self._result, self._changes = self._changes, result, changes
        return self._compare() or changes != before

    def show_unread(self, ids: frozenset[str]) -> None:
        """Warn of layers whose words the model does not read; the rows have to be painted again."""
        self._unread = ids

    def badge(self, layer: Layer) -> Badge | None:
        """What the layer's row says: what is stale comes first, then what words do not reach."""
        stale, change = self._stale.get(layer.id), self._changes.get(layer.id)
        if stale is not None:
            return Badge("stale", stale.word, _STALE_SENTENCES[stale.word])
        if layer.id in self._unread:
            return Badge("warning", "unread", _UNREAD.format(layer.text.strip()))
        if layer.id in self._unsaid:
            return Badge("warning", "unsaid", _UNSAID)
        if change is None:
            return None
        return Badge("same" if change.is_same else "changed", change.badge, change.sentence)

    def _compare(self) -> bool:
        """Look again at what differs; True if it is something else than before."""
        before = self._stale, self._unsaid
        self._stale = stale_layers(self._document, self._result or self._document.accepted)
        self._unsaid = unsaid(self._document)
        return before != (self._stale, self._unsaid)

    def set_filter(self, words: str) -> None:
        """Show only layers whose name, text or state contains `words`."""
        self.beginResetModel()
        self._filter = words.strip().casefold()
        self._build(self._document)
        self.endResetModel()

    @property
    def is_filtered(self) -> bool:
        return bool(self._filter)

    def layer(self, index: Index) -> Layer | None:
        """The layer at `index`."""
        if not index.isValid():
            return None
        return self._layers.get(self._nodes[index.internalId()].layer_id)

    def index_of(self, layer_id: str) -> QModelIndex:
        """Where the layer is; invalid if it is not shown."""
        number = self._numbers.get(layer_id)
        if number is None:
            return QModelIndex()
        return self.createIndex(self._nodes[number].row, 0, number)

    def parent_id(self, layer_id: str) -> str:
        """Id of the group that holds the layer; "" at the top."""
        number = self._numbers.get(layer_id)
        parent = self._nodes[number].parent if number is not None else -1
        return self._nodes[parent].layer_id if parent >= 0 else ""

    def _build(self, document: Document) -> None:
        self._nodes, self._numbers, self._layers = self._outline(document)

    def _outline(self, document: Document) -> tuple[list[_Node], dict[str, int], dict[str, Layer]]:
        nodes: list[_Node] = []
        layers: dict[str, Layer] = {}

        def add(layer: Layer, parent: int, row: int, depth: int) -> int:
            number = len(nodes)
            nodes.append(_Node(layer.id, parent, row, depth))
            layers[layer.id] = layer
            for child in reversed(layer.children):
                if self._matches(child):
                    place = len(nodes[number].children)
                    nodes[number].children.append(add(child, number, place, depth + 1))
            return number

        row = 0
        for layer in (*reversed(document.layers), document.background):
            if self._matches(layer):
                add(layer, -1, row, 0)
                row += 1
        return nodes, {node.layer_id: i for i, node in enumerate(nodes)}, layers

    def _matches(self, layer: Layer) -> bool:
        if not self._filter:
            return True
        words = f"{layer.name} {layer.text} {_state_word(layer.state)}".casefold()
        return self._filter in words or any(self._matches(child) for child in layer.children)

    # What Qt asks

    def index(self, row: int, column: int, parent: Index | None = None) -> QModelIndex:
        under = self._children(parent)
        if column != 0 or not 0 <= row < len(under):
            return QModelIndex()
        return self.createIndex(row, 0, under[row])

    def parent(self, child: Index | None = None) -> QModelIndex:  # pyright: ignore[reportIncompatibleMethodOverride]  QObject.parent() has no argument
        if child is None or not child.isValid():
            return QModelIndex()
        above = self._nodes[child.internalId()].parent
        if above < 0:
            return QModelIndex()
        return self.createIndex(self._nodes[above].row, 0, above)

    def rowCount(self, parent: Index | None = None) -> int:
        return len(self._children(parent))

    def columnCount(self, parent: Index | None = None) -> int:
        return 1

    def _children(self, parent: Index | None) -> list[int]:
        if parent is None or not parent.isValid():
            return [i for i, node in enumerate(self._nodes) if node.parent < 0]
        return self._nodes[parent.internalId()].children

    def flags(self, index: Index) -> Qt.ItemFlag:
        both = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return both | Qt.ItemFlag.ItemIsEditable if index.isValid() else Qt.ItemFlag.NoItemFlags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        layer = self.layer(index)
        if layer is None:
            return None
        if role in {Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole}:
            return layer.name
        if role == LAYER_ROLE:
            return layer
        if role == DEPTH_ROLE:
            # A clipped layer stands in from the one it is clipped to.
            return self._nodes[index.internalId()].depth + int(layer.clipped)
        if role == BADGE_ROLE:
            return self.badge(layer)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return _spoken(layer, self.badge(layer))
        return None


def _state_word(state: NextState) -> str:
    return {NextState.KEEP: "keep", NextState.HARMONISE: "harmonise"}.get(state, "re-roll")


def _marks(layer: Layer) -> tuple[tuple[str, bool], ...]:
    return (
        ("hidden", not layer.visible),
        ("locked", layer.locked),
        ("clipped to the layer below", layer.clipped),
        ("painted", layer.noise_paint is not None),
    )


def _spoken(layer: Layer, badge: Badge | None) -> str:
    """The row as a screen reader says it: "Tent, picture, noise 60, harmonise, changed 22"."""
    parts = [layer.name, str(layer.kind), f"noise {round(layer.effective_noise * 100)}"]
    parts.append(_state_word(layer.state))
    parts += [word for word, on in _marks(layer) if on]
    if badge is not None:
        prefix = {"changed": "changed ", "same": "equal, "}.get(badge.kind, "")
        parts.append(prefix + badge.words)
    return ", ".join(parts)
