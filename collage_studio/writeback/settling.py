"""Keeps a stack exact while parts of it are painted anew: what is in front makes up for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from collage_studio.document.compositing import composite_picture
from collage_studio.document.geometry import Affine
from collage_studio.document.harmonised import GROUND, harmonised_stack
from collage_studio.document.model import Document, Layer, Raster
from collage_studio.document.tree import mapped
from collage_studio.engine.api import Picture
from collage_studio.writeback.hidden import Float, Gap, Region, bare_stack
from collage_studio.writeback.leaves import Leaf, leaves_of, visible_shares

_LEAST_SHARE = 0.05
_ROUNDS = 3
_MOST_APART = 1
"""Levels of 255 by which a settled pixel may differ from the accepted picture."""


@dataclass(frozen=True, slots=True)
class Filling:
    """A layer's harmonised pixels with its hidden parts painted; GROUND for the canvas's."""

    layer_id: str
    raster: Raster
    placement: Affine


def with_filling(document: Document, filling: Filling) -> Document:
    """Give the layer its filled pixels; a layer that is gone is left alone."""
    if filling.layer_id == GROUND:
        beside = tuple(
            replace(layer, raster=filling.raster, placement=filling.placement)
            if layer.id == GROUND
            else layer
            for layer in document.beside
        )
        return replace(document, beside=beside)

    def given(layer: Layer) -> tuple[Layer]:
        return (replace(layer, harmonised=filling.raster, harmonised_placement=filling.placement),)

    layers = mapped(document.layers, {filling.layer_id}, given)
    return document if layers is document.layers else replace(document, layers=layers)


def filling_of(document: Document, leaf: Leaf, pixels: npt.NDArray[np.uint8]) -> Filling:
    """New pixels (h, w, 4) for the box of a leaf of the harmonised stack."""
    back = Affine.translation(leaf.box.left, leaf.box.top)
    own = document.find(leaf.layer.id)
    if own is not None:
        # The leaf's placement ends with the harmonised pixels' own; the layer's is before it.
        source = leaf.placement.after(own.harmonised_placement.inverse())
        back = source.inverse().after(back)
    return Filling(leaf.layer.id, Raster(pixels), back)


def pixels_of(leaf: Leaf) -> npt.NDArray[np.uint8]:
    """(h, w, 4) of its box: the harmonised pixels themselves where they lie on whole pixels."""
    raster, placed, (height, width) = leaf.layer.raster, leaf.placement, leaf.alpha.shape
    x, y = placed.apply(0, 0)
    turns = (placed.a, placed.b, placed.d, placed.e)
    left, top = leaf.box.left - round(x), leaf.box.top - round(y)
    is_straight = np.allclose(turns, (1.0, 0.0, 0.0, 1.0), atol=1e-6)
    is_whole = abs(x - round(x)) + abs(y - round(y)) < 1e-3
    if raster is not None and raster.depth == 8 and is_straight and is_whole:
        part = raster.pixels[top : top + height, left : left + width]
        if part.shape[:2] == (height, width):
            return part.astype(np.uint8)
    colours = np.rint(leaf.colours * 255).astype(np.uint8)
    return np.dstack([colours, np.rint(leaf.alpha * 255).astype(np.uint8)])


def settled(
    document: Document,
    gap: Gap,
    ring: Region,
    fillings: tuple[Filling, Filling],
    target: Picture,
) -> tuple[Filling, ...]:
    """The painted layer and the ones in front of it, so that the stack shows `target` again.

    A front layer j with share V_j of a pixel takes F_j + V_j D / sum V_k^2, D what is missing.
    Where that is no colour, the painted layer keeps what it had at its soft edge.

    Args:
        ring: (h, w) of the gap's box, the soft edge that was painted.
        fillings: the layer without and with its soft edge painted.
    """
    plain, whole = fillings
    painted = with_filling(document, whole)
    leaves = leaves_of(bare_stack(painted))
    place = next(i for i, leaf in enumerate(leaves) if leaf.layer.id == gap.layer_id)
    shares = visible_shares(leaves, document.size.shape)
    where = np.zeros(document.size.shape, np.bool_)
    where[gap.box.slices] = ring
    missing = _missing(painted, target)
    power = np.zeros(document.size.shape, np.float32)
    for leaf, share in zip(leaves[place + 1 :], shares[place + 1 :], strict=True):
        power[leaf.box.slices] += np.square(share)
    where &= power > _LEAST_SHARE**2
    before = dict[str, tuple[Leaf, npt.NDArray[np.uint8]]]()
    after = dict[str, npt.NDArray[np.uint8]]()
    for leaf, share in zip(leaves[place + 1 :], shares[place + 1 :], strict=True):
        cut = leaf.box.slices
        here = where[cut] & (share > 0)
        if not here.any():
            continue
        pixels = pixels_of(leaf)
        before[leaf.layer.id] = (leaf, pixels)
        step = missing[cut] * (share / np.maximum(power[cut], 1e-6))[..., None]
        changed = np.rint(np.clip(pixels[..., :3] + step, 0, 255)).astype(np.uint8)
        after[leaf.layer.id] = np.dstack(
            [np.where(here[..., None], changed, pixels[..., :3]), pixels[..., 3]]
        )
    made = document
    for key, pixels in after.items():
        made = with_filling(made, filling_of(made, before[key][0], pixels))
    whole = _met(made, gap, ring, whole, shares[place], target)
    return _kept_exact(document, gap, ring, (plain, whole), before, after, target)


def _met(
    document: Document, gap: Gap, ring: Region, whole: Filling, share: Float, target: Picture
) -> Filling:
    """The soft edge led back as far as the layers in front, at black or white, cannot follow."""
    for _ in range(_ROUNDS):
        missing = _missing(with_filling(document, whole), target)[gap.box.slices]
        wrong = ring & (np.abs(missing).max(axis=2) > _MOST_APART) & (share > _LEAST_SHARE)
        if not wrong.any():
            break
        pixels = whole.raster.pixels.copy()
        step = missing[wrong] / share[wrong][:, None]
        pixels[wrong, :3] = np.rint(np.clip(pixels[wrong, :3] + step, 0, 255))
        whole = replace(whole, raster=Raster(pixels))
    return whole


def _kept_exact(
    document: Document,
    gap: Gap,
    ring: Region,
    fillings: tuple[Filling, Filling],
    before: dict[str, tuple[Leaf, npt.NDArray[np.uint8]]],
    after: dict[str, npt.NDArray[np.uint8]],
    target: Picture,
) -> tuple[Filling, ...]:
    """Take back every pixel of the soft edge in which the stack would not show the target."""
    plain, whole = fillings
    made = with_filling(document, whole)
    for key, pixels in after.items():
        made = with_filling(made, filling_of(document, before[key][0], pixels))
    wrong = np.abs(_missing(made, target)).max(axis=2) > _MOST_APART
    back = wrong[gap.box.slices] & ring
    mixed = np.where(back[..., None], plain.raster.pixels, whole.raster.pixels)
    found = [replace(whole, raster=Raster(mixed.astype(np.uint8)))]
    for key, pixels in after.items():
        leaf, old = before[key]
        undone = wrong[leaf.box.slices][..., None]
        found.append(filling_of(document, leaf, np.where(undone, old, pixels)))
    return tuple(found)


def _missing(document: Document, target: Picture) -> Float:
    """(H, W, 3) levels by which the harmonised stack falls short of the target."""
    made = composite_picture(harmonised_stack(document))[..., :3]
    return target.astype(np.float32) - made
