"""One layer at screen scale: a coarse picture at once, the compositor's own when idle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRect
from PySide6.QtGui import QColor, QImage, QPainter, QTransform

from collage_studio.document.compositing import place_layer
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import Layer
from collage_studio.ui.canvas.sources import Sources, blank, image_of
from collage_studio.ui.canvas.stack import Item

WHOLE_LIMIT_PX = 2_500_000
MARGIN_PX = 128


@dataclass(frozen=True, slots=True)
class View:
    """The scale of the canvas on screen and the part in sight, in scaled canvas px."""

    scale: float
    size: Size
    visible: Rect


@dataclass(frozen=True, slots=True, eq=False)
class Bake:
    """A layer's picture at screen scale; compared by identity.

    Args:
        box: where it lay in scaled canvas px.
        placed: source px to scaled canvas px when it was made.
        is_whole: nothing of the layer was cut off.
        is_fine: made by the document's compositor, or a plain copy of the source.
    """

    image: QImage
    box: Rect
    placed: Affine
    source: tuple[object, ...]
    is_whole: bool
    is_fine: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """How far a bake must be moved to serve; `is_exact` where that is a whole number of px."""

    dx: int
    dy: int
    is_exact: bool


def scaled_placement(item: Item, view: View, canvas: Size) -> Affine:
    """Source px to scaled canvas px; the scaled canvas has whole px on both sides."""
    stretch = Affine.scaling(view.size.width / canvas.width, view.size.height / canvas.height)
    return stretch.after(item.placed)


def source_of(layer: Layer) -> tuple[object, ...]:
    """What a bake was made from, by identity."""
    return (
        id(layer.raster),
        id(layer.mask) if layer.mask is not None and layer.mask_enabled else 0,
        layer.fill if layer.raster is None else None,
    )


def fit(bake: Bake, item: Item, placed: Affine, view: View) -> Fit | None:
    """How `bake` serves for the item where it lies now; None if it must be made anew."""
    if bake.source != source_of(item.layer):
        return None
    old, new = bake.placed, placed
    if max(abs(old.a - new.a), abs(old.b - new.b), abs(old.d - new.d), abs(old.e - new.e)) > 1e-9:
        return None
    shift_x, shift_y = new.c - old.c, new.f - old.f
    dx, dy = round(shift_x), round(shift_y)
    box = moved(bake.box, dx, dy)
    if not bake.is_whole and not _covers(box, _wanted(item, placed, view.visible)):
        return None
    return Fit(dx, dy, max(abs(shift_x - dx), abs(shift_y - dy)) < 1e-3)


def make_coarse(item: Item, placed: Affine, view: View, sources: Sources) -> Bake:
    """Through QPainter from the mip level nearest the screen scale: some milliseconds."""
    if item.layer.raster is None and item.layer.mask is not None and item.layer.mask_enabled:
        return make_fine(item, placed, view)
    box, whole = _box_for(item, placed, view)
    image = blank(box.width, box.height)
    plain = _is_plain_shift(placed)
    painter = QPainter(image)
    if item.layer.raster is None:
        painter.fillRect(QRect(0, 0, box.width, box.height), QColor(*item.layer.fill))
    else:
        level = sources.level_for(item.layer, _least_scale(placed))
        factor = float(1 << level)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not plain)
        painter.translate(-box.left, -box.top)
        painter.setTransform(_qt(placed), combine=True)
        painter.scale(factor, factor)
        painter.drawImage(0, 0, sources.image(item.layer, level))
    painter.end()
    fine = plain or item.layer.raster is None
    return Bake(image, box, placed, source_of(item.layer), whole, fine)


def make_fine(item: Item, placed: Affine, view: View) -> Bake:
    """Through the document's compositor, so that canvas and export agree; on any thread."""
    box, whole = _box_for(item, placed, view)
    upright = replace(item.layer, placement=placed, opacity=1.0)
    pixels = place_layer(upright, size=view.size, box=box)
    return Bake(image_of(to_bgra(pixels)), box, placed, source_of(item.layer), whole, True)


def to_bgra(premultiplied: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """(h, w, 4) premultiplied RGBA float [0, 1] to QImage's byte order."""
    return (premultiplied[..., (2, 1, 0, 3)] * 255.0 + 0.5).clip(0, 255).astype(np.uint8)


def moved(box: Rect, dx: int, dy: int) -> Rect:
    return Rect(box.left + dx, box.top + dy, box.right + dx, box.bottom + dy)


def _box_for(item: Item, placed: Affine, view: View) -> tuple[Rect, bool]:
    """What to bake, and whether that is the whole layer."""
    if item.layer.raster is None:
        return _wanted(item, placed, view.visible.grown(MARGIN_PX)), False
    bounds = placed.bounds(item.layer.raster.size)
    if bounds.width * bounds.height <= WHOLE_LIMIT_PX:
        return bounds, True
    return bounds.intersect(view.visible.grown(MARGIN_PX)), False


def _wanted(item: Item, placed: Affine, visible: Rect) -> Rect:
    if item.layer.raster is None:
        return visible
    return placed.bounds(item.layer.raster.size).intersect(visible)


def _covers(box: Rect, part: Rect) -> bool:
    return part.is_empty or box.union(part) == box


def _is_plain_shift(placed: Affine) -> bool:
    unit = (placed.a, placed.b, placed.d, placed.e) == (1.0, 0.0, 0.0, 1.0)
    return unit and placed.c == round(placed.c) and placed.f == round(placed.f)


def _least_scale(placed: Affine) -> float:
    """Target px per source px along the more shrunken axis."""
    across = (placed.a**2 + placed.d**2) ** 0.5
    down = (placed.b**2 + placed.e**2) ** 0.5
    return max(min(across, down), 1e-4)


def _qt(affine: Affine) -> QTransform:
    return QTransform(affine.a, affine.d, affine.b, affine.e, affine.c, affine.f)
