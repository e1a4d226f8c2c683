"""Painted noise: places of one layer that the next run changes more, or less, than the layer.

The paint lies in the layer's source pixels and moves with it. Each pixel has a value v (its grey)
and a cover c (its alpha): the noise there is (1 - c) n + c v, n the layer's own. Where the layer
is not seen, its paint has no effect.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import Document, Layer, NextState, Raster
from collage_studio.document.placing import Placed, Source
from collage_studio.document.tree import mapped

Float: TypeAlias = "npt.NDArray[np.float32]"
Bytes: TypeAlias = "npt.NDArray[np.uint8]"

_TRACE = 0.5 / 255
"""Less than half a level of eight bits is what resampling leaves, not paint."""


def is_paintable(layer: Layer) -> bool:
    """Layers with source pixels can be painted, groups and fills cannot."""
    return layer.raster is not None


def over(
    paint: Raster | None, size: Size, value: float, cover: Float, *, box: Rect | None = None
) -> Raster:
    """The paint after a stroke of `value` in [0, 1] went over it.

    c' = a + c (1 - a) and c' v' = a value + c (1 - a) v, a the stroke's cover.

    Args:
        paint: what was painted before, if anything.
        size: of the layer's raster.
        cover: (h, w) in [0, 1], of the box or of the whole raster.
        box: where the stroke went, source px.
    """
    result = np.zeros((*size.shape, 4), np.uint8) if paint is None else _eight_bit(paint).copy()
    part = result[(box or Rect.of_size(size)).slices]
    touched = cover > 0
    share = cover[touched]
    left = part[..., 3][touched] / np.float32(255) * (1 - share)
    whole = share + left
    mixed = (share * np.float32(value) + left * part[..., 0][touched] / np.float32(255)) / whole
    part[touched, :3] = np.rint(mixed * 255).astype(np.uint8)[:, None]
    part[touched, 3] = np.rint(whole * 255).astype(np.uint8)
    result.setflags(write=False)
    return Raster(result)


def set_paint(document: Document, layer_id: str, paint: Raster | None) -> Document:
    """Give a layer painted noise, or take it away.

    A layer that was kept runs from then on, with noise 0 where nothing is painted.
    """

    def painted(layer: Layer) -> tuple[Layer, ...]:
        if paint is None or layer.state is not NextState.KEEP:
            return (replace(layer, noise_paint=paint),)
        return (replace(layer, noise_paint=paint, state=NextState.HARMONISE, noise=0.0),)

    return replace(document, layers=mapped(document.layers, (layer_id,), painted))


def without_paint(layer: Layer) -> Layer:
    """The layer with one noise everywhere."""
    return layer if layer.noise_paint is None else replace(layer, noise_paint=None)


def noise_by_pixel(layer: Layer) -> Float:
    """(H, W) in [0, 1]: the noise of each source px of a layer that has painted noise.

    Raises:
        ValueError: nothing is painted.
    """
    if layer.noise_paint is None:
        raise ValueError(f"Layer {layer.name!r} has no painted noise.")
    paint = np.multiply(_eight_bit(layer.noise_paint), np.float32(1 / 255), dtype=np.float32)
    value, cover = paint[..., 0], paint[..., 3]
    return ((1 - cover) * np.float32(layer.noise) + cover * value).astype(np.float32)


def paint_at(paint: Raster, to_canvas: Affine, size: Size) -> tuple[Float, Float]:
    """Values and covers on the canvas, both (H, W) float32 in [0, 1]; 0 where nothing is painted.

    Args:
        to_canvas: source px to canvas px.
        size: of the canvas.
    """
    values, covers = (np.zeros(size.shape, np.float32) for _ in range(2))
    placed = Placed(_source(paint), to_canvas, keep=False)
    box = placed.bounds.intersect(Rect.of_size(size))
    if box.is_empty:
        return values, covers
    mixed, cover, inside = placed.sample(box)
    value = np.divide(mixed, cover, out=np.zeros_like(mixed), where=cover > _TRACE)
    # The layer's soft border is none of the paint's.
    own = np.divide(cover, inside, out=np.zeros_like(cover), where=inside > _TRACE)
    values[box.slices], covers[box.slices] = _snapped(value), _snapped(own)
    return values, covers


def _source(paint: Raster) -> Source:
    """Planes (3, h, w): value times cover, cover, and 1 for what the raster covers."""

    def read(rect: Rect) -> Float:
        pixels = paint.pixels[rect.slices]
        planes = np.ones((3, *pixels.shape[:2]), np.float32)
        unit = np.float32(1 / np.iinfo(pixels.dtype).max)
        np.multiply(pixels[..., 3], unit, out=planes[1])
        np.multiply(pixels[..., 0], unit, out=planes[0])
        planes[0] *= planes[1]
        return planes

    return Source(paint.size, read, lambda: f"noise {paint.key}")


def _snapped(values: Float) -> Float:
    """In [0, 1], with exact ends: resampling must not make nothing, or everything, a trace less."""
    values = np.where(values < _TRACE, np.float32(0), values)
    return np.where(values > 1 - _TRACE, np.float32(1), values)


def share_painted(layer: Layer, x: float, y: float) -> float:
    """How far paint stands for the layer's noise at a source px; 0 outside."""
    paint = layer.noise_paint
    if paint is None:
        return 0.0
    row, column = int(np.floor(y)), int(np.floor(x))
    if not (0 <= row < paint.size.height and 0 <= column < paint.size.width):
        return 0.0
    return float(_eight_bit(paint)[row, column, 3]) / 255


def _eight_bit(paint: Raster) -> Bytes:
    if paint.depth == 8:
        return np.asarray(paint.pixels, np.uint8)
    return np.rint(paint.pixels / 257.0).astype(np.uint8)
