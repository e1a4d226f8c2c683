"""The flat picture of a document, and single layers rendered for layered exports."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.blending import straight
from collage_studio.document.compositing import flatten, flatten_deep
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import Document, Layer, LayerKind, Mask, Raster
from collage_studio.document.placing import CACHE_TILE, Placed, mask_source, picture_source

Pixels: TypeAlias = "npt.NDArray[np.uint8]"
Planes: TypeAlias = "npt.NDArray[np.float32]"
_ON_GRID_PX = 1e-3
_PREVIEW_SIDE = 256
_NOTHING = 1e-4
_KINDS = {8: "uint8", 16: "uint16"}

Lay = Callable[[Rect, Planes], None]
"""Takes the samples of a tile, (4, h, w) premultiplied under the mask, and may change them."""


def final_picture(document: Document) -> Pixels:
    """What the document shows: the accepted picture, else the composite; (H, W, 4) uint8."""
    accepted = accepted_pixels(document)
    return flatten(document) if accepted is None else accepted


def final_deep_picture(document: Document) -> npt.NDArray[np.uint16]:
    """`final_picture` with 16 bits per channel."""
    accepted = accepted_raster(document)
    return flatten_deep(document) if accepted is None else to_16_bit(accepted.pixels)


def accepted_raster(document: Document) -> Raster | None:
    """The accepted picture; None without one of the canvas's size."""
    accepted = document.accepted
    if accepted is None or accepted.picture.size != document.size:
        return None
    return accepted.picture


def accepted_pixels(document: Document) -> Pixels | None:
    """The accepted picture, (H, W, 4) uint8; None without one of the canvas's size."""
    accepted = accepted_raster(document)
    return None if accepted is None else to_8_bit(accepted.pixels)


def is_deep(document: Document) -> bool:
    """Whether a picture in the document has 16 bits per channel."""
    accepted = accepted_raster(document)
    shown = [raster for layer in document.walk() for raster in (layer.raster, layer.harmonised)]
    return any(raster is not None and raster.depth == 16 for raster in (accepted, *shown))


def count_layers(document: Document) -> int:
    """Layers and groups that a layered export of `document` has, Background and Result included."""
    return 1 + sum(1 for _ in document.walk()) + (accepted_pixels(document) is not None)


def preview_picture(document: Document, side: int = _PREVIEW_SIDE) -> Pixels:
    """What the document shows, at most `side` px on its longer side; (h, w, 4) uint8."""
    size = document.size
    scale = min(1.0, side / max(size.width, size.height))
    small = Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))
    accepted = accepted_pixels(document)
    if accepted is None:
        return flatten(_thinned(document, scale), size=small)
    return shrunk(accepted, small)


def _thinned(document: Document, scale: float) -> Document:
    """`document` with fewer source pixels where a picture at `scale` would not show them.

    Averaging every source pixel of a large document takes seconds, and a preview is made at
    every save; twice the pixels that are needed give the same impression.
    """
    return replace(
        document, layers=tuple(_thinned_layer(layer, scale) for layer in document.layers)
    )


def _thinned_layer(layer: Layer, scale: float) -> Layer:
    placement = layer.placement
    scale *= max(math.hypot(placement.a, placement.d), math.hypot(placement.b, placement.e))
    if layer.is_group:
        children = tuple(_thinned_layer(child, scale) for child in layer.children)
        return replace(layer, children=children)
    step = int(0.5 / scale) if scale > 0 else 1
    if layer.raster is None or step < 2:
        return layer
    mask = layer.mask and Mask(layer.mask.values[::step, ::step])
    raster = Raster(layer.raster.pixels[::step, ::step])
    thinner = placement.after(Affine.scaling(step))
    return replace(layer, raster=raster, mask=mask, placement=thinner, noise_paint=None)


def shrunk(pixels: Pixels, size: Size) -> Pixels:
    """`pixels` by area average at a smaller size."""
    resized = cv2.resize(pixels, (size.width, size.height), interpolation=cv2.INTER_AREA)
    return resized.astype(np.uint8, copy=False)


