"""Visible masks: how much of each pixel every leaf, and the background, contributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import IDENTITY, Affine, Rect, Size
from collage_studio.document.model import Document, Layer, LayerKind
from collage_studio.document.placing import CACHE_TILE, Placed, alpha_source, mask_source
from collage_studio.document.tree import clip_stacks

Float: TypeAlias = "npt.NDArray[np.float32]"


def visible_masks(document: Document, size: Size | None = None) -> dict[str, Float]:
    """How much of each pixel each leaf layer is, by id: (H, W) float32, together exactly 1.

    M_i = a_i * prod over all j above i of (1 - a_j); the background has the rest. Hidden layers
    are left out. Blend modes do not matter.

    Args:
        size: of the masks; they are made at canvas size and then averaged by area.
    """
    return {layer_id: _resized(mask, size) for layer_id, mask in _stack_masks(document)}


def averaged(masks: dict[str, Float], size: Size | None) -> dict[str, Float]:
    """Masks of canvas size at another size, averaged by area."""
    return {layer_id: _resized(mask, size) for layer_id, mask in masks.items()}


def _stack_masks(document: Document) -> Iterator[tuple[str, Float]]:
    """The leaves' masks at canvas size, front to back, then the background's."""
    rest = np.ones(document.size.shape, np.float32)
    yield from _take(document.layers, IDENTITY, rest)
    yield document.background.id, rest


def _take(layers: tuple[Layer, ...], outer: Affine, rest: Float) -> Iterator[tuple[str, Float]]:
    """Let `layers` take their share of `rest`, in place, from the front."""
    for base, clipped in reversed(tuple(clip_stacks(layers))):
        if not base.visible:
            continue
        taken = _take_one(base, outer, rest)
        if any(clip.visible for clip in clipped):
            taken = _shared(list(taken), clipped, outer)
        yield from taken


def _take_one(layer: Layer, outer: Affine, rest: Float) -> Iterator[tuple[str, Float]]:
    transform = outer.after(layer.placement)
    if layer.is_group:
        yield from _take_group(layer, transform, rest)
    else:
        yield layer.id, _take_leaf(layer, transform, rest)


def _shared(
    bases: list[tuple[str, Float]], clipped: tuple[Layer, ...], outer: Affine
) -> Iterator[tuple[str, Float]]:
    """Clipped layers take their share of what the layer or group below them has taken."""
    if not bases:
        return
    total = sum((mask for _, mask in bases), np.zeros_like(bases[0][1]))
    left = total.copy()
    yield from _take(tuple(replace(clip, clipped=False) for clip in clipped), outer, left)
    kept = np.divide(left, total, out=np.zeros_like(total), where=total > 0)
    for layer_id, mask in bases:
        yield layer_id, mask * kept


def _take_leaf(layer: Layer, transform: Affine, rest: Float) -> Float:
    mask = np.zeros_like(rest)
    share, strength = _own_alpha(layer, transform), _strength(layer)
    box = Rect.of_size(Size(rest.shape[1], rest.shape[0]))
    if isinstance(share, Placed):
        box = box.intersect(share.bounds)
    for tile in box.tiles(CACHE_TILE):
        part, left = mask[tile.slices], rest[tile.slices]
        if not left.any():
            continue
        alpha = share.sample(tile)[0] if isinstance(share, Placed) else share
        np.multiply(left, alpha * strength, out=part)
        left -= part
    return mask


def _own_alpha(layer: Layer, transform: Affine) -> Placed | np.float32:
    mask = layer.mask if layer.mask_enabled or layer.kind is LayerKind.LAYOUT else None
    if layer.kind is LayerKind.PICTURE:
        assert layer.raster is not None
        return Placed(alpha_source(layer.raster, mask), transform)
    return np.float32(1.0) if mask is None else Placed(mask_source(mask), transform)


def _strength(layer: Layer) -> np.float32:
    fill = layer.fill[3] / 255 if layer.kind is LayerKind.FILL else 1.0
    return np.float32(layer.opacity * fill)


def _take_group(layer: Layer, transform: Affine, rest: Float) -> Iterator[tuple[str, Float]]:
    """The group's mask and opacity let only a part of `rest` reach its children."""
    if layer.opacity == 1.0 and (layer.mask is None or not layer.mask_enabled):
        yield from _take(layer.children, transform, rest)
        return
    inside = _take_leaf(layer, transform, rest)
    yield from _take(layer.children, transform, inside)
    rest += inside


def _resized(mask: Float, size: Size | None) -> Float:
    if size is None or size.shape == mask.shape:
        return mask
    smaller = cv2.resize(mask, (size.width, size.height), interpolation=cv2.INTER_AREA)
    return smaller.astype(np.float32, copy=False)
