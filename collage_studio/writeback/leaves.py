"""The layers that share a picture: their alphas and own colours on the canvas, back to front."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from collage_studio.document.blending import straight
from collage_studio.document.compositing import place_layer
from collage_studio.document.geometry import IDENTITY, Affine, Rect
from collage_studio.document.model import BlendMode, Document, Layer, LayerKind
from collage_studio.document.tree import Layers, extent, nodes, pixel_box

Float = npt.NDArray[np.float32]

FEWEST = 0.5 / 255
"""Alpha below which an 8-bit layer has nothing."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One visible layer on the canvas.

    Args:
        outer: what the groups around it do after its own placement.
        box: the part of the canvas it covers; the arrays show this part.
        own: (h, w) how opaque its pixels make it. alpha: the same as the picture shows it, after
            its outline was sought anew; both in whole steps of 1/255.
        colours: (h, w, 3) its own pixels, sRGB-encoded [0, 1].
    """

    layer: Layer
    outer: Affine
    box: Rect
    own: Float
    alpha: Float
    colours: Float

    @property
    def placement(self) -> Affine:
        """Its own pixels to canvas pixels."""
        return self.outer.after(self.layer.placement)


def leaves_of(document: Document, margin: int = 0) -> tuple[Leaf, ...]:
    """Everything visible that is no group, back to front; first the canvas behind all layers.

    Args:
        margin: px that the boxes reach beyond the layers.
    """
    canvas = Rect.of_size(document.size)
    ground = replace(document.background, fill=(*document.background.fill[:3], 255))
    found = [_leaf(document, ground, (), canvas)]
    for node in nodes(document.layers):
        if node.is_shown and not node.layer.is_group and node.layer.opacity > 0:
            whole = pixel_box(extent(node.layer, node.outer, document.size))
            box = whole.grown(margin).intersect(canvas)
            if not box.is_empty:
                found.append(_leaf(document, node.layer, node.path, box))
    return tuple(leaf for leaf in found if leaf.alpha.any())


def _leaf(document: Document, layer: Layer, path: Layers, box: Rect) -> Leaf:
    """The layer alone inside its groups, so that their masks and opacities count."""
    alone = replace(layer, blend=BlendMode.NORMAL)
    outer = IDENTITY
    for group in reversed(path):
        alone = replace(group, children=(alone,), blend=BlendMode.NORMAL)
        outer = group.placement.after(outer)
    planes = np.moveaxis(place_layer(alone, size=document.size, box=box), -1, 0)
    alpha = stepped(planes[3])
    colours = np.moveaxis(straight(planes), 0, -1).clip(0, 1)
    return Leaf(layer, outer, box, alpha, alpha, np.ascontiguousarray(colours))


def stepped(values: Float) -> Float:
    """[0, 1] in whole steps of 1/255, as 8 bits can hold it."""
    return (np.rint(values.clip(0, 1) * 255) / np.float32(255)).astype(np.float32)


def visible_shares(leaves: tuple[Leaf, ...], shape: tuple[int, int]) -> list[Float]:
    """How much of each canvas pixel every leaf is, front over back: (h, w) of its box."""
    rest = np.ones(shape, np.float32)
    shares = list[Float]()
    for leaf in reversed(leaves):
        left = rest[leaf.box.slices]
        shares.append(left * leaf.alpha)
        left *= 1 - leaf.alpha
    return shares[::-1]


def is_fill(layer: Layer) -> bool:
    return layer.kind is LayerKind.FILL


def overlapping(leaves: tuple[Leaf, ...], tile: Rect) -> Iterator[tuple[int, Leaf, Rect]]:
    """The leaves that reach into a tile, with the part of it they cover."""
    for index, leaf in enumerate(leaves):
        part = leaf.box.intersect(tile)
        if not part.is_empty:
            yield index, leaf, part


def within(part: Rect, box: Rect) -> tuple[slice, slice]:
    """Where `part` lies in an array that shows `box`."""
    return Rect(
        part.left - box.left, part.top - box.top, part.right - box.left, part.bottom - box.top
    ).slices