def to_8_bit(pixels: npt.NDArray[Any]) -> Pixels:
    """uint16 rounded to uint8; uint8 as it is."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def to_16_bit(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """uint8 spread over the range of uint16; uint16 as it is."""
    if pixels.dtype == np.uint16:
        return pixels
    return pixels.astype(np.uint16) * np.uint16(257)


def in_depth(pixels: npt.NDArray[Any], depth: int) -> npt.NDArray[Any]:
    """`pixels` with 8 or 16 bits per channel."""
    return to_16_bit(pixels) if depth == 16 else to_8_bit(pixels)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A layer at canvas scale: straight `pixels` (h, w, 4) without mask and opacity.

    Args:
        box: where they lie; may reach over the canvas. `mask` (h, w) lies in the same box and
            is 0 outside it.
        is_exact: pixels and mask are the layer's own, not resampled; a deeper export spreads them.
    """

    box: Rect
    pixels: npt.NDArray[Any]
    mask: Pixels | None = None
    is_exact: bool = False

    def baked(self) -> npt.NDArray[Any]:
        """The pixels, 8 bit, with the mask in their alpha."""
        if self.mask is None:
            return self.pixels
        pixels = self.pixels.copy()
        pixels[..., 3] = cv2.multiply(pixels[..., 3], self.mask, scale=1 / 255)
        return pixels


def render_layer(
    layer: Layer,
    outer: Affine,
    canvas: Size,
    depth: int = 8,
    *,
    lay: Lay | None = None,
    pool: Executor | None = None,
) -> Rendered:
    """A picture or fill layer at canvas scale.

    Pixels that lie on the canvas grid are copied as they are, off-canvas parts included; others
    are resampled once, as far as one canvas size beyond the border.

    Args:
        outer: the placements of the groups around it.
        depth: 8 or 16 bits per channel of the answer.
        lay: is given the samples on the canvas of what is resampled, as the compositor takes them.
        pool: threads that share the work.
    """
    transform = outer.after(layer.placement)
    if layer.kind is LayerKind.FILL:
        return _rendered_fill(layer, transform, canvas, depth)
    assert layer.raster is not None
    shift = _grid_shift(transform, layer.raster.size)
    if shift is not None:
        mask = layer.mask.values if layer.mask else None
        size = layer.raster.size
        box = Rect(shift[0], shift[1], shift[0] + size.width, shift[1] + size.height)
        pixels = in_depth(layer.raster.pixels, depth)
        return Rendered(box, pixels, mask, is_exact=depth >= layer.raster.depth)
    resampling = _Resampling(layer, layer.raster, transform, canvas, depth)
    return resampling.rendered(lay, pool)


def is_resampled(layer: Layer, outer: Affine) -> bool:
    """Whether `render_layer` resamples the layer, and gives its samples to `lay`."""
    raster = layer.raster
    return raster is not None and _grid_shift(outer.after(layer.placement), raster.size) is None


def render_mask(mask: Mask, placement: Affine, canvas: Size) -> tuple[Rect, Pixels]:
    """A group's mask at canvas scale: its box, and (h, w) uint8 in it; 0 outside."""
    placed = Placed(mask_source(mask), placement)
    box = _within_reach(placed.bounds, canvas)
    if box is None:
        return Rect(0, 0, 1, 1), np.zeros((1, 1), np.uint8)
    return box, _bytes(placed.sample(box)[0])


def _rendered_fill(layer: Layer, transform: Affine, canvas: Size, depth: int) -> Rendered:
    box, mask = Rect.of_size(canvas), None
    if layer.mask:
        inner, values = render_mask(layer.mask, transform, canvas)
        if layer.mask_enabled:
            box, mask = inner, values
        else:
            mask = _pasted(values, inner, box)
    colour = in_depth(np.array(layer.fill, np.uint8), depth)
    pixels = np.empty((box.height, box.width, 4), colour.dtype)
    pixels[...] = colour
    return Rendered(box, pixels, mask)


def _pasted(values: Pixels, inner: Rect, box: Rect) -> Pixels:
    target = np.zeros((box.height, box.width), np.uint8)
    part = inner.intersect(box)
    if not part.is_empty:
        target[part.slices] = values[
            part.top - inner.top : part.bottom - inner.top,
            part.left - inner.left : part.right - inner.left,
        ]
    return target


