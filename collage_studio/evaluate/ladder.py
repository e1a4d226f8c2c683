"""The ladder: GH, GH+CA and GH+CA+LN on the same held-out collages, measured against the truth.

Pasting alone stands below the first rung, the world's own lit rendering above the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import numpy as np

from collage_studio.document.compositing import composite_picture
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document
from collage_studio.engine.api import Event, HarmoniseRequest, Picture, Produced, Request
from collage_studio.evaluate.collages import (
    BACKDROP,
    collage_of,
    kept_half,
    object_id,
    with_noise,
    with_words,
)
from collage_studio.evaluate.judge import Judge
from collage_studio.evaluate.metrics import Floats, appearance, colour_distance
from collage_studio.evaluate.plan import Plan
from collage_studio.starter.render import render_lit, shadow_zone
from collage_studio.starter.world import Scene

FEWEST_VISIBLE = 200.0
"""Pixels of an object that must be visible for it to count."""


NO_SHADOW = 0.02
"""Darkening below which a place counts as unshadowed."""


class Rung(StrEnum):
    """What is measured, from the bottom up."""

    PASTE = "paste-only"
    GH = "GH"
    CA = "GH+CA"
    LN = "GH+CA+LN"
    TRUTH = "truth"


RUNS = (Rung.GH, Rung.CA, Rung.LN)


class Runner(Protocol):
    """Performs a request; `collage_studio.engine.runner.Engine` is one."""

    def run(self, request: Request, is_cancelled: Callable[[], bool]) -> Iterator[Event]: ...


@dataclass(frozen=True, slots=True)
class Scores:
    """One rung on one collage. The tuples go over the collage's objects, back to front.

    Args:
        counts: whether enough of the object is visible for it to count.
        kept: whether the object is one of those with little noise on GH+CA+LN.
        found: whether the judge sees the right object inside the object's visible mask.
        appearance: see `metrics.appearance`.
        objects: low-frequency colour distance to the truth on all objects, 0..441.
        others: the same on the objects that are not kept.
        shadows: the same in the shadow zones; NaN where the light casts none.
        backdrop: the same on the rest.
    """

    seed: int
    rung: Rung
    counts: tuple[bool, ...]
    kept: tuple[bool, ...]
    found: tuple[bool, ...]
    appearance: tuple[float, ...]
    objects: float
    others: float
    shadows: float
    backdrop: float


@dataclass(frozen=True, slots=True)
class Climbed:
    """One collage's pictures and scores, by rung."""

    scene: Scene
    pictures: dict[Rung, Picture]
    scores: dict[Rung, Scores]


def scene_of(seed: int) -> Scene:
    """The ladder's scene for a held-out seed: two to four objects."""
    return Scene.from_seed(seed, min_objects=2)


def request_of(scene: Scene, rung: Rung, plan: Plan) -> HarmoniseRequest:
    """What the engine is asked for on a rung; the seed is the scene's on all of them."""
    document = with_words(collage_of(scene, noise=plan.noise), plan.words_in, plan.words_out)
    if rung is Rung.LN:
        document = with_noise(document, plan.kept_noise, kept_half(scene))
    schedule = "off" if rung is Rung.GH else plan.settings.ca_schedule
    settings = replace(plan.settings, ca_schedule=schedule)
    return HarmoniseRequest(replace(document, settings=settings), (scene.seed,), settings)


def climb(scene: Scene, plan: Plan, engine: Runner, judge: Judge) -> Climbed:
    """Run and measure all rungs on one collage."""
    document = collage_of(scene, noise=plan.noise)
    pictures: dict[Rung, Picture] = {Rung.PASTE: composite_picture(document)}
    for rung in RUNS:
        pictures[rung] = _picture_of(engine, request_of(scene, rung, plan))
    pictures[Rung.TRUTH] = render_lit(scene)
    yardstick = Yardstick.of(scene, document)
    scores = {rung: yardstick.measure(rung, picture, judge) for rung, picture in pictures.items()}
    return Climbed(scene, pictures, scores)


def _picture_of(engine: Runner, request: HarmoniseRequest) -> Picture:
    for event in engine.run(request, lambda: False):
        if isinstance(event, Produced):
            return np.ascontiguousarray(event.picture[..., :3])
    raise RuntimeError("The engine ended without a picture.")


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What all pictures of one collage are held against."""

    scene: Scene
    paste: Picture
    truth: Picture
    masks: tuple[Floats, ...]
    shadows: Floats
    backdrop: Floats
    kept: tuple[bool, ...]

    @classmethod
    def of(cls, scene: Scene, document: Document) -> Yardstick:
        masks = visible_masks(document)
        ids = [object_id(index) for index in range(len(scene.objects))]
        shadows = shadow_zone(scene)
        kept = kept_half(scene)
        return cls(
            scene,
            composite_picture(document),
            render_lit(scene),
            tuple(masks[layer_id] for layer_id in ids),
            shadows,
            (masks[BACKDROP] * (shadows < NO_SHADOW)).astype(np.float32),
            tuple(layer_id in kept for layer_id in ids),
        )

    def measure(self, rung: Rung, picture: Picture, judge: Judge) -> Scores:
        """All scores of one picture."""
        counts = tuple(float(mask.sum()) >= FEWEST_VISIBLE for mask in self.masks)
        visible = [mask for mask, count in zip(self.masks, counts, strict=True) if count]
        seen = iter(judge.found(picture, visible))
        names = [placed.name for placed in self.scene.objects]
        return Scores(
            self.scene.seed,
            rung,
            counts,
            self.kept,
            tuple(count and next(seen) == name for count, name in zip(counts, names, strict=True)),
            tuple(
                appearance(picture, self.paste, mask) if count else math.nan
                for mask, count in zip(self.masks, counts, strict=True)
            ),
            self._distance(picture, self.masks),
            self._distance(
                picture, [m for m, kept in zip(self.masks, self.kept, strict=True) if not kept]
            ),
            self._distance(picture, [self.shadows]),
            self._distance(picture, [self.backdrop]),
        )

    def _distance(self, picture: Picture, zones: list[Floats] | tuple[Floats, ...]) -> float:
        zone = np.sum(np.stack(zones), axis=0) if zones else np.zeros_like(self.shadows)
        return colour_distance(picture, self.truth, zone.astype(np.float32))
