"""Finding one's way in the layer tree: paths, leaves, places on the canvas, replacing nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from collage_studio.document.geometry import IDENTITY, Affine, Rect, Size
from collage_studio.document.model import Document, Layer, LayerKind

Layers = tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A layer, the groups that hold it (outermost first) and its place among its siblings."""

    layer: Layer
    path: Layers
    index: int

    @property
    def parent_id(self) -> str:
        """Id of the group that holds the layer; empty at the top level."""
        return self.path[-1].id if self.path else ""

    @property
    def outer(self) -> Affine:
        """What the groups around the layer do after its own placement."""
        return outer_placement(self.path)

    @property
    def is_shown(self) -> bool:
        """The layer and all groups around it are visible."""
        return self.layer.visible and all(group.visible for group in self.path)


def outer_placement(path: Layers) -> Affine:
    """The placements of nested groups (outermost first) as one map to the canvas."""
    placement = IDENTITY
    for group in path:
        placement = placement.after(group.placement)
    return placement


def nodes(layers: Layers, path: Layers = ()) -> Iterator[Node]:
    """Every layer and group below `layers`, back to front, groups before their children."""
    for index, layer in enumerate(layers):
        yield Node(layer, path, index)
        if layer.children:
            yield from nodes(layer.children, (*path, layer))


def find_node(document: Document, layer_id: str) -> Node | None:
    """The node of a layer or group; None for the background and for missing layers."""
    return next((node for node in nodes(document.layers) if node.layer.id == layer_id), None)


def leaves(layer: Layer) -> Iterator[Layer]:
    """The layer itself, or everything inside the group that is not a group, back to front."""
    return (inner for inner in layer.walk() if not inner.is_group)


def outermost(document: Document, ids: Collection[str]) -> tuple[Node, ...]:
    """The named layers back to front, without those inside a group that is named as well."""
    wanted = set(ids)
    return tuple(
        node
        for node in nodes(document.layers)
        if node.layer.id in wanted and not any(group.id in wanted for group in node.path)
    )


def mapped(layers: Layers, ids: Collection[str], change: Callable[[Layer], Layers]) -> Layers:
    """`layers` with each named one replaced by what `change` makes of it; unhit parts stay `is`."""
    result: list[Layer] = []
    for layer in layers:
        inner = mapped(layer.children, ids, change) if layer.children else layer.children
        kept = layer if inner is layer.children else replace(layer, children=inner)
        result.extend(change(kept) if layer.id in ids else (kept,))
    same = len(result) == len(layers) and all(a is b for a, b in zip(result, layers, strict=True))
    return layers if same else tuple(result)


def inserted(layers: Layers, parent: str, index: int, new: Iterable[Layer]) -> Layers:
    """`layers` with `new` put into group `parent` (or the top level) from `index` on."""
    if not parent:
        return (*layers[:index], *new, *layers[index:])
    added = tuple(new)
    return mapped(
        layers,
        {parent},
        lambda group: (
            replace(group, children=(*group.children[:index], *added, *group.children[index:])),
        ),
    )


def clip_stacks(layers: Iterable[Layer]) -> Iterator[tuple[Layer, Layers]]:
    """Siblings (back to front) as bases, each with the clipped layers that lie on it.

    A clipped layer with nothing below is its own base.
    """
    base: Layer | None = None
    clips = list[Layer]()
    for layer in layers:
        if layer.clipped and base is not None:
            clips.append(layer)
            continue
        if base is not None:
            yield base, tuple(clips)
        base, clips = layer, []
    if base is not None:
        yield base, tuple(clips)


Extent = tuple[float, float, float, float]


def extent(layer: Layer, outer: Affine = IDENTITY, canvas: Size | None = None) -> Extent | None:
    """(left, top, right, bottom) of a layer on the canvas in px; None if it has none.

    A fill without a mask covers `canvas`, or has no extent where that is not given.
    """
    placement = outer.after(layer.placement)
    if layer.is_group:
        boxes = [extent(child, placement, canvas) for child in layer.children]
        return joint_extent(box for box in boxes if box is not None)
    if layer.kind is LayerKind.FILL:
        if layer.mask is None:
            return None if canvas is None else (0.0, 0.0, float(canvas.width), float(canvas.height))
        corners = placement.corners(layer.mask.size)
    else:
        assert layer.raster is not None
        corners = placement.corners(layer.raster.size)
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def joint_extent(boxes: Iterable[Extent]) -> Extent | None:
    """The smallest box around all; None if there is none."""
    edges = tuple(zip(*boxes, strict=True))
    if not edges:
        return None
    return min(edges[0]), min(edges[1]), max(edges[2]), max(edges[3])


def pixel_box(box: Extent | None) -> Rect:
    """The smallest integer box around an extent; empty for None."""
    if box is None:
        return Rect(0, 0, 0, 0)
    left, top, right, bottom = box
    return Rect(
        math.floor(left + 1e-6),
        math.floor(top + 1e-6),
        math.ceil(right - 1e-6),
        math.ceil(bottom - 1e-6),
    )
