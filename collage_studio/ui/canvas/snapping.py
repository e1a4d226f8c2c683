"""Smart guides: pull a moving box to edges, centres and equal gaps of what lies around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in canvas px."""

REACH_PX = 6.0


@dataclass(frozen=True, slots=True)
class Guide:
    """A line to show, canvas px; `label` is the distance it measures, empty for an alignment."""

    x1: float
    y1: float
    x2: float
    y2: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Snap:
    """How far to shift the box, and which guides explain it."""

    dx: float = 0.0
    dy: float = 0.0
    guides: tuple[Guide, ...] = ()


def snap(box: Box, others: Sequence[Box], canvas: Box, reach: float) -> Snap:
    """Where `box` should go.

    Args:
        others: boxes of the layers that stay.
        reach: canvas px within which it is pulled.
    """
    dx = _shift_along(box, others, canvas, reach, axis=0)
    dy = _shift_along(box, others, canvas, reach, axis=1)
    landed = (
        box[0] + (dx or 0.0),
        box[1] + (dy or 0.0),
        box[2] + (dx or 0.0),
        box[3] + (dy or 0.0),
    )
    guides: list[Guide] = []
    if dx is not None:
        guides += _guides(landed, others, canvas, axis=0)
    if dy is not None:
        guides += _guides(landed, others, canvas, axis=1)
    return Snap(dx or 0.0, dy or 0.0, tuple(dict.fromkeys(guides)))


def pull(at: float, others: Sequence[Box], canvas: Box, reach: float, axis: int) -> float | None:
    """How far an edge at `at` along `axis` is pulled to edges and centres; None if none is near."""
    targets = (target for other in (canvas, *others) for target in _stations(other, axis))
    best = min((target - at for target in targets), key=abs, default=None)
    return best if best is not None and abs(best) <= reach else None


def guides_of(box: Box, others: Sequence[Box], canvas: Box, axis: int) -> tuple[Guide, ...]:
    """What explains that `box` lies where it does along `axis`."""
    return tuple(_guides(box, others, canvas, axis))


def _stations(box: Box, axis: int) -> tuple[float, float, float]:
    low, high = box[axis], box[axis + 2]
    return low, (low + high) / 2, high


def _shift_along(
    box: Box, others: Sequence[Box], canvas: Box, reach: float, axis: int
) -> float | None:
    """The smallest pull along one axis; None if nothing is near."""
    shifts = [
        target - own
        for other in (canvas, *others)
        for target in _stations(other, axis)
        for own in _stations(box, axis)
    ]
    gap = _equal_gap(box, others, axis)
    if gap is not None:
        shifts.append(gap)
    best = min(shifts, key=abs, default=None)
    return best if best is not None and abs(best) <= reach else None


def _neighbours(box: Box, others: Sequence[Box], axis: int) -> tuple[Box | None, Box | None]:
    """The nearest boxes before and after along the axis that overlap across it."""
    cross = 1 - axis
    beside = [o for o in others if o[cross] < box[cross + 2] and o[cross + 2] > box[cross]]
    centre = (box[axis] + box[axis + 2]) / 2
    before = [o for o in beside if o[axis + 2] <= centre and o[axis + 2] <= box[axis] + REACH_PX]
    after = [o for o in beside if o[axis] >= centre and o[axis] >= box[axis + 2] - REACH_PX]
    return (
        max(before, key=lambda o: o[axis + 2], default=None),
        min(after, key=lambda o: o[axis], default=None),
    )


def _equal_gap(box: Box, others: Sequence[Box], axis: int) -> float | None:
    """The pull that makes the gaps to both neighbours equal."""
    before, after = _neighbours(box, others, axis)
    if before is None or after is None:
        return None
    return ((after[axis] - box[axis + 2]) - (box[axis] - before[axis + 2])) / 2


def _guides(box: Box, others: Sequence[Box], canvas: Box, axis: int) -> list[Guide]:
    """Lines through every station the landed box shares, and its distances to neighbours."""
    guides: dict[float, Guide] = {}
    partners: list[Box] = []
    for other in (canvas, *others):
        for target in _stations(other, axis):
            if min(abs(target - own) for own in _stations(box, axis)) < 0.01:
                guides[round(target, 2)] = _line(target, box, other, axis, guides)
                if other is not canvas:
                    partners.append(other)
    lines = list(guides.values())[:3]
    if partners:
        nearest = min(partners, key=lambda o: abs(_distance(box, o, 1 - axis)))
        lines += _gap_guides(box, nearest, 1 - axis)
    before, after = _neighbours(box, others, axis)
    if before and after and abs(_equal_gap(box, others, axis) or 0.0) < 0.01:
        lines += _gap_guides(box, before, axis) + _gap_guides(box, after, axis)
    return lines


def _line(at: float, box: Box, other: Box, axis: int, known: dict[float, Guide]) -> Guide:
    """An alignment line at `at` along the other axis, as long as all that share it."""
    cross = 1 - axis
    low, high = min(box[cross], other[cross]), max(box[cross + 2], other[cross + 2])
    former = known.get(round(at, 2))
    if former is not None:
        ends = (former.y1, former.y2) if axis == 0 else (former.x1, former.x2)
        low, high = min(low, ends[0]), max(high, ends[1])
    return Guide(at, low, at, high) if axis == 0 else Guide(low, at, high, at)


def _distance(box: Box, other: Box, axis: int) -> float:
    """Free px between the boxes along the axis; 0 where they overlap."""
    return max(other[axis] - box[axis + 2], box[axis] - other[axis + 2], 0.0)


def _gap_guides(box: Box, other: Box, axis: int) -> list[Guide]:
    """The measured line between two boxes along the axis; none where they overlap."""
    gap = _distance(box, other, axis)
    if gap < 1.0:
        return []
    cross = 1 - axis
    low = min(box[axis + 2], other[axis + 2])
    at = (max(box[cross], other[cross]) + min(box[cross + 2], other[cross + 2])) / 2
    label = f"{gap:.0f}"
    if axis == 0:
        return [Guide(low, at, low + gap, at, label)]
    return [Guide(at, low, at, low + gap, label)]
