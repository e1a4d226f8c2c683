"""Writes an accepted picture back: every visible layer gets its own pixels as the picture shows it.

With the shares V_i of the layers in each pixel, the colours F_i are found that are nearest to a
good first guess and make P = sum_i V_i F_i; where the ground carries shadow and light, its term is
V_0 (s F_0 + l). A layer's id, name, mask, text and place stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from collage_studio.cutout.foreground import estimate_colours
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.harmonised import GROUND, LIGHT, SHADOW, cast_id
from collage_studio.document.model import BlendMode, Document, Layer, Raster
from collage_studio.document.tree import mapped
from collage_studio.writeback.hidden import with_closed_holes
from collage_studio.writeback.leaves import (
    FEWEST,
    Leaf,
    is_fill,
    leaves_of,
    overlapping,
    visible_shares,
    within,
)
from collage_studio.writeback.outlines import band_width, with_fresh_outlines
from collage_studio.writeback.relight import light_between
from collage_studio.writeback.shading import Part, Shading, shading_of, split_by_caster

Float = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]

Casts = dict[int, Part]
"""By index of a leaf: what it casts on the ground."""

_TILE = Size(192, 192)
_SURE = 0.995
_COVERED_YIELDS = np.float32(0.2)
"""How readily the colours of a partly covered layer change, next to those of the one above it."""
_ROUNDS = 12
_CLOSE = 0.2 / 255


def write_back(document: Document, picture: Picture, variation_id: str = "") -> Document:
    """Give `picture` (H, W, 3) back to the visible layers of `document`.

    `document.harmonised.harmonised_stack` of the result shows `picture`, within 1/255.

    Raises:
        ValueError: the picture is not of the canvas's size.
    """
    if picture.shape != (*document.size.shape, 3):
        raise ValueError(
            f"The picture is {picture.shape[1]} x {picture.shape[0]} px, the canvas "
            f"{document.size.width} x {document.size.height} px."
        )
    target = picture.astype(np.float32) / np.float32(255)
    shape = document.size.shape
    band = band_width(shape)
    leaves = with_closed_holes(leaves_of(document, 2 * band), shape)
    base = _ground_index(leaves, visible_shares(leaves, shape))
    leaves, bleeding = with_fresh_outlines(leaves, target, band, base)
    shares = visible_shares(leaves, shape)
    colours = [
        _first_guess(leaf, share, target) for leaf, share in zip(leaves, shares, strict=True)
    ]
    shading, casts = _shading(leaves, shares, colours, base, bleeding)
    for tile in Rect.of_size(document.size).tiles(_TILE):
        _meet(leaves, shares, colours, shading, base, target, tile)
    pixels = {
        leaf.layer.id: _raster(leaf, found) for leaf, found in zip(leaves, colours, strict=True)
    }
    falling = () if shading is None else _falling(leaves, shading, casts, base)
    return replace(_assembled(document, leaves, pixels, falling, base), written_back=variation_id)


def _ground_index(leaves: tuple[Leaf, ...], shares: list[Float]) -> int:
    """The leaf that shadows fall on: the canvas where it shows at all, else the lowest layer."""
    return 0 if shares[0].max() > FEWEST or len(leaves) == 1 else 1


def _first_guess(leaf: Leaf, share: Float, target: Float) -> Float:
    """Colours of a leaf: what the picture shows of it, and its own pixels relit where hidden."""
    shown = np.ascontiguousarray(target[leaf.box.slices])
    if share.max() <= FEWEST:
        return leaf.colours
    front = shown if bool((share > _SURE).all()) else estimate_colours(shown, share)[0]
    return front if is_fill(leaf.layer) else _with_hidden(leaf, share, front)


def _with_hidden(leaf: Leaf, share: Float, front: Float) -> Float:
    """Colours where a leaf shows, and its own pixels in the same light where it does not."""
    sigma = max(2.0, 0.06 * max(share.shape))
    weight = np.square(np.clip((np.minimum(share, leaf.own) - 0.5) / 0.5, 0, 1))
    if float(weight.sum()) < 1:
        weight = np.minimum(share, leaf.own)
    relit = light_between(leaf.colours, front, weight, sigma).on(leaf.colours)
    # Beyond its own outline a layer has no pixels to relight.
    trust = np.where(leaf.own < 0.5, 1, np.clip((share - 0.5) / 0.45, 0, 1))[..., None]
    return (front * trust + relit * (1 - trust)).astype(np.float32)


def _shading(
    leaves: tuple[Leaf, ...],
    shares: list[Float],
    colours: list[Float],
    base: int,
    bleeding: Float,
) -> tuple[Shading | None, Casts]:
    """Take shadow, light and bleeding off the ground's colours; by index of what casts them."""
    leaf, share = leaves[base], shares[base]
    if len(leaves) <= base + 1 or is_fill(leaf.layer) or share.max() <= FEWEST:
        return None, {}
    covered = (leaf.alpha - share).clip(0, 1)
    found = shading_of(leaf.colours, colours[base], share, covered, bleeding[leaf.box.slices])
    if found.shadow.min() >= 1 and found.light.max() <= 0:
        return None, {}
    casters = _casters(leaves, shares, base)
    casts: Casts = {}
    if casters:
        found, parts = split_by_caster(found, tuple(casters.values()))
        casts = dict(zip(casters, parts, strict=True))
    bare = ((colours[base] - found.light) / np.maximum(found.slope, 1e-3)).clip(0, 1)
    colours[base] = _with_hidden(leaf, share, bare.astype(np.float32))
    return found, casts


