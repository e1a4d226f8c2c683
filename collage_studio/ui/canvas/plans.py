"""The paint list of a stack at screen scale, and how its entries are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QRect
from PySide6.QtGui import QImage, QPainter

from collage_studio.document.geometry import Affine, Rect
from collage_studio.document.model import BlendMode, Mask
from collage_studio.ui.canvas.bakes import Bake
from collage_studio.ui.canvas.painter_modes import QT_MODES, blend_with_compositor, fade_in

_UNMOVED = Affine()


@dataclass(frozen=True, slots=True)
class Placed:
    """One entry of the paint list. Entries are equal when they look the same.

    Args:
        bake: its picture; None for a pass-through group, which has `through` instead.
        box: where, in scaled canvas px.
        mask, mask_placed: of a pass-through group.
    """

    layer_id: str
    bake: Bake | None
    box: Rect
    opacity: float
    blend: BlendMode
    through: tuple[Placed, ...] = ()
    mask: Mask | None = None
    mask_placed: Affine = _UNMOVED


Plan = tuple[Placed, ...]


def ids_of(plan: Plan) -> tuple[str, ...]:
    """Which layers, in order."""
    return tuple(entry.layer_id for entry in plan)


def is_plain(entry: Placed) -> bool:
    """The entry may be merged with its neighbours beforehand."""
    return entry.bake is not None and entry.blend is BlendMode.NORMAL


def box_around(plan: Plan) -> Rect:
    """The smallest box that holds every entry."""
    box = Rect(0, 0, 0, 0)
    for entry in plan:
        box = box.union(entry.box)
    return box


def around_hole(box: Rect, hole: Rect) -> Iterator[Rect]:
    """The parts of `box` outside `hole`, which lies inside it."""
    strips = (
        Rect(box.left, box.top, box.right, hole.top),
        Rect(box.left, hole.bottom, box.right, box.bottom),
        Rect(box.left, hole.top, hole.left, hole.bottom),
        Rect(hole.right, hole.top, box.right, hole.bottom),
    )
    return (strip for strip in strips if not strip.is_empty)


def in_picture(part: Rect, box: Rect) -> QRect:
    """`part` in the pixels of a picture that shows `box`."""
    return QRect(part.left - box.left, part.top - box.top, part.width, part.height)


def paint_plan(image: QImage, box: Rect, plan: Plan, dirty: Rect) -> None:
    """Blend the entries in order onto `image`, which shows `box`, inside `dirty` only."""
    for entry in plan:
        part = entry.box.intersect(dirty)
        if part.is_empty:
            continue
        if entry.bake is None:
            _paint_through(image, box, entry, part)
            continue
        mode = QT_MODES.get(entry.blend)
        if mode is None:
            blend_with_compositor(
                image, box, entry.bake.image, entry.box, part, entry.blend, entry.opacity
            )
            continue
        painter = QPainter(image)
        painter.setCompositionMode(mode)
        painter.setOpacity(entry.opacity)
        painter.drawImage(
            in_picture(part, box).topLeft(), entry.bake.image, in_picture(part, entry.box)
        )
        painter.end()


def paint_atop(image: QImage, box: Rect, clips: Plan) -> None:
    """Blend clipped entries onto `image`, which shows `box`, only where it shows something."""
    for entry in clips:
        part = entry.box.intersect(box)
        if part.is_empty or entry.bake is None:
            continue
        if entry.blend is not BlendMode.NORMAL:
            source, place = entry.bake.image, entry.box
            blend_with_compositor(
                image, box, source, place, part, entry.blend, entry.opacity, atop=True
            )
            continue
        painter = QPainter(image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceAtop)
        painter.setOpacity(entry.opacity)
        painter.drawImage(
            in_picture(part, box).topLeft(), entry.bake.image, in_picture(part, entry.box)
        )
        painter.end()


def _paint_through(image: QImage, box: Rect, entry: Placed, part: Rect) -> None:
    before = image.copy(in_picture(part, box))
    paint_plan(image, box, entry.through, part)
    fade_in(image, before, box, part, entry.opacity, entry.mask, entry.mask_placed)


def copy_part(image: QImage, source: QImage, box: Rect, dirty: Rect) -> None:
    """Replace `dirty` by the same part of `source`, which shows `box` as well."""
    painter = QPainter(image)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    place = in_picture(dirty, box)
    painter.drawImage(place.topLeft(), source, place)
    painter.end()


def lay_over(image: QImage, source: QImage, box: Rect, dirty: Rect) -> None:
    """Blend the `dirty` part of `source` normally over `image`; both show `box`."""
    painter = QPainter(image)
    place = in_picture(dirty, box)
    painter.drawImage(place.topLeft(), source, place)
    painter.end()
