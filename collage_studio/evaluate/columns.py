"""What a table says of one configuration: means over collages with their intervals, and gains.

A column is the scores of one configuration on all collages; `pasted` those of pasting alone and
`lower` those of another configuration, on the same collages in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from collage_studio.evaluate.metrics import (
    Interval,
    closed_interval,
    mean_interval,
    ratio_interval,
)
from collage_studio.evaluate.scores import Scores

Column = Sequence[Scores]
Measure = Callable[[Column, Column], Interval]
Pick = Callable[[Scores], Sequence[bool]]
Zone = Literal["objects", "others", "shadows"]


def counted(scores: Scores) -> Sequence[bool]:
    """Objects that count at all."""
    return scores.counts


def kept(scores: Scores) -> Sequence[bool]:
    """Those with little noise on rungs with layer noise."""
    return [count and is_kept for count, is_kept in zip(scores.counts, scores.kept, strict=True)]


def unusual(scores: Scores) -> Sequence[bool]:
    """Those with a look that words cannot tell."""
    pairs = zip(scores.counts, scores.unusual, strict=True)
    return [count and is_odd for count, is_odd in pairs]


def ordinary(scores: Scores) -> Sequence[bool]:
    """Those that look as the judge knows them."""
    pairs = zip(scores.counts, scores.unusual, strict=True)
    return [count and not is_odd for count, is_odd in pairs]


def picked_sum(values: Sequence[float], chosen: Sequence[bool]) -> float:
    """Sum of the chosen values; NaN where one of them is undefined."""
    return float(sum(value for value, is_chosen in zip(values, chosen, strict=True) if is_chosen))


def placement(pick: Pick = ordinary) -> Measure:
    """Fraction of objects that the judge finds in their place; it knows no unusual looks."""

    def measure(column: Column, pasted: Column) -> Interval:
        del pasted
        return ratio_interval(
            [picked_sum(s.found, pick(s)) for s in column],
            [float(sum(pick(s))) for s in column],
        )

    return measure


def mean_of(name: str, pick: Pick = counted) -> Measure:
    """Mean over objects of "appearance", "clip_words" or "clip_cutout"."""

    def measure(column: Column, pasted: Column) -> Interval:
        del pasted
        told = [s for s in column if getattr(s, name)]
        return ratio_interval(
            [picked_sum(getattr(s, name), pick(s)) for s in told],
            [float(sum(pick(s))) for s in told],
        )

    return measure


def harmony(zone: Zone) -> Measure:
    """The part of the paste-only distance to the truth that is closed: 1 = all, 0 = none."""

    def measure(column: Column, pasted: Column) -> Interval:
        return closed_interval(distances(column, zone), distances(pasted, zone))

    return measure


def distances(column: Column, zone: Zone) -> list[float]:
    """Colour distance to the truth in a zone, by collage."""
    return [float(getattr(scores, zone)) for scores in column]


def backdrop_drift(column: Column, pasted: Column) -> Interval:
    """Mean colour distance to the truth away from objects and shadows; pasting has none."""
    del pasted
    return mean_interval([scores.backdrop for scores in column])


def seconds(column: Column, pasted: Column) -> Interval:
    """Seconds for one picture."""
    del pasted
    return mean_interval([scores.seconds for scores in column])


ROWS: dict[str, tuple[str, Measure]] = {
    "placement": ("Placement", placement()),
    "appearance": ("Appearance", mean_of("appearance")),
    "appearance_kept": ("Appearance, kept layers", mean_of("appearance", kept)),
    "appearance_unusual": ("Appearance, unusual looks", mean_of("appearance", unusual)),
    "harmony_objects": ("Harmony, objects", harmony("objects")),
    "harmony_others": ("Harmony, other objects", harmony("others")),
    "harmony_shadows": ("Harmony, shadows", harmony("shadows")),
    "backdrop_drift": ("Backdrop drift", backdrop_drift),
    "clip_words": ("CLIP, crop and words", mean_of("clip_words")),
    "clip_cutout": ("CLIP, crop and cutout", mean_of("clip_cutout")),
    "clip_cutout_unusual": ("CLIP, crop and cutout, unusual", mean_of("clip_cutout", unusual)),
    "seconds": ("Seconds a picture", seconds),
}
"""Every row of the tables: its heading, and how it is measured."""


def placement_gain(upper: Column, lower: Column, pick: Pick = ordinary) -> Interval:
    """By how much more objects are found in their place, paired by collage."""
    gains = [
        picked_sum(u.found, pick(u)) - picked_sum(v.found, pick(v))
        for u, v in zip(upper, lower, strict=True)
    ]
    return ratio_interval(gains, [float(sum(pick(s))) for s in lower])


def appearance_gain(upper: Column, lower: Column, pick: Pick = counted) -> Interval:
    """By how much more of the look is left, paired by collage."""
    chosen = [pick(scores) for scores in lower]
    gains = [
        picked_sum(u.appearance, mine) - picked_sum(v.appearance, mine)
        for u, v, mine in zip(upper, lower, chosen, strict=True)
    ]
    return ratio_interval(gains, [float(sum(mine)) for mine in chosen])


def harmony_gain(upper: Column, lower: Column, pasted: Column, zone: Zone) -> Interval:
    """By how much more of the distance is closed, paired by collage."""
    gains = np.subtract(distances(lower, zone), distances(upper, zone))
    return ratio_interval(gains.tolist(), distances(pasted, zone))
