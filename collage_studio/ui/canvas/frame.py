"""The selection's box: one layer's own, turned with it, or an upright one around several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document
from collage_studio.document.tree import extent, find_node, joint_extent

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """A box of `width` x `height` local units, put on the canvas by `map`."""

    map: Affine
    width: float
    height: float

    def at(self, across: float, down: float) -> Point:
        """Canvas position of a point given in shares of the box: (0, 0) top left, (1, 1) end."""
        return self.map.apply(across * self.width, down * self.height)

    @property
    def corners(self) -> tuple[Point, ...]:
        """Clockwise from the top left one."""
        return tuple(self.at(x, y) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1)))

    @property
    def centre(self) -> Point:
        return self.at(0.5, 0.5)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) upright around it, canvas px."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def moved(self, by: Affine) -> Frame:
        """The frame after a map of the canvas."""
        return Frame(by.after(self.map), self.width, self.height)


def frame_of(document: Document, layer_id: str) -> Frame | None:
    """The frame of one layer or group; None if it is gone or has no place of its own."""
    node = find_node(document, layer_id)
    if node is None:
        return None
    if node.layer.raster is not None:
        size: Size = node.layer.raster.size
        return Frame(node.outer.after(node.layer.placement), size.width, size.height)
    box = extent(node.layer, node.outer)
    return _upright(box) if box else None


def frame_around(document: Document, ids: Sequence[str]) -> Frame | None:
    """The frame of a selection: the layer's own for one, an upright box for several."""
    frames = [f for f in (frame_of(document, i) for i in ids) if f is not None]
    if len(frames) == 1:
        return frames[0]
    box = joint_extent(f.box for f in frames)
    return _upright(box) if box else None


def is_locked(document: Document, layer_id: str) -> bool:
    """The layer or a group around it is locked."""
    node = find_node(document, layer_id)
    return node is not None and (node.layer.locked or any(g.locked for g in node.path))


def _upright(box: tuple[float, float, float, float]) -> Frame:
    left, top, right, bottom = box
    return Frame(Affine.translation(left, top), max(right - left, 1e-6), max(bottom - top, 1e-6))
