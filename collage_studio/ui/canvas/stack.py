"""The layers as the canvas paints them: visible ones, pass-through groups spliced in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import BlendMode, Document, Layer, Raster
from collage_studio.document.tree import clip_stacks

RESULT_ID = "result"
_UNMOVED = Affine()


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to paint.

    Args:
        layer: a picture, a fill or a group that is more than its children.
        parent: what the groups around it do to its placement.
        children: of a group, back to front.
        clips: layers that show only where this one does, back to front.
    """

    layer: Layer
    parent: Affine = _UNMOVED
    children: tuple[Item, ...] = ()
    clips: tuple[Item, ...] = ()

    @property
    def placed(self) -> Affine:
        """Source pixels to canvas pixels."""
        return self.parent.after(self.layer.placement)


@dataclass(frozen=True, slots=True)
class Stack:
    """All that one side of the canvas shows; compared by identity of its layers."""

    size: Size
    background: Layer
    items: tuple[Item, ...]

    @property
    def is_opaque(self) -> bool:
        """The background hides everything behind the canvas."""
        ground = self.background
        return ground.visible and ground.opacity >= 1.0 and ground.fill[3] == 255


def stack_of(document: Document) -> Stack:
    """The collage: every visible layer."""
    return Stack(document.size, document.background, tuple(_items(document.layers, Affine())))


def stack_of_picture(document: Document, picture: Raster, over: Iterable[str] = ()) -> Stack:
    """A harmonised picture of canvas size; layers `over` lie on top as they are now."""
    result = Item(Layer(RESULT_ID, "Result", raster=picture))
    wanted = set(over)
    drawn = tuple(i for i in _leaves(document.layers, Affine()) if i.layer.id in wanted)
    return Stack(document.size, document.background, (result, *drawn))


def is_spliced(group: Layer) -> bool:
    """The group's children blend with what is below as if the group were not there."""
    masked = group.mask is not None and group.mask_enabled
    return group.blend is BlendMode.PASS_THROUGH and group.opacity >= 1.0 and not masked


def _items(layers: Iterable[Layer], parent: Affine) -> Iterator[Item]:
    for base, clipped in clip_stacks(layers):
        if not _is_shown(base):
            continue
        clips = tuple(_item(layer, parent) for layer in clipped if _is_shown(layer))
        item = replace(_item(base, parent), clips=clips)
        if base.is_group and not clips and is_spliced(base):
            yield from item.children
        else:
            yield item


def _is_shown(layer: Layer) -> bool:
    return layer.visible and layer.opacity > 0.0


def _item(layer: Layer, parent: Affine) -> Item:
    return Item(layer, parent, tuple(_items(layer.children, parent.after(layer.placement))))


def _leaves(layers: Iterable[Layer], parent: Affine) -> Iterator[Item]:
    for layer in layers:
        if not layer.visible:
            continue
        if layer.is_group:
            yield from _leaves(layer.children, parent.after(layer.placement))
        else:
            yield Item(layer, parent)
