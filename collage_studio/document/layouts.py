"""Layout layers: a box or a brushed shape with a text, and nothing to see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collage_studio.document.geometry import Affine, Rect
from collage_studio.document.masks import Float, visible_masks
from collage_studio.document.model import (
    Caption,
    Document,
    Layer,
    LayerKind,
    LayerRef,
    Mask,
    Raster,
    new_id,
)
from collage_studio.document.tree import nodes

TINTS = (
    (232, 112, 96, 255), (92, 160, 236, 255), (236, 184, 72, 255), (120, 196, 112, 255),
    (180, 124, 228, 255), (84, 196, 196, 255), (236, 128, 184, 255), (160, 150, 120, 255),
)  # fmt: skip
"""How the canvas tells layout layers apart; `Layer.fill` keeps a layer's own."""


def layout_layer(
    shape: Mask, at: tuple[int, int], *, text: str = "", name: str = "", layer_id: str = ""
) -> Layer:
    """A layer that asks for `text` where `shape` lies, its top left corner at canvas px `at`."""
    height, width = shape.values.shape
    clear = Raster(np.zeros((height, width, 4), np.uint8))
    return Layer(
        layer_id or new_id(),
        name or text or "Layout",
        LayerKind.LAYOUT,
        clear,
        shape,
        placement=Affine.translation(*at),
        text=text,
        noise=1.0,
        fill=TINTS[0],
    )


def box_layer(box: Rect, *, text: str = "", name: str = "", layer_id: str = "") -> Layer:
    """A layout layer that is all of a canvas box.

    Raises:
        ValueError: the box is empty.
    """
    if box.is_empty:
        raise ValueError("A layout box needs a width and a height of at least 1 px.")
    shape = Mask(np.full((box.height, box.width), 255, np.uint8))
    return layout_layer(shape, (box.left, box.top), text=text, name=name, layer_id=layer_id)


def middle_box(document: Document) -> Rect:
    """Where a new box lies: two fifths of the canvas, each a little off the one before."""
    width, height = (max(8, side * 2 // 5) for side in (document.size.width, document.size.height))
    count = sum(one.kind is LayerKind.LAYOUT for one in document.walk())
    step = min(width, height) // 6 * (count % 5 - 2 if count else 0)
    left = (document.size.width - width) // 2 + step
    top = (document.size.height - height) // 2 + step
    return Rect(left, top, left + width, top + height)


def add_layout(document: Document, layer: Layer) -> Document:
    """The layer in front of all others with a tint of its own, its chip at the caption's end.

    A canvas without a picture becomes one that is drawn completely.
    """
    count = sum(one.kind is LayerKind.LAYOUT for one in document.walk())
    layer = replace(layer, fill=TINTS[count % len(TINTS)])
    if not any(one.kind is LayerKind.PICTURE for one in document.walk()):
        document = replace(document, background=replace(document.background, noise=1.0))
    parts = document.caption.parts
    written, _ = document.written_caption()
    comma: tuple[str, ...] = (", ",) if written.strip() else ()
    return replace(
        document,
        layers=(*document.layers, layer),
        caption=Caption((*parts, *comma, LayerRef(layer.id))),
    )


def own_masks(document: Document) -> dict[str, Float]:
    """What each shown leaf covers by itself, whatever lies in front: (H, W) in [0, 1], by id.

    The background covers all of the canvas.
    """
    found = {document.background.id: np.ones(document.size.shape, np.float32)}
    for node in nodes(document.layers):
        layer = node.layer
        if layer.is_group or not node.is_shown:
            continue
        placed = replace(layer, placement=node.outer.after(layer.placement), clipped=False)
        found[layer.id] = visible_masks(document.with_layers(placed))[layer.id]
    return found
