"""Painting on a layer's mask: brush strokes and lassos given in canvas px, no Qt.

A stroke works on its own copy and touches only the box around its newest piece, so large masks
stay fluid; the finished values become one edit.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Affine, Rect

MaskValues = npt.NDArray[np.uint8]
Point = tuple[float, float]
_SUBPIXEL_BITS = 4


class LassoMode(StrEnum):
    """What happens to the mask inside a lasso."""

    ADD = "add"
    REMOVE = "remove"
    ONLY = "only"


class MaskStroke:
    """One brush stroke in progress.

    Args:
        mask: (H, W) uint8 in source px; it stays as it is.
        to_canvas: source px to canvas px.
        radius: canvas px; the brush is round on the canvas, however the layer is turned.
        hardness: [0, 1], share of the radius that is covered fully.
        flow: [0, 1], how far one stroke goes; passing over a place twice adds nothing.
        adds: paints 255, else 0.
    """

    def __init__(
        self,
        mask: MaskValues,
        to_canvas: Affine,
        *,
        radius: float,
        hardness: float = 1.0,
        flow: float = 1.0,
        adds: bool,
    ) -> None:
        self._before, self.values = mask, mask.copy()
        self._cover = np.zeros(mask.shape, np.float32)
        self._map, self._back = to_canvas, to_canvas.inverse()
        self._radius, self._hardness, self._flow = max(radius, 0.25), hardness, flow
        self._target = 255.0 if adds else 0.0
        self._last: Point | None = None

    def move_to(self, x: float, y: float) -> Rect:
        """Paint from the last point to this one, canvas px; tells the changed box in source px."""
        start = self._last or (x, y)
        self._last = (x, y)
        box = self._box_around(start, (x, y))
        if box.is_empty:
            return box
        part = self._cover[box.slices]
        np.maximum(part, self._dab(box, start, (x, y)), out=part)
        before = self._before[box.slices].astype(np.float32)
        painted = before + (self._target - before) * part
        self.values[box.slices] = np.round(painted).astype(np.uint8)
        return box

    def finished(self) -> MaskValues:
        """The mask with the stroke in it, never changed again."""
        self.values.setflags(write=False)
        return self.values

    def _box_around(self, start: Point, end: Point) -> Rect:
        reach = self._radius + 1.0
        left, right = min(start[0], end[0]) - reach, max(start[0], end[0]) + reach
        top, bottom = min(start[1], end[1]) - reach, max(start[1], end[1]) + reach
        corners = [self._back.apply(x, y) for x in (left, right) for y in (top, bottom)]
        xs, ys = zip(*corners, strict=True)
        height, width = self.values.shape
        box = Rect(int(min(xs)) - 1, int(min(ys)) - 1, int(max(xs)) + 2, int(max(ys)) + 2)
        return box.intersect(Rect(0, 0, width, height))

    def _dab(self, box: Rect, start: Point, end: Point) -> npt.NDArray[np.float32]:
        """How much of each pixel of `box` the piece from `start` to `end` covers, 0..flow."""
        u = np.arange(box.left, box.right, dtype=np.float32) + np.float32(0.5)
        v = np.arange(box.top, box.bottom, dtype=np.float32)[:, None] + np.float32(0.5)
        m = self._map
        x, y = m.a * u + m.b * v + m.c - start[0], m.d * u + m.e * v + m.f - start[1]
        across, down = end[0] - start[0], end[1] - start[1]
        length = across * across + down * down
        if length > 0.0:
            along = np.clip((x * across + y * down) / length, 0.0, 1.0)
            x, y = x - along * across, y - along * down
        away = np.sqrt(x * x + y * y)
        # One canvas pixel of softness keeps a hard brush free of steps.
        soft = max(self._radius * (1.0 - self._hardness), min(1.0, self._radius))
        share = np.clip((self._radius + 0.5 * min(1.0, soft) - away) / soft, 0.0, 1.0)
        smooth = share * share * (3.0 - 2.0 * share)
        return (smooth * self._flow).astype(np.float32)


def fill_lasso(
    mask: MaskValues, to_canvas: Affine, points: Sequence[Point], mode: LassoMode
) -> MaskValues:
    """The mask after a closed lasso through canvas points; fewer than three change nothing."""
    if len(points) < 3:
        return mask
    back, scale = to_canvas.inverse(), 1 << _SUBPIXEL_BITS
    source = np.array([back.apply(*point) for point in points]) - 0.5
    inside = np.zeros(mask.shape, np.uint8)
    corners = np.round(source * scale).astype(np.int32).reshape(-1, 1, 2)
    cv2.fillPoly(inside, [corners], 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    match mode:
        case LassoMode.ADD:
            return np.maximum(mask, inside)
        case LassoMode.REMOVE:
            return np.minimum(mask, 255 - inside)
        case LassoMode.ONLY:
            return np.minimum(mask, inside)
