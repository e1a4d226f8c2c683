"""Moving, scaling and turning a selection: from a press to one map of the canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from collage_studio.document.geometry import Affine
from collage_studio.ui.canvas.frame import Frame, Point
from collage_studio.ui.canvas.snapping import Box, Guide, guides_of, pull, snap

UNMOVED = Affine()
HANDLES: tuple[Point, ...] = (
    (0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (1.0, 0.5), (1.0, 1.0), (0.5, 1.0), (0.0, 1.0), (0.0, 0.5),
)  # fmt: skip
"""Shares of the frame, clockwise from the top left corner."""


class Part(StrEnum):
    """What of a selection a press can take hold of."""

    NONE = "none"
    INSIDE = "inside"
    HANDLE = "handle"
    ROTATE = "rotate"


@dataclass(frozen=True, slots=True)
class Keys:
    """Modifiers that change a gesture while it runs."""

    shift: bool = False
    alt: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a gesture does by now.

    Args:
        map: of the canvas, to be applied to the selected layers.
        guides: smart guides to show.
        note: its measure, shown at the pointer.
    """

    map: Affine = UNMOVED
    guides: tuple[Guide, ...] = ()
    note: str = ""


class Gesture(Protocol):
    """A drag in progress: a value with one question."""

    @property
    def verb(self) -> str:
        """As in "Move Tent"."""
        ...

    def at(self, point: Point, keys: Keys) -> Outcome:
        """What it does with the pointer at a canvas point."""
        ...


@dataclass(frozen=True, slots=True)
class Move:
    """Drag the selection; Shift keeps the axis, Alt switches snapping off."""

    frame: Frame
    start: Point
    others: Sequence[Box]
    canvas: Box
    reach: float
    snaps: bool = True
    verb: str = "Move"

    def at(self, point: Point, keys: Keys) -> Outcome:
        dx, dy = point[0] - self.start[0], point[1] - self.start[1]
        if keys.shift:
            dx, dy = (dx, 0.0) if abs(dx) >= abs(dy) else (0.0, dy)
        # Whole pixels: a moved cutout stays as sharp as it was.
        dx, dy = float(round(dx)), float(round(dy))
        guides: tuple[Guide, ...] = ()
        if self.snaps and not keys.alt:
            left, top, right, bottom = self.frame.box
            found = snap(
                (left + dx, top + dy, right + dx, bottom + dy),
                self.others,
                self.canvas,
                self.reach,
            )
            dx = dx if keys.shift and dx == 0 else dx + found.dx
            dy = dy if keys.shift and dy == 0 else dy + found.dy
            guides = found.guides
        return Outcome(Affine.translation(dx, dy), guides, f"x {_signed(dx)}   y {_signed(dy)} px")


@dataclass(frozen=True, slots=True)
class Scale:
    """Pull a handle; Shift keeps the proportion, Alt works from the centre, past it flips.

    The edges of an upright frame are pulled to those of `others` and of the canvas.
    """

    frame: Frame
    start: Point
    handle: Point
    others: Sequence[Box] = ()
    canvas: Box | None = None
    reach: float = 0.0
    verb: str = "Scale"

    def at(self, point: Point, keys: Keys) -> Outcome:
        to_local = self.frame.map.inverse()
        grabbed, now = to_local.apply(*self.start), to_local.apply(*point)
        anchor = self._anchor(from_centre=keys.alt)
        across = self._factor(grabbed, now, anchor, 0)
        down = self._factor(grabbed, now, anchor, 1)
        if keys.shift:
            across, down = self._proportional(across, down)
        pulled = self._pulled((across, down), anchor, together=keys.shift)
        done = self._map(pulled, anchor)
        width, height = self._lengths(done)
        guides = self._guides(done) if pulled != (across, down) else ()
        return Outcome(done, guides, f"{width:.0f} × {height:.0f} px")

    def _map(self, factors: Point, anchor: Point) -> Affine:
        """Of the canvas: the frame scaled along its own sides about a point of its own."""
        scaling = Affine.scaling(*factors).about(*anchor)
        return self.frame.map.after(scaling).after(self.frame.map.inverse())

    def _pulled(self, factors: Point, anchor: Point, *, together: bool) -> Point:
        """The factors that bring dragged edges onto a near one; `together` keeps their ratio."""
        place = self.frame.map
        if self.canvas is None or abs(place.b) > 1e-9 or abs(place.d) > 1e-9:
            return factors
        corner = self._map(factors, anchor).apply(*self.frame.at(*self.handle))
        fixed = place.apply(*anchor)
        stretches: dict[int, float] = {}
        for axis in (0, 1):
            length = corner[axis] - fixed[axis]
            if self.handle[axis] == 0.5 or abs(length) < 1.0:
                continue
            by = pull(corner[axis], self.others, self.canvas, self.reach, axis)
            if by is not None and abs(length + by) >= 1.0:
                stretches[axis] = (length + by) / length
        if together and stretches:
            least = min(stretches.values(), key=lambda stretch: abs(stretch - 1))
            return factors[0] * least, factors[1] * least
        return factors[0] * stretches.get(0, 1.0), factors[1] * stretches.get(1, 1.0)

    def _guides(self, done: Affine) -> tuple[Guide, ...]:
        box = self.frame.moved(done).box
        if self.canvas is None:
            return ()
        return tuple(g for axis in (0, 1) for g in guides_of(box, self.others, self.canvas, axis))

    def _anchor(self, *, from_centre: bool) -> Point:
        share = (0.5, 0.5) if from_centre else (1 - self.handle[0], 1 - self.handle[1])
        return share[0] * self.frame.width, share[1] * self.frame.height

    def _factor(self, grabbed: Point, now: Point, anchor: Point, axis: int) -> float:
        if self.handle[axis] == 0.5:
            return 1.0
        length = (self.frame.width, self.frame.height)[axis]
        edge = self.handle[axis] * length
        factor = (edge + now[axis] - grabbed[axis] - anchor[axis]) / (edge - anchor[axis])
        least = 1.0 / max(length, 1.0)
        return math.copysign(max(abs(factor), least), factor)

    def _proportional(self, across: float, down: float) -> Point:
        if self.handle[0] == 0.5:
            return abs(down), down
        if self.handle[1] == 0.5:
            return across, abs(across)
        larger = max(abs(across), abs(down))
        return math.copysign(larger, across), math.copysign(larger, down)

    def _lengths(self, done: Affine) -> Point:
        corners = self.frame.moved(done).corners
        return math.dist(corners[0], corners[1]), math.dist(corners[1], corners[2])


