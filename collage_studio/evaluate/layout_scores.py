"""What is measured on a picture made from a layout, with the judge as the only witness.

The judge is asked three times: where each object is to be seen, in each region's box, and in
windows of four sizes all over the picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Rect
from collage_studio.engine.api import Picture
from collage_studio.engine.quality.judge import MARGIN, cut_square, square_around
from collage_studio.engine.quality.region_metrics import BoxMeter, TextMeter, is_scored
from collage_studio.evaluate.layouts import Layout, layout_document, places_of, shown_parts
from collage_studio.evaluate.scores import FEWEST_VISIBLE, read_back, without_nan

WINDOWS = (0.26, 0.34, 0.45, 0.6)
"""Sides of the windows as parts of the canvas's; neighbours lie a fifth of a side apart."""
SURE = 0.5
"""The judge's probability from which an object counts as seen."""

LEAST_SHOWN = 0.35
"""The part of an object that the layout's truth shows at least, where it shall count."""

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
class Meters:
    """Who looks at a picture: the judge, and networks that a person has."""

    judge: Witness
    clip: TextMeter | None = None
    sam: BoxMeter | None = None


@dataclass(frozen=True, slots=True)
class LayoutScores:
    """One method on one layout. The tuples go over the objects, back to front.

    Args:
        key: of the method.
        counts: whether enough of the object is to be seen for it to count.
        boxes: whether the region is a box.
        scored: whether the region's box is of a size that the published metrics count.
        right: the judge names the right object where it is to be seen.
        neighbour: the judge names another object of the same caption there.
        chance: the judge's probability of the right object in the region's box, 0..1.
        overlap: IoU of the square in which the judge sees the object (`surest`) with the square
            around what is to be seen of it; 0 if it sees the object nowhere.
        elsewhere: the square in which the judge sees the object is centred outside the region's
            box.
        crop_clip: CropCLIP, 100 times the cosine of the box's crop and the region's text; empty
            without CLIP.
        sam_iou: SAMIoU, 0..1; empty without SAM.
        seconds: how long the picture took.
    """

    seed: int
    key: str
    counts: tuple[bool, ...]
    boxes: tuple[bool, ...]
    scored: tuple[bool, ...]
    right: tuple[bool, ...]
    neighbour: tuple[bool, ...]
    chance: tuple[float, ...]
    overlap: tuple[float, ...]
    elsewhere: tuple[bool, ...]
    crop_clip: tuple[float, ...] = ()
    sam_iou: tuple[float, ...] = ()
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
    layout: Layout, key: str, picture: Picture, meters: Meters, seconds: float = 0.0
) -> LayoutScores:
    """All scores of one picture (H, W, 3) of the layout's canvas size."""
    judge, canvas = meters.judge, picture.shape[0]
    places = places_of(layout_document(layout, canvas))
    parts = shown_parts(layout, canvas)
    names = [placed.name for placed in layout.scene.objects]
    counts = tuple(
        float(part.sum()) >= FEWEST_VISIBLE and share >= LEAST_SHOWN for part, share in parts
    )
    seen_at = [square_around(part) for part, _ in parts]
    told = _named(picture, seen_at, judge)
    squares, chances = _look_around(picture, judge)
    seen = [surest(squares, chances[:, judge.names.index(name)]) for name in names]
    return LayoutScores(
        layout.scene.seed,
        key,
        counts,
        layout.boxes,
        tuple(is_scored(place, canvas, canvas) for place in places),
        tuple(one == name for one, name in zip(told, names, strict=True)),
        tuple(one != name and one in names for one, name in zip(told, names, strict=True)),
        _chances_in(picture, places, names, judge),
        tuple(
            overlap(square, around) if square else 0.0
            for square, around in zip(seen, seen_at, strict=True)
        ),
        tuple(
            bool(square and not _is_within(square, place))
            for square, place in zip(seen, places, strict=True)
        ),
        meters.clip.scores(picture, places, layout.texts) if meters.clip else (),
        meters.sam.scores(picture, places) if meters.sam else (),
        seconds,
    )


def _named(picture: Picture, squares: Sequence[Square], judge: Witness) -> list[str]:
    """What the judge names in each square."""
    chances = judge.chances([cut_square(picture, *square) for square in squares])
    return [judge.names[int(i)] for i in chances.argmax(axis=1)]


def _chances_in(
    picture: Picture, places: Sequence[Rect], names: Sequence[str], judge: Witness
) -> tuple[float, ...]:
    """The judge's probability of each name in the square around each box."""
    squares = [
        ((p.left + p.right) / 2, (p.top + p.bottom) / 2, MARGIN * max(p.width, p.height))
        for p in places
    ]
    chances = judge.chances([cut_square(picture, *square) for square in squares])
    pairs = zip(chances, names, strict=True)
    return tuple(round(float(row[judge.names.index(name)]), 5) for row, name in pairs)


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


def _is_within(square: Square, place: Rect) -> bool:
    """Whether the square's centre lies in the box."""
    x, y, _ = square
    return place.left <= x <= place.right and place.top <= y <= place.bottom
