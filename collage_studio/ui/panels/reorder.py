"""Where a dragged row lands: between two rows, into a group, or onto a layer to group with it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QTreeView

from collage_studio.app.editor import Editor
from collage_studio.document import edits
from collage_studio.document.model import Document, Layer
from collage_studio.ui.panels.layer_row import INDENT
from collage_studio.ui.panels.layers_model import LayersModel


@dataclass(frozen=True, slots=True)
class Landing:
    """A place for a dragged layer.

    Args:
        parent: id of the group it comes into; "" at the top.
        above: id of the layer it comes to lie directly over; "" = at the very back.
        into: id of the row it was dropped onto, or "".
        mark: rectangle of that row, or the line between two rows as its top edge.
    """

    parent: str
    above: str
    into: str
    mark: QRect


def landing_at(view: QTreeView, model: LayersModel, layer_id: str, place: QPoint) -> Landing | None:
    """What releasing the dragged layer at `place` would do; None if nothing."""
    index = view.indexAt(place)
    target = model.layer(index)
    if target is None or target.id == layer_id or _holds(model.document, layer_id, target.id):
        return None
    row = view.visualRect(index)
    is_background = target.id == model.document.background.id
    share = (place.y() - row.top()) / max(row.height(), 1)
    if is_background:
        return _between(model, "", "", row, row.top())
    if 0.3 < share < 0.7:
        return Landing(model.parent_id(target.id), "", target.id, row)
    parent = model.parent_id(target.id)
    if share <= 0.3:
        return _between(model, parent, target.id, row, row.top())
    if target.is_group and view.isExpanded(index) and target.children:
        return _between(model, target.id, target.children[-1].id, row, row.bottom() + 1)
    return _between(model, parent, _below(model.document, target.id), row, row.bottom() + 1)


def land(editor: Editor, layer_id: str, landing: Landing) -> None:
    """Move the layer to its landing as one edit; onto a plain layer makes a group of both."""
    document = editor.document
    target = document.find(landing.into) if landing.into else None
    if target is None:
        parent, index = landing.parent, _index_over(document, landing, layer_id)
        editor.apply(
            lambda d: edits.move_layer(d, layer_id, parent=parent, index=index), "Move layer"
        )
    elif target.is_group:
        count = len([child for child in target.children if child.id != layer_id])
        editor.apply(
            lambda d: edits.move_layer(d, layer_id, parent=target.id, index=count),
            f"Move into {target.name}",
        )
    else:
        editor.apply(lambda d: edits.group_layers(d, (target.id, layer_id), "Group"), "Group")


def _between(model: LayersModel, parent: str, above: str, row: QRect, line: int) -> Landing:
    depth = 0
    up = parent
    while up:
        depth, up = depth + 1, model.parent_id(up)
    left = row.left() + 30 + depth * INDENT
    return Landing(parent, above, "", QRect(left, line, row.right() - left, 2))


def _siblings(document: Document, parent: str) -> tuple[Layer, ...]:
    group = document.find(parent) if parent else None
    return group.children if group else document.layers


def _below(document: Document, layer_id: str) -> str:
    """Id of the layer directly behind this one among its siblings; "" if it is the last."""
    for siblings in (document.layers, *(layer.children for layer in document.walk())):
        ids = [layer.id for layer in siblings]
        if layer_id in ids:
            place = ids.index(layer_id)
            return ids[place - 1] if place else ""
    return ""


def _index_over(document: Document, landing: Landing, layer_id: str) -> int:
    """Index, back to front among the siblings without the moved layer."""
    ids = [layer.id for layer in _siblings(document, landing.parent) if layer.id != layer_id]
    if landing.above == layer_id:
        every = [layer.id for layer in _siblings(document, landing.parent)]
        return every.index(layer_id)
    return ids.index(landing.above) + 1 if landing.above in ids else 0


def _holds(document: Document, group_id: str, layer_id: str) -> bool:
    group = document.find(group_id)
    return group is not None and any(layer.id == layer_id for layer in group.walk())
