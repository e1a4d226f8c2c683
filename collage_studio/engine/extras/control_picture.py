"""The control picture of a collage and how firmly it holds at each pixel.

The map is C = sum over layers of M_i strength_i, feathered as the noise map is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from collage_studio.document.compositing import composite_picture
from collage_studio.document.extras import ControlKind
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import Document, Layer, Mask, Raster
from collage_studio.document.placing import Placed, mask_source, picture_source
from collage_studio.document.tree import nodes
from collage_studio.engine.extras.edges import cutout_lines, shrink_of
from collage_studio.engine.plan import Masks, RunPlan
from collage_studio.engine.workspace import Floats, Workspace

_LINE = 0.35
"""A working pixel is part of a line if lines cover this share of it."""
_SOFTNESS_HEIGHT = 512


@dataclass(frozen=True, slots=True)
class ControlPicture:
    """What a ControlNet is shown.

    Args:
        picture: (h, w, 3) [0, 1] padded working pixels of the whole canvas.
        strength: (h, w) [0, 1] the map C.
    """

    picture: Floats
    strength: Floats

    @property
    def is_felt(self) -> bool:
        return bool(self.strength.any())


def control_picture(plan: RunPlan, kind: ControlKind) -> ControlPicture:
    """The control picture of a run."""
    return drawn_control(
        plan.document, plan.masks, plan.workspace, kind, softness=plan.settings.softness
    )


def drawn_control(
    document: Document, masks: Masks, space: Workspace, kind: ControlKind, *, softness: float
) -> ControlPicture:
    """Put the layers' own pictures, or what is drawn from their cutouts, where each is visible.

    A layer without either shows the background's picture. Layers of which nothing can be shown
    have strength 0.

    Args:
        masks: visible masks of layers, padded working pixels (h, w).
        softness: sigma of the map's blur, px at a canvas 512 px high.
    """
    height, width = space.grid.height * space.factor, space.grid.width * space.factor
    shown = np.zeros((height, width, 3), np.float32)
    lines = np.zeros((height, width), np.float32)
    strength = np.zeros((height, width), np.float32)
    canvas = _canvas_picture(document, space)
    tile = _tile(document, space) if kind is ControlKind.TILE else None
    for layer, placement in _leaves(document):
        mask = masks.get(layer.id)
        if mask is None or not mask.any():
            continue
        drawn = _own_picture(layer, placement, space)
        if drawn is None and kind.is_lines and layer.raster is not None:
            found = _own_lines(layer, placement, space, scribble=kind is ControlKind.SCRIBBLE)
            lines += found * np.minimum(2.0 * mask, 1.0)
            drawn = np.zeros_like(shown)
        elif drawn is None:
            drawn = tile if tile is not None and layer.raster is not None else canvas
        if drawn is None:
            continue
        shown += drawn * mask[..., None]
        strength += mask * np.float32(layer.extras.control)
    picture = np.maximum(shown, (lines >= 0.5)[..., None])
    return ControlPicture(
        np.clip(picture, 0.0, 1.0).astype(np.float32),
        feathered(strength, softness * space.work.height / _SOFTNESS_HEIGHT),
    )


def feathered(values: Floats, sigma: float) -> Floats:
    """Blurred by a Gaussian of `sigma` px, never beyond its own range, so constants stay exact."""
    if sigma <= 0:
        return values
    low, high = values.min(), values.max()
    return np.clip(cv2.GaussianBlur(values, (0, 0), sigma), low, high).astype(np.float32)


def _leaves(document: Document) -> Iterator[tuple[Layer, Affine]]:
    """Everything with pixels and its way to the canvas; the background first."""
    yield document.background, Affine()
    for node in nodes(document.layers):
        if not node.layer.is_group:
            yield node.layer, node.outer.after(node.layer.placement)


def _to_working(placement: Affine, space: Workspace) -> Affine:
    scale = space.work.width / space.canvas.width, space.work.height / space.canvas.height
    return Affine.scaling(*scale).after(placement)


def _own_lines(layer: Layer, placement: Affine, space: Workspace, *, scribble: bool) -> Floats:
    """(h, w) 0 or 1: the lines of one cutout on the canvas, hidden parts included."""
    assert layer.raster is not None
    transform = _to_working(placement, space)
    mask = layer.mask if layer.mask_enabled else None
    shrink = shrink_of(transform.determinant)
    found = cutout_lines(layer.raster, mask, shrink, scribble=scribble)
    own_size = Affine.scaling(layer.raster.size.width / found.shape[1])
    placed = Placed(mask_source(Mask(found)), transform.after(own_size))
    plane = _sampled(placed, space.work, 1)[..., 0]
    return space.pad((plane >= _LINE).astype(np.float32))


def _own_picture(layer: Layer, placement: Affine, space: Workspace) -> Floats | None:
    picture = layer.extras.control_picture
    if picture is None or layer.raster is None:
        return None
    size = layer.raster.size
    spread = Affine.scaling(size.width / picture.size.width, size.height / picture.size.height)
    transform = _to_working(placement.after(spread), space)
    return space.pad(_sampled(Placed(picture_source(picture, None), transform), space.work, 4))


def _canvas_picture(document: Document, space: Workspace) -> Floats | None:
    """The background's control picture, spread over the canvas."""
    picture: Raster | None = document.background.extras.control_picture
    if picture is None:
        return None
    spread = Affine.scaling(
        space.work.width / picture.size.width, space.work.height / picture.size.height
    )
    return space.pad(_sampled(Placed(picture_source(picture, None), spread), space.work, 4))


def _sampled(placed: Placed, size: Size, planes: int) -> Floats:
    """(h, w, planes), or the 3 colours on black of 4 planes; zero where the source is not."""
    whole = np.zeros((*size.shape, planes), np.float32)
    box = placed.bounds.intersect(Rect.of_size(size))
    for tile in () if box.is_empty else box.tiles(Size(512, 256)):
        whole[tile.slices] = placed.sample(tile).transpose(1, 2, 0)
    return whole[..., :3] if planes == 4 else whole


def _tile(document: Document, space: Workspace) -> Floats:
    composite = np.asarray(composite_picture(document)[..., :3], np.float32) / 255.0
    return space.shrink(composite)
