"""What is measured on one picture of one collage, and the yardstick that measures it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np

from collage_studio.document.compositing import composite_picture
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document
from collage_studio.engine.api import Picture
from collage_studio.evaluate.collages import BACKDROP, kept_half, object_id
from collage_studio.evaluate.metrics import Floats, appearance, colour_distance
from collage_studio.starter.render import render_lit, shadow_zone
from collage_studio.starter.world import Scene

FEWEST_VISIBLE = 200.0
"""Pixels of an object that must be visible for it to count."""

NO_SHADOW = 0.02
"""Darkening below which a place counts as unshadowed."""


class Namer(Protocol):
    """Names the object at each mask; `judge.Judge` is one."""

    def found(self, picture: Picture, masks: Sequence[Floats]) -> list[str]: ...


class Likeness(Protocol):
    """Similarity of crops to words and to cutouts; `clip_scores.Clip` is one."""

    def to_words(
        self, picture: Picture, masks: Sequence[Floats], words: Sequence[str]
    ) -> list[float]: ...

    def to_cutouts(
        self, picture: Picture, flat: Picture, masks: Sequence[Floats]
    ) -> list[float]: ...


@dataclass(frozen=True, slots=True)
class Scores:
    """One configuration on one collage. The tuples go over the collage's objects, back to front.

    Args:
        key: of the configuration.
        counts: whether enough of the object is visible for it to count.
        kept: whether the object is one of those with little noise on rungs with layer noise.
        unusual: whether the object has a look that words cannot tell.
        found: whether the judge sees the right object inside the object's visible mask.
        appearance: see `metrics.appearance`.
        objects: low-frequency colour distance to the truth on all objects, 0..441.
        others: the same on the objects that are not kept.
        shadows: the same in the shadow zones; NaN where the light casts none.
        backdrop: the same on the rest.
        clip_words: CLIP similarity of each object's crop to its words, -1..1; empty without CLIP.
        clip_cutout: CLIP similarity of each object to its flat cutout, likewise.
        seconds: how long the picture took.
    """

    seed: int
    key: str
    counts: tuple[bool, ...]
    kept: tuple[bool, ...]
    unusual: tuple[bool, ...]
    found: tuple[bool, ...]
    appearance: tuple[float, ...]
    objects: float
    others: float
    shadows: float
    backdrop: float
    clip_words: tuple[float, ...] = ()
    clip_cutout: tuple[float, ...] = ()
    seconds: float = 0.0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scores:
        """From what `as_json` wrote; unknown keys are left out, None is an undefined number."""
        known = {item.name for item in fields(cls)}
        return cls(**{name: read_back(value) for name, value in data.items() if name in known})

    def as_json(self) -> dict[str, Any]:
        """Plain data; JSON has no NaN, so an undefined number becomes None."""
        return {name: without_nan(value) for name, value in asdict(self).items()}


def without_nan(value: Any) -> Any:
    """The same nested data with None for every NaN, lists for tuples and strings for keys."""
    if isinstance(value, dict):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def read_back(value: Any) -> Any:
    """What `without_nan` made of nested tuples of numbers, turned around."""
    if isinstance(value, list):
        return tuple(read_back(item) for item in value)
    return math.nan if value is None else value


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

    def measure(
        self,
        key: str,
        picture: Picture,
        judge: Namer,
        likeness: Likeness | None = None,
        seconds: float = 0.0,
    ) -> Scores:
        """All scores of one picture."""
        counts = tuple(float(mask.sum()) >= FEWEST_VISIBLE for mask in self.masks)
        visible = [mask for mask, count in zip(self.masks, counts, strict=True) if count]
        seen = iter(judge.found(picture, visible))
        names = [placed.name for placed in self.scene.objects]
        return Scores(
            self.scene.seed,
            key,
            counts,
            self.kept,
            tuple(placed.look > 0 for placed in self.scene.objects),
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
            *self._likeness(picture, counts, visible, likeness),
            seconds,
        )

    def _likeness(
        self,
        picture: Picture,
        counts: Sequence[bool],
        visible: Sequence[Floats],
        likeness: Likeness | None,
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if likeness is None or not visible:
            return (), ()
        pairs = zip(self.scene.objects, counts, strict=True)
        phrases = [placed.phrase for placed, count in pairs if count]
        words = iter(likeness.to_words(picture, visible, phrases))
        cutouts = iter(likeness.to_cutouts(picture, self.paste, visible))
        return (
            tuple(next(words) if count else math.nan for count in counts),
            tuple(next(cutouts) if count else math.nan for count in counts),
        )

    def _distance(self, picture: Picture, zones: list[Floats] | tuple[Floats, ...]) -> float:
        zone = np.sum(np.stack(zones), axis=0) if zones else np.zeros_like(self.shadows)
        return colour_distance(picture, self.truth, zone.astype(np.float32))
