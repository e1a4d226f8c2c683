"""The noise map: how far the sampler may change each pixel, 0 keeps and 1 repaints.

S = sum of M_i n_i over the visible masks, softened so that small objects still reach their own
value and kept pixels stay exactly 0. n_i is a number, or differs by place where noise is painted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.masks import averaged, visible_masks
from collage_studio.document.model import Document, Layer, NextState, Raster
from collage_studio.document.noise_paint import paint_at
from collage_studio.document.recipe import RunSettings
from collage_studio.document.tree import nodes

Float: TypeAlias = "npt.NDArray[np.float32]"

_WORK_HEIGHT = 512
_HALVINGS = 4
_WHOLE = 1.0 - 1e-4
_GRID_SLACK_PX = 1.5
_PAINT_STEPS = 15
"""Painted noise counts as so many levels where the softening looks for small objects."""


def noise_map(
    document: Document,
    settings: RunSettings,
    *,
    size: Size | None = None,
    only: Sequence[str] = (),
) -> Float:
    """The noise of every pixel, (H, W) float32 in [0, 1].

    Exactly 0 wherever kept layers alone are visible.

    Args:
        size: of the map; the canvas size if not given.
        only: ids of the layers to re-roll. They have their own noise even when kept; the rest is
            0 beyond a feather of `settings.softness` around them.
    """
    target = size or document.size
    levels = _levels(document, settings, _expanded(document, only))
    masks = visible_masks(document, target)
    paints = {
        key: found for key, level in levels.items() if (found := level.painted(document.size))
    }
    field = _field(masks, levels, paints)
    sigma = max(0.0, settings.softness) * target.height / 512
    if field.is_uniform or sigma == 0:
        return field.finished(field.plain)
    small = _working_size(document, target)
    if small == target:
        return field.finished(_softened(field, sigma))
    whole = target == document.size
    coarse = averaged(masks, small) if whole else visible_masks(document, small)
    work = _field(coarse, levels, paints)
    soft = _softened(work, max(0.0, settings.softness) * small.height / 512)
    return field.finished(_fitted(soft, target))


def run_layers(document: Document) -> tuple[str, ...]:
    """Ids of the visible layers and groups marked for re-roll, back to front.

    If there are any, only these run.
    """
    marked = [
        node.layer.id
        for node in nodes(document.layers)
        if node.is_shown and node.layer.state is NextState.REROLL
    ]
    background = document.background
    return (*((background.id,) if background.state is NextState.REROLL else ()), *marked)


def _working_size(document: Document, target: Size) -> Size:
    """Softening happens at canvas size, or at 512 px height where the canvas is higher."""
    scale = min(document.size.height, _WORK_HEIGHT) / document.size.height
    work = Size(max(1, round(document.size.width * scale)), round(document.size.height * scale))
    return target if target.shape == work.shape else work


def _fitted(values: Float, size: Size) -> Float:
    smaller = size.height < values.shape[0]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(values, (size.width, size.height), interpolation=how).astype(
        np.float32, copy=False
    )


def _averaged(values: Float, size: Size) -> Float:
    """As the visible masks are: made at canvas size, then averaged by area."""
    return values if values.shape == size.shape else _fitted(values, size)


@dataclass(frozen=True, slots=True)
class _Level:
    """Noise of one leaf in this run.

    Args:
        noise: own noise times the run's scale.
        runs: this run may change it.
        is_chosen: it is one of the layers to re-roll.
        paint: painted noise and its way to the canvas.
        scale: of painted noise.
    """

    noise: float
    runs: bool
    is_chosen: bool = False
    paint: tuple[Raster, Affine] | None = None
    scale: float = 1.0

    @property
    def is_kept(self) -> bool:
        """It must stay as it is, all of it."""
        return self.paint is None and self.noise == 0.0 and not self.is_chosen

    def painted(self, canvas: Size) -> tuple[Float, Float] | None:
        """The noise of every canvas px, and 1 where it is exactly 0, (H, W); None unpainted.

        n(p) = s ((1 - c) n + c v), s the run's scale.
        """
        if self.paint is None:
            return None
        value, cover = paint_at(*self.paint, canvas)
        noise = (1 - cover) * np.float32(self.noise) + cover * value * np.float32(self.scale)
        noise = np.clip(noise, 0, 1).astype(np.float32, copy=False)
        return noise, (noise == 0).astype(np.float32)


def _levels(document: Document, settings: RunSettings, only: set[str]) -> dict[str, _Level]:
    """By id of every leaf and of the background."""
    levels: dict[str, _Level] = {}
    for node in nodes(document.layers):
        if not node.layer.is_group:
            kept = any(group.state is NextState.KEEP for group in node.path)
            place = node.outer.after(node.layer.placement)
            levels[node.layer.id] = _level(node.layer, settings, only, place, in_kept=kept)
    background = document.background
    levels[background.id] = _level(background, settings, only, background.placement)
    return levels


def _level(
    layer: Layer, settings: RunSettings, only: set[str], place: Affine, *, in_kept: bool = False
) -> _Level:
    chosen = layer.id in only
    is_kept = not chosen and (in_kept or layer.state is NextState.KEEP)
    own, scale = 0.0 if is_kept else layer.noise, settings.noise_scale
    noise = min(1.0, max(0.0, own * scale))
    paint = None if is_kept or layer.noise_paint is None else (layer.noise_paint, place)
    return _Level(noise, chosen or not only, chosen, paint, scale)


def _expanded(document: Document, ids: Sequence[str]) -> set[str]:
    """The named layers, with every leaf inside the named groups."""
    wanted = set(ids)
    return wanted | {
        node.layer.id
        for node in nodes(document.layers)
        if any(group.id in wanted for group in node.path)
    }


@dataclass(frozen=True, slots=True)
class _Field:
    """What the softening works on, all (H, W).

    Args:
        plain: sum of M_i n_i.
        runs: sum of M_i over the layers this run may change.
        kept: pixels that show nothing but kept layers.
        label: number of the noise level that dominates each pixel.
        only: some layers are re-rolled, the others are 0.
        low: least noise among the layers that run.
        high: greatest noise among them.
        still: pixels that paint keeps; None where nothing is painted.
    """

    plain: Float
    runs: Float
    kept: npt.NDArray[np.bool_]
    label: npt.NDArray[np.int32]
    only: bool
    low: float
    high: float
    still: npt.NDArray[np.bool_] | None = None

    @property
    def is_uniform(self) -> bool:
        return not self.only and self.low == self.high

    def finished(self, soft: Float) -> Float:
        """Bring rounding back into the range of the inputs and restore the kept pixels."""
        least = 0.0 if self.only else self.low
        result = np.clip(soft, np.float32(least), np.float32(self.high))
        result[self.kept] = 0.0
        return result


def _field(
    masks: dict[str, Float], levels: dict[str, _Level], paints: dict[str, tuple[Float, Float]]
) -> _Field:
    shape = next(iter(masks.values())).shape
    plain, runs, kept = (np.zeros(shape, np.float32) for _ in range(3))
    most, label = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    seen = {key: levels[key] for key, mask in masks.items() if mask.max() > 0}
    only = not all(level.runs for level in levels.values())
    numbers = {n: index for index, n in enumerate(sorted({_run_noise(v) for v in seen.values()}))}
    reached, still = list[float](), None
    for key, level in seen.items():
        mask = masks[key]
        painted = paints.get(key)
        number: int | npt.NDArray[np.int32] = numbers[_run_noise(level)]
        if painted is None:
            if level.runs:
                plain += mask * np.float32(level.noise)
                reached.append(level.noise)
            if level.is_kept:
                kept += mask
        else:
            noise, zero = (_averaged(part, Size(shape[1], shape[0])) for part in painted)
            kept += mask * zero
            still = mask * zero if still is None else still + mask * zero
            if level.runs:
                plain += mask * noise
                reached += [float(noise[mask > 0].min()), float(noise[mask > 0].max())]
                number = len(numbers) + np.rint(noise * _PAINT_STEPS).astype(np.int32)
        if level.runs:
            runs += mask
        np.copyto(label, number, where=mask > most)
        np.maximum(most, mask, out=most)
    reached = reached or [0.0]
    return _Field(
        plain, runs, kept >= _WHOLE, label, only, min(reached), max(reached),
        None if still is None else still >= _WHOLE,
    )  # fmt: skip


def _run_noise(level: _Level) -> float:
    return level.noise if level.runs else 0.0


def _softened(field: _Field, sigma: float) -> Float:
    """Blur by at most `sigma` px, less where objects are small; never into kept pixels."""
    spread = _local_sigma(field.label, sigma)
    free = field.runs if field.only else np.where(field.kept, np.float32(0), np.float32(1))
    if field.still is not None:
        free = np.where(field.still, np.float32(0), free)
    noise = np.where(free > 0, field.plain, np.float32(0))
    top, bottom = _blurred_by(np.dstack([noise, free]), spread, sigma)
    value = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 1e-6)
    value = np.clip(value, field.low if field.only else 0.0, field.high)
    if field.only:
        value *= _outward(field.runs, sigma)
    return (value * _ramp(field.kept, spread)).astype(np.float32, copy=False)


def _local_sigma(label: npt.NDArray[np.int32], sigma: float) -> Float:
    """A third of the radius of the largest disc of one level around each pixel, at most `sigma`.

    Grows by at most 1/3 px per px, so that a big neighbour does not wash over a small object.
    """
    edge_distance = _distance_to(_is_edge(label))
    spread = np.full(label.shape, np.inf, np.float32)
    left = np.ones(label.shape, np.bool_)
    for halving in range(_HALVINGS + 1):
        own = sigma / 2**halving if halving < _HALVINGS else 0.0
        radius = 3 * own
        fits = _distance_to(edge_distance >= radius) <= radius + _GRID_SLACK_PX
        region = left & fits if own else left
        if region.any():
            np.minimum(spread, own + _distance_to(region) / 3, out=spread)
        left = left & ~region
    return np.minimum(spread, sigma)


def _is_edge(label: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Pixels with a neighbour of another label, on both sides of the border."""
    edge = np.zeros(label.shape, np.bool_)
    rows, columns = label[1:] != label[:-1], label[:, 1:] != label[:, :-1]
    edge[1:] |= rows
    edge[:-1] |= rows
    edge[:, 1:] |= columns
    edge[:, :-1] |= columns
    return edge


