"""Clipping: a layer shows only where the nearest layer below that is not clipped does."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from collage_studio.document.model import Document, Layer
from collage_studio.document.tree import find_node, mapped, nodes


def clip_base(document: Document, layer_id: str) -> Layer | None:
    """What a layer is, or would be, clipped to; None for the lowest of its siblings."""
    node = find_node(document, layer_id)
    if node is None:
        return None
    siblings = node.path[-1].children if node.path else document.layers
    below = siblings[: node.index]
    if not below:
        return None
    return next((one for one in reversed(below) if not one.clipped), below[0])


def set_clipped(document: Document, ids: Collection[str], clipped: bool) -> Document:
    """Clip layers to what lies below them, or free them; the lowest of its siblings cannot be."""
    able = {
        node.layer.id
        for node in nodes(document.layers)
        if node.layer.id in ids
        and node.layer.clipped is not clipped
        and (not clipped or node.index > 0)
    }
    layers = mapped(document.layers, able, lambda one: (replace(one, clipped=clipped),))
    return document if layers is document.layers else replace(document, layers=layers)