@dataclass(frozen=True, slots=True)
class Rotate:
    """Turn about the middle; Shift goes in steps of 15 degrees."""

    frame: Frame
    start: Point
    verb: str = "Rotate"

    def at(self, point: Point, keys: Keys) -> Outcome:
        x, y = self.frame.centre
        before = math.atan2(self.start[1] - y, self.start[0] - x)
        turn = math.degrees(math.atan2(point[1] - y, point[0] - x) - before)
        turn = (turn + 180.0) % 360.0 - 180.0
        if keys.shift:
            tilt = math.degrees(math.atan2(self.frame.map.d, self.frame.map.a))
            turn = round((tilt + turn) / 15.0) * 15.0 - tilt
        return Outcome(Affine.rotation(turn).about(x, y), (), f"{turn:+.1f}°".replace("-", "−"))


@dataclass(frozen=True, slots=True)
class Grip:
    """Which part of a frame lies under the pointer; `handle` in shares of the frame."""

    part: Part = Part.NONE
    handle: Point = (0.5, 0.5)


def grip_at(frame: Frame, point: Point, scale: float) -> Grip:
    """What a press at a canvas point takes hold of; `scale` = logical px per canvas px."""
    if math.dist(knob_of(frame, scale), point) * scale <= 9:
        return Grip(Part.ROTATE)
    near = [(math.dist(frame.at(*h), point) * scale, h) for h in usable_handles(frame, scale)]
    distance, handle = min(near)
    if distance <= 8 * 1.15:
        return Grip(Part.HANDLE, handle)
    if _contains(frame, point):
        return Grip(Part.INSIDE)
    corner = min(math.dist(c, point) * scale for c in frame.corners)
    return Grip(Part.ROTATE) if corner <= 24 else Grip()


def knob_of(frame: Frame, scale: float) -> Point:
    """The rotate knob: 20 logical px outside the middle of the top edge."""
    top, centre = frame.at(0.5, 0.0), frame.centre
    reach = math.dist(top, centre)
    if reach < 1e-6:
        return top[0], top[1] - 20 / scale
    grow = 20 / scale / reach
    return top[0] + (top[0] - centre[0]) * grow, top[1] + (top[1] - centre[1]) * grow


def usable_handles(frame: Frame, scale: float) -> tuple[Point, ...]:
    """All eight handles, or the corners only where the middle ones would crowd."""
    corners = frame.corners
    short = min(math.dist(corners[0], corners[1]), math.dist(corners[1], corners[2])) * scale
    return HANDLES if short >= 40 else tuple(h for h in HANDLES if 0.5 not in h)


def _contains(frame: Frame, point: Point) -> bool:
    if abs(frame.map.determinant) < 1e-9:
        return False
    x, y = frame.map.inverse().apply(*point)
    return 0 <= x <= frame.width and 0 <= y <= frame.height


def _signed(value: float) -> str:
    return f"{value:+.0f}".replace("-", "−") if round(value) else "0"
