"""Edits that arrange layers on the canvas: flip and align."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document
from collage_studio.document.stacking import transform_layers
from collage_studio.document.tree import Extent, Node, extent, joint_extent, outermost


class Edge(StrEnum):
    """What layers are lined up by."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"
    TOP = "top"
    MIDDLE = "middle"
    BOTTOM = "bottom"


def flip_layers(document: Document, ids: Collection[str], horizontal: bool) -> Document:
    """Mirror layers about the centre of their joint box, left-right or top-bottom."""
    box = joint_extent(box for _, box in _placed(document, ids))
    if box is None:
        return document
    flip = Affine.scaling(-1.0, 1.0) if horizontal else Affine.scaling(1.0, -1.0)
    centre = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return transform_layers(document, ids, flip.about(*centre))


def align_layers(document: Document, ids: Collection[str], edge: Edge | str) -> Document:
    """Line layers up: one layer with the canvas, several with their joint box."""
    edge = Edge(edge)
    placed = _placed(document, ids)
    box = joint_extent(box for _, box in placed)
    if box is None:
        return document
    if len(placed) == 1:
        box = (0.0, 0.0, float(document.size.width), float(document.size.height))
    for node, own in placed:
        document = transform_layers(document, (node.layer.id,), _towards(edge, own, box))
    return document


def _placed(document: Document, ids: Collection[str]) -> list[tuple[Node, Extent]]:
    found = ((node, extent(node.layer, node.outer)) for node in outermost(document, ids))
    return [(node, box) for node, box in found if box is not None]


def _towards(edge: Edge, own: Extent, box: Extent) -> Affine:
    match edge:
        case Edge.LEFT:
            return Affine.translation(box[0] - own[0], 0.0)
        case Edge.RIGHT:
            return Affine.translation(box[2] - own[2], 0.0)
        case Edge.CENTRE:
            return Affine.translation((box[0] + box[2] - own[0] - own[2]) / 2, 0.0)
        case Edge.TOP:
            return Affine.translation(0.0, box[1] - own[1])
        case Edge.BOTTOM:
            return Affine.translation(0.0, box[3] - own[3])
        case Edge.MIDDLE:
            return Affine.translation(0.0, (box[1] + box[3] - own[1] - own[3]) / 2)
