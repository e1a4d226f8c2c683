"""From little to much noise: what harmony costs in fidelity, and whose curve lies outside.

Fidelity is the appearance of the kept layers, harmony the closed part of the distance to the truth
in a zone; both as in the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collage_studio.evaluate import columns
from collage_studio.evaluate.columns import Column, Zone, appearance_gain, harmony_gain
from collage_studio.evaluate.metrics import Interval

ZONES: tuple[Zone, ...] = ("objects", "others", "shadows")


@dataclass(frozen=True, slots=True)
class Point:
    """One strength of one configuration."""

    noise: float
    fidelity: Interval
    harmony: Interval


@dataclass(frozen=True, slots=True)
class Rival:
    """What the outer curve sets against one point of the inner one.

    Args:
        noise: of the inner curve's point.
        by: noise of the outer curve's point; NaN where all of them lose harmony.
        fidelity: paired gain of the outer point over the inner one; undefined without one.
        harmony: likewise.
    """

    noise: float
    by: float
    fidelity: Interval
    harmony: Interval

    @property
    def dominates(self) -> bool:
        """More fidelity beyond the interval, and no harmony lost."""
        return self.fidelity.is_above_zero


def points_of(
    strengths: Sequence[float], curve: Sequence[Column], pasted: Column, zone: Zone
) -> tuple[Point, ...]:
    """The curve with the intervals of both coordinates."""
    fidelity, harmony = columns.mean_of("appearance", columns.kept), columns.harmony(zone)
    return tuple(
        Point(noise, fidelity(column, pasted), harmony(column, pasted))
        for noise, column in zip(strengths, curve, strict=True)
    )


def rivals(
    strengths: Sequence[float],
    outer: Sequence[Column],
    inner: Sequence[Column],
    pasted: Column,
    zone: Zone,
) -> tuple[Rival, ...]:
    """For each point of `inner` the point of `outer` that gains most fidelity and loses no harmony.

    "Loses no harmony" means, as in the tables, that the interval of the paired difference does
    not lie entirely below 0. The curve lies outside if every rival dominates.
    """
    return tuple(
        _rival(noise, column, list(zip(strengths, outer, strict=True)), pasted, zone)
        for noise, column in zip(strengths, inner, strict=True)
    )


def _rival(
    noise: float,
    inner: Column,
    outer: Sequence[tuple[float, Column]],
    pasted: Column,
    zone: Zone,
) -> Rival:
    nothing = Interval(float("nan"), float("nan"), float("nan"), 0)
    best = Rival(noise, float("nan"), nothing, nothing)
    for by, column in outer:
        harmony = harmony_gain(column, inner, pasted, zone)
        if not harmony.high >= 0.0:
            continue
        fidelity = appearance_gain(column, inner, columns.kept)
        if best.fidelity.count == 0 or fidelity.low > best.fidelity.low:
            best = Rival(noise, by, fidelity, harmony)
    return best
