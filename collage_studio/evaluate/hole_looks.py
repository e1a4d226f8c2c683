"""What two judges see in the hole that an object leaves, beside what they see in the world's own.

The judge of objects sees the square around the hole, with whatever stands in it; the judge of
places sees the pixels of the hole alone. Both also look at the world's rendering of the scene
without the object: what they get wrong there is their own error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from collage_studio.document.compositing import composite_picture
from collage_studio.document.harmonised import caster_of, harmonised_stack
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document
from collage_studio.engine.quality.judge import NOTHING, Judge, Picture
from collage_studio.evaluate.collages import object_id
from collage_studio.evaluate.metrics import Floats, Interval, ratio_interval
from collage_studio.evaluate.places import PlaceJudge, hole_between
from collage_studio.starter.render import render_lit
from collage_studio.starter.world import Scene

PLACED = "Holes whose background the judge of places names right"
IDEAL_PLACED = "The same holes in the world's own rendering"
CLEAR = "Holes in which the judge of objects sees nothing of them"
IDEAL_CLEAR = "The same holes in the world's own rendering, to this judge"
COLOUR = "Colour distance of holes to that rendering, 0 to 441"


@dataclass(frozen=True, slots=True)
class Judges:
    """Who names objects and who names places."""

    objects: Judge
    places: PlaceJudge

    @classmethod
    def load(cls) -> Self:
        """The bundled ones."""
        return cls(Judge.load(), PlaceJudge.load())


@dataclass(frozen=True, slots=True)
class HoleLook:
    """One hole as a picture shows it.

    Args:
        clear: the judge of objects sees nothing there, or one of the objects that are left.
        placed: the judge of places names the scene's background; None if too little is free.
        colour: mean RGB distance (0..441) to the world's own rendering, NaN if nothing is free.
    """

    clear: bool
    placed: bool | None
    colour: float


def hole_of(written: Document, index: int, mask: Floats) -> tuple[Picture, Floats]:
    """The stack without an object and what it casts, and where nothing else lies in its place."""
    gone = object_id(index)
    stack = harmonised_stack(written)
    rest = [one for one in stack.layers if one.id != gone and caster_of(one) != gone]
    left = stack.with_layers(*rest)
    masks = visible_masks(left)
    others = np.zeros_like(mask)
    for layer in rest:
        if layer.id.startswith("object"):
            others += masks[layer.id]
    return composite_picture(left), hole_between(mask, others)


def look_at(judges: Judges, rest: Scene, picture: Picture, mask: Floats, hole: Floats) -> HoleLook:
    """What is seen in the hole of an object.

    Args:
        rest: the scene without the object. picture: (H, W, 3) without it.
        mask: (H, W) where it was seen. hole: the part of it in which no other object lies.
    """
    right = (NOTHING, *(one.name for one in rest.objects))
    clear = judges.objects.found(picture, [mask])[0] in right
    place = judges.places.seen(picture, hole, rest.lighting)
    colour = _distance(picture, render_lit(rest, picture.shape[0]), hole)
    return HoleLook(clear, None if place is None else place == rest.background, colour)


def _distance(picture: Picture, truth: Picture, where: Floats) -> float:
    if not where.any():
        return float("nan")
    lengths = np.linalg.norm(picture.astype(np.float32) - truth, axis=2)
    return float((lengths * where).sum() / where.sum())


@dataclass(frozen=True, slots=True)
class HoleCounts:
    """The holes of one collage.

    Args:
        asked: holes that the judge of objects was asked about, `clear` those it called right.
        free: holes with enough background for the judge of places, `placed` those it named right.
        colour: mean RGB distance to the world's own rendering, NaN if none is free.
    """

    asked: int
    clear: int
    free: int
    placed: int
    colour: float

    @classmethod
    def of(cls, looks: Sequence[HoleLook]) -> Self:
        """Count what was seen."""
        places = [one.placed for one in looks if one.placed is not None]
        colours = [one.colour for one in looks if not np.isnan(one.colour)]
        mean = float(np.mean(colours)) if colours else float("nan")
        return cls(len(looks), sum(one.clear for one in looks), len(places), sum(places), mean)


def clear_share(counts: Sequence[HoleCounts]) -> Interval:
    """Share of the holes that the judge of objects called right, over collages."""
    return ratio_interval(
        [float(one.clear) for one in counts], [float(one.asked) for one in counts]
    )


def placed_share(counts: Sequence[HoleCounts]) -> Interval:
    """Share of the free holes whose place was named right, over collages."""
    return ratio_interval(
        [float(one.placed) for one in counts], [float(one.free) for one in counts]
    )


def shown(interval: Interval, digits: int = 3) -> str:
    """An interval as the tables have it."""
    low, high = (f"{end:.{digits}f}" for end in (interval.low, interval.high))
    return f"{interval.value:.{digits}f} [{low}, {high}]"
