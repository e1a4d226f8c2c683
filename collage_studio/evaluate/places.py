"""Which background a hole shows: a judge of places that sees the pixels of the hole alone.

Everything around the hole is painted over, so that only what fills it can give the answer. The
light of a scene is known and given: sand at sunset and a desert at noon have the same colours.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from collage_studio.engine.quality.judge import Judge, Picture, cut_square, square_around
from collage_studio.evaluate.metrics import Floats
from collage_studio.resources_dir import resources_path
from collage_studio.starter.world import BACKGROUNDS, LIGHTINGS, Scene

AROUND = (255, 0, 255)
"""What is painted over the surroundings of a hole; no place has this colour."""
FEWEST_IN_HOLE = 200.0
"""Pixels of a hole that have to be free of other objects for the judge to be asked about it."""


def place_judge_path() -> Path:
    """Where the bundled judge of places lies."""
    return resources_path("starter", "place_judge.safetensors")


def class_of(background: str, lighting: str) -> str:
    """What the network calls a place in one light, such as "beach, sunset"."""
    return f"{background}, {lighting}"


def place_classes() -> tuple[str, ...]:
    """All of the world's places in all of its lights."""
    return tuple(class_of(place, light.name) for place in BACKGROUNDS for light in LIGHTINGS)


def hole_crop(picture: Picture, hole: Floats) -> Picture:
    """The square around a hole, (64, 64, 3), in which only the hole's own pixels show.

    Args:
        picture: (H, W, 3). hole: (H, W) in [0, 1], not empty.
    """
    square = square_around(hole)
    shown = cut_square(picture, *square).astype(np.float32)
    solid = np.repeat((hole > 0.5).astype(np.uint8)[..., None] * 255, 3, axis=2)
    share = cut_square(solid, *square).astype(np.float32)
    # Mixed pixels at the edge would let the surroundings in.
    share = np.clip((share - 127) / 128, 0, 1)
    return np.rint(shown * share + np.array(AROUND, np.float32) * (1 - share)).astype(np.uint8)


def hole_between(mask: Floats, others: Floats) -> Floats:
    """(H, W) where an object was seen and, without it, the background is: others cover nothing."""
    return (mask * (others < 0.01)).astype(np.float32)


def without(scene: Scene, index: int) -> Scene:
    """The scene as it is once object `index` is taken away, with its shadow."""
    rest = tuple(one for place, one in enumerate(scene.objects) if place != index)
    return replace(scene, objects=rest)


class PlaceJudge:
    """Names the place that the pixels of a hole show."""

    def __init__(self, judge: Judge) -> None:
        judge.check_names(place_classes())
        self.judge = judge

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The judge of places in `path`, or the bundled one.

        Raises:
            JudgeMissing: there is none, or it was trained for another world.
        """
        return cls(Judge.load(path or place_judge_path()))

    def seen(self, picture: Picture, hole: Floats, lighting: str) -> str | None:
        """The place in a hole of a picture in a known light; None if too little of it is free."""
        if float(hole.sum()) < FEWEST_IN_HOLE:
            return None
        return self.named([hole_crop(picture, hole)], [lighting])[0]

    def named(self, crops: list[Picture], lightings: list[str]) -> list[str]:
        """The likeliest place of each crop (64, 64, 3) in its light."""
        chances = self.judge.chances(crops)
        places = tuple(BACKGROUNDS)
        found = list[str]()
        for row, lighting in zip(chances, lightings, strict=True):
            own = [row[self.judge.names.index(class_of(place, lighting))] for place in places]
            found.append(places[int(np.argmax(own))])
        return found
