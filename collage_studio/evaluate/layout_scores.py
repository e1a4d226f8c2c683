"""What is measured on a picture made from a layout, with the judge as the only witness.

The judge is asked twice: at each region, and in windows of four sizes all over the picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from collage_studio.engine.api import Picture
from collage_studio.evaluate.judge import cut_square, square_around
from collage_studio.evaluate.layouts import Layout, layout_document, regions_of
from collage_studio.evaluate.metrics import Floats
from collage_studio.evaluate.scores import FEWEST_VISIBLE, Likeness, read_back, without_nan

WINDOWS = (0.26, 0.34, 0.45, 0.6)
"""Sides of the windows as parts of the canvas's; neighbours lie a fifth of a side apart."""
SURE = 0.5
"""The judge's probability from which an object counts as seen."""

SAME_PLACE = 0.25
"""IoU from which two windows are held to show the same thing."""

Square = tuple[float, float, float]
"""Centre x, centre y and side in px."""


class Witness(Protocol):
    """`judge.Judge` is one."""

    @property
    def names(self) -> Sequence[str]: ...

    def chances(self, crops: Sequence[Picture]) -> npt.NDArray[np.float32]:
        """(crops, names) probabilities."""
        ...


@dataclass(frozen=True, slots=True)
class LayoutScores:
    """One method on one layout. The tuples go over the objects, back to front.

    Args:
        key: of the method.
        counts: whether enough of the region is visible for it to count.
        boxes: whether the region is a box.
        right: the judge names the right object at the region.
        neighbour: the judge names another object of the same caption at the region.
        overlap: IoU of the square in which the judge sees the object (`surest`) with the square
            around the region; 0 if it sees the object nowhere.
        elsewhere: the square in which the judge sees the object is centred outside the region's
            box.
        clip_words: CLIP similarity of the region's crop to its words, -1..1; empty without CLIP.
        seconds: how long the picture took.
    """

    seed: int
    key: str
    counts: tuple[bool, ...]
    boxes: tuple[bool, ...]
    right: tuple[bool, ...]
    neighbour: tuple[bool, ...]
    overlap: tuple[float, ...]
    elsewhere: tuple[bool, ...]
    clip_words: tuple[float, ...] = ()
    seconds: float = 0.0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LayoutScores:
        """From what `as_json` wrote; unknown keys are left out."""
        known = {item.name for item in fields(cls)}
        values = {name: data[name] for name in known & data.keys()}
        return cls(**{name: read_back(value) for name, value in values.items()})

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {name: without_nan(value) for name, value in asdict(self).items()}


def measure_layout(
    layout: Layout,
    key: str,
    picture: Picture,
    judge: Witness,
    likeness: Likeness | None = None,
    seconds: float = 0.0,
) -> LayoutScores:
    """All scores of one picture (H, W, 3) of the layout's canvas size."""
    regions = regions_of(layout_document(layout, picture.shape[0]))
    names = [placed.name for placed in layout.scene.objects]
    counts = tuple(float(region.sum()) >= FEWEST_VISIBLE for region in regions)
    at_regions = _named_at(picture, regions, counts, judge)
    squares, chances = _look_around(picture, judge)
    seen = [surest(squares, chances[:, judge.names.index(name)]) for name in names]
    pairs = list(zip(seen, regions, counts, strict=True))
    return LayoutScores(
        layout.scene.seed,
        key,
        counts,
        layout.boxes,
        tuple(told == name for told, name in zip(at_regions, names, strict=True)),
        tuple(told != name and told in names for told, name in zip(at_regions, names, strict=True)),
        tuple(
            overlap(square, square_around(region)) if counted and square else 0.0
            for square, region, counted in pairs
        ),
        tuple(
            bool(counted and square and not _is_within(square, region))
            for square, region, counted in pairs
        ),
        _words(layout, picture, regions, counts, likeness),
        seconds,
    )


def _words(
    layout: Layout,
    picture: Picture,
    regions: Sequence[Floats],
    counts: Sequence[bool],
    likeness: Likeness | None,
) -> tuple[float, ...]:
    chosen = [i for i, counted in enumerate(counts) if counted]
    if likeness is None or not chosen:
        return ()
    phrases = [layout.scene.objects[i].phrase for i in chosen]
    told = likeness.to_words(picture, [regions[i] for i in chosen], phrases)
    found = dict(zip(chosen, told, strict=True))
    return tuple(found.get(i, 0.0) for i in range(len(counts)))


def _named_at(
    picture: Picture, regions: Sequence[Floats], counts: Sequence[bool], judge: Witness
) -> list[str]:
    """What the judge names in the square around each region; "" where it is not asked."""
    asked = [region for region, counted in zip(regions, counts, strict=True) if counted]
    if not asked:
        return [""] * len(regions)
    chances = judge.chances([cut_square(picture, *square_around(region)) for region in asked])
    told = iter(judge.names[int(i)] for i in chances.argmax(axis=1))
    return [next(told) if counted else "" for counted in counts]


def _look_around(picture: Picture, judge: Witness) -> tuple[list[Square], npt.NDArray[np.float32]]:
    """Windows all over the picture, and the judge's (windows, names) probabilities there."""
    canvas = picture.shape[0]
    squares = list[Square]()
    for share in WINDOWS:
        side = share * canvas
        count = 1 + math.ceil((canvas - side) / (side / 5))
        places = np.linspace(side / 2, canvas - side / 2, count)
        squares += [(float(x), float(y), side) for y in places for x in places]
    return squares, judge.chances([cut_square(picture, *square) for square in squares])


def surest(squares: Sequence[Square], chances: npt.NDArray[np.float32]) -> Square | None:
    """Where the judge sees an object: the mean of the windows around the one it is surest of.

    Only windows in which it is sure at all count, by their probability. None if there are none.
    """
    best = int(chances.argmax())
    if chances[best] < SURE:
        return None
    near = [
        i
        for i in np.nonzero(chances >= SURE)[0].tolist()
        if overlap(squares[i], squares[best]) >= SAME_PLACE
    ]
    x, y, side = np.average(np.array([squares[i] for i in near]), axis=0, weights=chances[near])
    return float(x), float(y), float(side)


def overlap(one: Square, other: Square) -> float:
    """Intersection over union of two squares."""
    common = 1.0
    for a, b in zip(one[:2], other[:2], strict=True):
        low = max(a - one[2] / 2, b - other[2] / 2)
        common *= max(0.0, min(a + one[2] / 2, b + other[2] / 2) - low)
    return common / (one[2] ** 2 + other[2] ** 2 - common)


def _is_within(square: Square, region: Floats) -> bool:
    """Whether the square's centre lies in the box around the region."""
    rows, columns = np.nonzero(region > 0.5)
    if rows.size == 0:
        return False
    x, y, _ = square
    across = columns.min() <= x <= columns.max() + 1
    return bool(across and rows.min() <= y <= rows.max() + 1)
