"""Make one picture of a document: the reference compositor for export and engine.

Works in tiles that fit the processor's cache. Planes are premultiplied (4, h, w) float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.blending import composite_atop, composite_over, straight
from collage_studio.document.geometry import IDENTITY, Affine, Rect, Size
from collage_studio.document.model import BlendMode, Document, Layer, LayerKind
from collage_studio.document.placing import CACHE_TILE, Placed, mask_source, picture_source
from collage_studio.document.tree import clip_stacks, extent, pixel_box

Float: TypeAlias = "npt.NDArray[np.float32]"


def flatten(
    document: Document, *, size: Size | None = None, box: Rect | None = None
) -> npt.NDArray[np.uint8]:
    """Composite all visible layers over the background, (H, W, 4) uint8 straight alpha.

    Args:
        size: of the whole canvas in the answer's pixels; the canvas size if not given.
        box: the part wanted, in the answer's pixels.
    """
    return _flattened(document, size, box, np.uint8)


def flatten_deep(document: Document) -> npt.NDArray[np.uint16]:
    """`flatten` with 16 bits per channel, (H, W, 4) uint16 straight alpha."""
    return _flattened(document, None, None, np.uint16)


def _flattened(
    document: Document, size: Size | None, box: Rect | None, kind: type[Any]
) -> npt.NDArray[Any]:
    target = size or document.size
    box = box or Rect.of_size(target)
    stack = _prepare((document.background, *document.layers), canvas_to(document, target))
    picture = np.empty((box.height, box.width, 4), kind)
    for tile in box.tiles(CACHE_TILE):
        planes = _empty(tile)
        _composite(stack, tile, planes)
        picture[_within(tile, box)] = _to_whole(planes, kind)
    return picture


class Composition:
    """A picture made layer by layer, from the bottom: to the bit what `flatten` makes.

    For exports, which need the samples of each layer too: to take them once saves half the time.
    It holds the whole canvas, 16 bytes a pixel. Different tiles may be drawn at the same time.
    """

    def __init__(self, size: Size) -> None:
        self.size = size
        self._planes = _empty(Rect.of_size(size))

    def lay(self, layer: Layer, tile: Rect, planes: Float) -> None:
        """Lay the samples of a picture layer, (4, h, w) of `tile` under its mask.

        Args:
            planes: changed here.
        """
        if not _is_shown(layer):
            return
        if layer.opacity != 1.0:
            planes *= np.float32(layer.opacity)
        composite_over(self._planes[:, *tile.slices], planes, layer.blend)

    def draw(self, *layers: Layer, pool: Executor) -> None:
        """Lay a layer with the layers clipped to it, or several such, by the threads of `pool`."""
        items = _prepare(layers, IDENTITY)

        def draw(tile: Rect) -> None:
            _composite(items, tile, self._planes[:, *tile.slices])

        for _ in pool.map(draw, self._tiles()) if items else ():
            pass

    def picture(self, kind: type[Any]) -> npt.NDArray[Any]:
        """(H, W, 4) straight uint8 or uint16; nothing may be drawn afterwards."""
        picture = np.empty((*self.size.shape, 4), kind)
        for tile in self._tiles():
            picture[tile.slices] = _to_whole(self._planes[:, *tile.slices], kind)
        return picture

    def _tiles(self) -> Iterator[Rect]:
        return Rect.of_size(self.size).tiles(CACHE_TILE)


def composite_picture(document: Document) -> npt.NDArray[np.uint8]:
    """The flattened document over its background's fill made opaque, (H, W, 3) uint8."""
    background = document.background
    if not _is_opaque_fill(background):
        under = Layer("", "", LayerKind.FILL, fill=(*background.fill[:3], 255))
        document = replace(document, background=under, layers=(background, *document.layers))
    return np.ascontiguousarray(flatten(document)[..., :3])


def place_layer(
    layer: Layer, *, size: Size, box: Rect | None = None, transform: Affine = IDENTITY
) -> Float:
    """One layer or group by itself, with its mask and opacity: (h, w, 4) premultiplied [0, 1].

    Args:
        size: of the whole target in px.
        box: the part wanted, in target px; all of `size` if not given.
        transform: canvas px to target px.
    """
    box = box or Rect.of_size(size)
    planes = _empty(box)
    shown = replace(layer, visible=True, blend=BlendMode.NORMAL)
    _composite(_prepare((shown,), transform), box, planes)
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1))


def bounds(layer: Layer, *, outer: Affine = IDENTITY, canvas: Size | None = None) -> Rect:
    """The smallest box of canvas px that holds a layer, its mask ignored; empty if it has none.

    Args:
        outer: what the groups around the layer do after its own placement (`tree.Node.outer`).
        canvas: the canvas size, which is what a fill covers.
    """
    return pixel_box(extent(layer, outer, canvas))


def canvas_to(document: Document, size: Size) -> Affine:
    """The map from canvas px to the px of a target of another size."""
    return Affine.scaling(size.width / document.size.width, size.height / document.size.height)