def _distance_to(region: npt.NDArray[np.bool_]) -> Float:
    """Distance in px to the nearest pixel of `region`; very far if it is empty."""
    if not region.any():
        return np.full(region.shape, 1e6, np.float32)
    outside = np.where(region, 0, 255).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance.astype(np.float32, copy=False)


def _blurred_by(pair: Float, spread: Float, sigma: float) -> tuple[Float, Float]:
    """The two channels of (H, W, 2), each pixel blurred with its own sigma."""
    step = -np.log2(np.maximum(spread / sigma, 2.0**-_HALVINGS))
    total = np.zeros_like(pair)
    for halving in range(_HALVINGS + 1):
        weight = np.clip(1.0 - np.abs(step - halving), 0.0, 1.0)
        own = sigma / 2**halving if halving < _HALVINGS else 0.0
        total += _gaussian(pair, own) * weight[..., np.newaxis]
    return np.ascontiguousarray(total[..., 0]), np.ascontiguousarray(total[..., 1])


def _gaussian(values: Float, sigma: float) -> Float:
    """Cut off at 3 sigma, mirrored at the border."""
    reach = math.ceil(3 * sigma)
    if sigma < 0.2:
        return values
    ksize = (2 * reach + 1, 2 * reach + 1)
    return cv2.GaussianBlur(values, ksize, sigma, borderType=cv2.BORDER_REPLICATE).astype(
        np.float32, copy=False
    )


def _outward(runs: Float, sigma: float) -> Float:
    """The re-rolled layers' masks with a feather of `sigma` px that grows outward only."""
    reach = max(1, math.ceil(sigma))
    ksize = (2 * reach + 1, 2 * reach + 1)
    blurred = cv2.GaussianBlur(runs, ksize, sigma / 2, borderType=cv2.BORDER_REPLICATE)
    near = cv2.dilate(runs, np.ones(ksize, np.uint8))
    return np.maximum(runs, np.minimum(2 * blurred, near)).astype(np.float32, copy=False)


def _ramp(kept: npt.NDArray[np.bool_], spread: Float) -> Float:
    """0 on kept pixels, rising to 1 over two local sigmas outside them."""
    if not kept.any():
        return np.ones(kept.shape, np.float32)
    t = np.clip(_distance_to(kept) / np.maximum(2 * spread, 1e-6), 0.0, 1.0)
    return (t * t * (3 - 2 * t)).astype(np.float32, copy=False)