def _casters(
    leaves: tuple[Leaf, ...], shares: list[Float], base: int
) -> dict[int, npt.NDArray[np.bool_]]:
    """By index: where the visible pictures in front of the ground are, in the ground's box."""
    box, found = leaves[base].box, dict[int, npt.NDArray[np.bool_]]()
    for index in range(base + 1, len(leaves)):
        leaf = leaves[index]
        part = leaf.box.intersect(box)
        if is_fill(leaf.layer) or part.is_empty or shares[index].max() < 0.5:
            continue
        solid = np.zeros(leaves[base].alpha.shape, np.bool_)
        solid[within(part, box)] = leaf.alpha[within(part, leaf.box)] > 0.5
        if solid.any():
            found[index] = solid
    return found


def _meet(
    leaves: tuple[Leaf, ...],
    shares: list[Float],
    colours: list[Float],
    shading: Shading | None,
    base: int,
    target: Float,
    tile: Rect,
) -> None:
    """Move the colours inside a tile until they make the target; then round them to 8 bits."""
    here = list(overlapping(leaves, tile))
    goal = target[tile.slices].copy()
    weights, yields, values = list[Float](), list[Float](), list[Float]()
    for index, leaf, part in here:
        cut = within(part, leaf.box)
        weight = np.repeat(shares[index][cut][..., None], 3, axis=2)
        if index == base and shading is not None:
            goal[within(part, tile)] -= weight * shading.light[cut]
            weight = weight * shading.slope[cut]
        covered = (leaf.alpha[cut] - shares[index][cut])[..., None] > FEWEST
        weights.append(weight)
        yields.append(weight * np.where(covered, _COVERED_YIELDS, np.float32(1)))
        values.append(colours[index][cut])
    parts = [within(part, tile) for _, _, part in here]
    power = np.full(goal.shape, 1e-9, np.float32)
    for weight, given, part in zip(weights, yields, parts, strict=True):
        power[part] += weight * given
    for _ in range(_ROUNDS):
        missing = _missing(goal, weights, values, parts)
        if np.abs(missing).max() < _CLOSE:
            break
        step = missing / power
        values = [
            np.clip(value + given * step[part], 0, 1).astype(np.float32)
            for value, given, part in zip(values, yields, parts, strict=True)
        ]
    failed = np.abs(_missing(goal, weights, values, parts)).max(axis=2) > 2 * _CLOSE
    for (index, leaf, part), value, local in zip(here, values, parts, strict=True):
        cut = within(part, leaf.box)
        if failed.any():
            # No mixture was found: every layer shows the picture itself, which always adds up.
            plain = target[tile.slices][local]
            value = np.where(failed[local][..., None], plain, value)
            if index == base and shading is not None:
                shading.clear(cut, failed[local])
        colours[index][cut] = np.rint(value * 255) / np.float32(255)