class _Resampling:
    """Colours, alpha and mask whose product is what the compositor draws.

    Resampling mask and alpha by themselves would square the softness where their edges meet: the
    mask is the share that masking leaves of the resampled alpha, and colours are those it leaves.
    """

    def __init__(
        self, layer: Layer, raster: Raster, transform: Affine, canvas: Size, depth: int
    ) -> None:
        self._layer, self._canvas, self._depth = layer, canvas, depth
        self._plain = Placed(picture_source(raster, None), transform, keep=False)
        self._masked: Placed | None = None
        if layer.mask is not None:
            self._masked = Placed(picture_source(raster, layer.mask), transform, keep=False)

    def rendered(self, lay: Lay | None, pool: Executor | None) -> Rendered:
        """All tiles, by the threads of `pool` where there is one."""
        box = _within_reach(self._plain.bounds, self._canvas)
        if box is None:
            return _nothing(self._plain.bounds, self._depth)
        pixels = np.empty((box.height, box.width, 4), _KINDS[self._depth])
        mask = None if self._masked is None else np.empty(pixels.shape[:2], np.uint8)
        on_canvas = Rect.of_size(self._canvas)

        def draw(tile: Rect) -> None:
            part = _within(tile, box)
            pixels[part], values, shown = self._tile(tile)
            if mask is not None and values is not None:
                mask[part] = values
            if lay is not None and not tile.intersect(on_canvas).is_empty:
                lay(tile, shown)

        for _ in (pool.map if pool else map)(draw, _tiles(box, self._canvas)):
            pass
        return Rendered(box, pixels, mask)

    def _tile(self, tile: Rect) -> tuple[npt.NDArray[Any], Pixels | None, Planes]:
        """Pixels and mask of the layer, and the samples that the compositor takes."""
        planes = self._plain.sample(tile)
        if self._masked is None:
            return _interleaved(straight(planes), planes[3], self._depth), None, planes
        masked = self._masked.sample(tile)
        mask = _bytes(masked[3] / np.maximum(planes[3], 1e-6))
        colours = straight(planes)
        if not self._layer.mask_enabled:
            return _interleaved(colours, planes[3], self._depth), mask, planes
        colours = np.where(masked[3] > _NOTHING, straight(masked), colours)
        return _interleaved(colours, planes[3], self._depth), mask, masked


def _tiles(box: Rect, canvas: Size) -> Iterator[Rect]:
    """Parts of `box` as the compositor cuts the canvas, and the same grid beyond its border."""
    for top, bottom in _spans(box.top, box.bottom, CACHE_TILE.height, canvas.height):
        for left, right in _spans(box.left, box.right, CACHE_TILE.width, canvas.width):
            yield Rect(left, top, right, bottom)


def _spans(start: int, end: int, step: int, border: int) -> Iterator[tuple[int, int]]:
    inner = {border, *range(start - start % step, end, step)}
    return pairwise(sorted({start, end, *(edge for edge in inner if start < edge < end)}))


def _within(tile: Rect, box: Rect) -> tuple[slice, slice]:
    left, top = tile.left - box.left, tile.top - box.top
    return Rect(left, top, left + tile.width, top + tile.height).slices


def _interleaved(colours: Planes, alpha: Planes, depth: int) -> npt.NDArray[Any]:
    """(h, w, 4) from planes."""
    return cv2.merge([*_whole(colours, depth), _whole(alpha, depth)])  # pyright: ignore[reportReturnType]


def _within_reach(bounds: Rect, canvas: Size) -> Rect | None:
    w, h = canvas.width, canvas.height
    box = bounds.intersect(Rect(-w, -h, 2 * w, 2 * h))
    return None if box.is_empty else box


def _nothing(bounds: Rect, depth: int) -> Rendered:
    """A layer far outside the canvas, or flattened to a line: one transparent pixel."""
    left, top = (max(-30_000, min(30_000, edge)) for edge in (bounds.left, bounds.top))
    return Rendered(Rect(left, top, left + 1, top + 1), np.zeros((1, 1, 4), _KINDS[depth]))


def _bytes(values: Planes) -> Pixels:
    """[0, 1] to 0..255, halves rounded up, as the compositor does."""
    return _whole(values, 8)


def _whole(values: Planes, depth: int) -> npt.NDArray[Any]:
    limit = float((1 << depth) - 1)
    return np.clip(values * limit + 0.5, 0.0, limit).astype(_KINDS[depth])


def _grid_shift(transform: Affine, size: Size) -> tuple[int, int] | None:
    """The whole-pixel shift that the placement is; None if pixels must be resampled."""
    if not (math.isfinite(transform.c) and math.isfinite(transform.f)):
        return None
    x, y = round(transform.c), round(transform.f)
    pairs = zip(transform.corners(size), Affine.translation(x, y).corners(size), strict=True)
    off = max(max(abs(p[0] - q[0]), abs(p[1] - q[1])) for p, q in pairs)
    return (x, y) if off < _ON_GRID_PX else None
