"""The layer that mask tools work on: found in the document, placed on the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from collage_studio.app.editor import Editor
from collage_studio.app.selection import Selection
from collage_studio.cutout.layers import is_cuttable
from collage_studio.document import edits
from collage_studio.document.geometry import Affine
from collage_studio.document.model import Layer, Mask, Raster
from collage_studio.document.tree import find_node


@dataclass(frozen=True, slots=True)
class Target:
    """A picture layer and its map from source px to canvas px."""

    layer: Layer
    placed: Affine


def target_of(editor: Editor, selection: Selection) -> Target | None:
    """The active layer if its mask can be painted; None otherwise."""
    node = find_node(editor.document, selection.active)
    if node is None or not is_cuttable(node.layer) or any(g.locked for g in node.path):
        return None
    return Target(node.layer, node.outer.after(node.layer.placement))


class Work(Protocol):
    """What a tool has begun on one layer's picture."""

    layer_id: str
    raster: Raster


def is_over(work: Work | None, target: Target | None) -> bool:
    """Whether begun work no longer belongs to the layer, or to the picture, that is chosen."""
    if work is None:
        return False
    layer = None if target is None else target.layer
    return layer is None or layer.id != work.layer_id or layer.raster is not work.raster


def give_mask(
    editor: Editor, layer_id: str, mask: Mask | None, label: str, merge: str = ""
) -> None:
    """Give a layer a mask as one edit; a layer deleted meanwhile is left alone."""
    editor.apply(
        lambda d: edits.change_layer(d, layer_id, mask=mask, mask_enabled=True), label, merge=merge
    )