def _missing(
    goal: Float,
    weights: list[Float],
    values: list[Float],
    parts: list[tuple[slice, slice]],
) -> Float:
    missing = goal.copy()
    for weight, value, part in zip(weights, values, parts, strict=True):
        missing[part] -= weight * value
    return missing


def _raster(leaf: Leaf, colours: Float) -> Raster:
    alpha = np.rint(leaf.alpha * 255).astype(np.uint8)
    return Raster(np.dstack([np.rint(colours * 255).astype(np.uint8), alpha]))


def _assembled(
    document: Document,
    leaves: tuple[Leaf, ...],
    pixels: dict[str, Raster],
    falling: Sequence[Layer],
    base: int,
) -> Document:
    by_id = {leaf.layer.id: leaf for leaf in leaves if leaf.layer.id != document.background.id}

    def given(layer: Layer) -> tuple[Layer]:
        leaf = by_id.get(layer.id)
        if leaf is None:
            return (replace(layer, harmonised=None),)
        back = leaf.placement.inverse().after(Affine.translation(leaf.box.left, leaf.box.top))
        return (replace(layer, harmonised=pixels[layer.id], harmonised_placement=back),)

    ids = {layer.id for layer in document.walk() if not layer.is_group}
    changed = replace(document, layers=mapped(document.layers, ids, given))
    beside = list[Layer]()
    if base == 0:
        own = pixels[document.background.id]
        beside.append(Layer(GROUND, document.background.name, raster=own))
    return replace(changed, beside=(*beside, *falling))


def _falling(
    leaves: tuple[Leaf, ...], shading: Shading, casts: Casts, base: int
) -> tuple[Layer, ...]:
    """Layers that multiply the ground by the shadows, then others that screen it with the light.

    What an object casts is placed from its own pixels, so that it moves with it.
    """
    box = leaves[base].box
    whole = Part(slice(0, box.height), slice(0, box.width), shading)
    # A pixel that was cleared shows none at all.
    dark = np.any(shading.shadow < 1, axis=2)
    bright = np.any(shading.light > 0, axis=2)
    shadows, lights = list[Layer](), list[Layer]()
    for index, part in (casts or {base: whole}).items():
        cut = (part.rows, part.columns)
        caster = leaves[index] if casts else None
        corner = (box.left + part.columns.start, box.top + part.rows.start)
        deep = np.where(dark[cut][..., None], part.shading.shadow, 1)
        lit = np.where(bright[cut][..., None], part.shading.light, 0)
        shadows += _layer(SHADOW, "Shadow", BlendMode.MULTIPLY, (deep, 1.0), corner, caster)
        lights += _layer(LIGHT, "Light", BlendMode.SCREEN, (lit, 0.0), corner, caster)
    return (*shadows, *lights)


def _layer(
    layer_id: str,
    name: str,
    blend: BlendMode,
    values: tuple[npt.NDArray[np.floating], float],
    corner: tuple[int, int],
    caster: Leaf | None,
) -> Iterator[Layer]:
    """One layer as large as it has to be; none where all of it is neutral."""
    shown, neutral = values
    rows, columns = np.nonzero((shown != neutral).any(axis=2))
    if not rows.size:
        return
    top, left = int(rows.min()), int(columns.min())
    part = shown[top : int(rows.max()) + 1, left : int(columns.max()) + 1]
    placement = Affine.translation(corner[0] + left, corner[1] + top)
    raster = Raster.from_rgb(np.rint(part * 255).astype(np.uint8))
    if caster is not None:
        layer_id, name = cast_id(layer_id, caster.layer.id), f"{name} of {caster.layer.name}"
        placement = caster.placement.inverse().after(placement)
    yield Layer(layer_id, name, raster=raster, placement=placement, blend=blend)