@dataclass(frozen=True, slots=True)
class _Item:
    """A layer ready to be drawn: its picture or fill or children, and the mask of a group."""

    layer: Layer
    picture: Placed | None
    mask: Placed | None
    children: tuple[_Item, ...]
    bounds: Rect | None
    """None = without limits."""
    clips: tuple[_Item, ...] = ()
    """The clipped layers on it, back to front."""


def _prepare(layers: tuple[Layer, ...], transform: Affine) -> tuple[_Item, ...]:
    items = list[_Item]()
    for base, clipped in clip_stacks(layers):
        if not _is_shown(base):
            continue
        item = _prepare_one(base, transform.after(base.placement))
        shown = filter(_is_shown, clipped)
        clips = tuple(_prepare_one(clip, transform.after(clip.placement)) for clip in shown)
        items.append(replace(item, clips=clips) if clips else item)
    return tuple(items)


def _is_shown(layer: Layer) -> bool:
    return layer.visible and layer.opacity > 0 and layer.kind is not LayerKind.LAYOUT


def _prepare_one(layer: Layer, transform: Affine) -> _Item:
    mask = layer.mask if layer.mask_enabled else None
    if layer.kind is LayerKind.PICTURE:
        assert layer.raster is not None
        picture = Placed(picture_source(layer.raster, mask), transform)
        return _Item(layer, picture, None, (), picture.bounds)
    placed = None if mask is None else Placed(mask_source(mask), transform)
    children = _prepare(layer.children, transform)
    limits = None if placed is None else placed.bounds
    if layer.is_group and all(child.bounds is not None for child in children):
        inner = Rect(0, 0, 0, 0)
        for child in children:
            inner = inner.union(child.bounds or inner)
        limits = inner if limits is None else inner.intersect(limits)
    return _Item(layer, None, placed, children, limits)


def _composite(items: tuple[_Item, ...], box: Rect, planes: Float) -> None:
    """Lay `items` over `planes`, which show `box`."""
    for item in items:
        part = box if item.bounds is None else box.intersect(item.bounds)
        if not part.is_empty:
            _draw(item, part, planes[:, *_within(part, box)])


def _draw(item: _Item, box: Rect, below: Float) -> None:
    layer = item.layer
    if layer.is_group and layer.blend is BlendMode.PASS_THROUGH and not item.clips:
        _draw_through(item, box, below)
        return
    own = _own_planes(item, box)
    _draw_clips(item.clips, box, own)
    share = _share(item, box)
    if share is not None:
        own *= share
    composite_over(below, own, layer.blend)


def _draw_clips(clips: tuple[_Item, ...], box: Rect, base: Float) -> None:
    """Lay clipped layers onto the planes of the layer that holds them, which show `box`."""
    for clip in clips:
        part = box if clip.bounds is None else box.intersect(clip.bounds)
        if part.is_empty:
            continue
        own = _own_planes(clip, part)
        share = _share(clip, part)
        if share is not None:
            own *= share
        composite_atop(base[:, *_within(part, box)], own, clip.layer.blend)


def _own_planes(item: _Item, box: Rect) -> Float:
    if item.picture is not None:
        return item.picture.sample(box)
    planes = _empty(box)
    if item.layer.is_group:
        _composite(item.children, box, planes)
    else:
        color = np.array(item.layer.fill, np.float32) / np.float32(255)
        color[:3] *= color[3]
        planes[...] = color[:, np.newaxis, np.newaxis]
    return planes


def _draw_through(item: _Item, box: Rect, below: Float) -> None:
    """A pass-through group: its children meet what lies below; mask and opacity fade that in."""
    share = _share(item, box)
    if share is None:
        _composite(item.children, box, below)
        return
    over = below.copy()
    _composite(item.children, box, over)
    over -= below
    over *= share
    below += over


def _share(item: _Item, box: Rect) -> Float | np.float32 | None:
    """Opacity times the mask of a group or fill; None where that is 1."""
    opacity = np.float32(item.layer.opacity)
    if item.mask is not None:
        return item.mask.sample(box)[0] * opacity
    return None if opacity == 1.0 else opacity


def _is_opaque_fill(layer: Layer) -> bool:
    return (
        layer.kind is LayerKind.FILL
        and layer.visible
        and layer.opacity == 1.0
        and layer.fill[3] == 255
        and (layer.mask is None or not layer.mask_enabled)
    )


def _empty(box: Rect) -> Float:
    return np.zeros((4, box.height, box.width), np.float32)


def _within(part: Rect, box: Rect) -> tuple[slice, slice]:
    return Rect(
        part.left - box.left, part.top - box.top, part.right - box.left, part.bottom - box.top
    ).slices


def _to_whole(planes: Float, kind: type[Any]) -> npt.NDArray[Any]:
    """(h, w, 4) straight uint8 or uint16, halves rounded up."""
    if planes[3].min() < 1.0:
        planes[:3] = straight(planes)
    limit = float(np.iinfo(kind).max)
    planes *= limit
    planes += 0.5
    np.clip(planes, 0.0, limit, out=planes)
    return cv2.merge([plane.astype(kind) for plane in planes])  # pyright: ignore[reportReturnType]
