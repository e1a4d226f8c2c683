"""Trains the judge of places on holes of scenes that no other training or measurement draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from collage_studio.engine.quality.judge import Judge, JudgeNet, Picture
from collage_studio.evaluate.judge_training import Lessons, Report, disturb, fit
from collage_studio.evaluate.metrics import Floats
from collage_studio.evaluate.places import (
    FEWEST_IN_HOLE,
    PlaceJudge,
    class_of,
    hole_between,
    hole_crop,
    place_classes,
    without,
)
from collage_studio.starter.render import render_background, render_lit, warp_sticker
from collage_studio.starter.world import BACKGROUNDS, CANVAS, Scene

FIRST_SEED = 4_000_000
CHECK_SEED = 5_000_000
_CHUNK = 250


def holes_in(scene: Scene) -> list[tuple[Scene, Floats]]:
    """Objects that leave enough background free: the scene without each, and its hole (H, W)."""
    alphas = [warp_sticker(placed, CANVAS)[1] for placed in scene.objects]
    found = list[tuple[Scene, Floats]]()
    for index, alpha in enumerate(alphas):
        in_front, free = np.ones_like(alpha), np.ones_like(alpha)
        for other, its in enumerate(alphas):
            free *= 1 - its if other != index else 1
            in_front *= 1 - its if other > index else 1
        hole = hole_between((alpha * in_front).astype(np.float32), (1 - free).astype(np.float32))
        if float(hole.sum()) >= FEWEST_IN_HOLE:
            found.append((without(scene, index), hole))
    return found


def make_lessons(first_seed: int, scenes: int) -> Lessons:
    """Crops of the holes of `scenes` scenes, disturbed, and their place in its light."""
    crops, classes = list[Picture](), list[int]()
    index = {name: number for number, name in enumerate(place_classes())}
    for seed in range(first_seed, first_seed + scenes):
        rng = np.random.default_rng([seed, 9])
        scene = Scene.from_seed(seed)
        for rest, hole in holes_in(scene):
            crops.append(hole_crop(_disturbed(render_lit(rest), rng), hole))
            classes.append(index[class_of(scene.background, scene.lighting)])
    return Lessons(np.stack(crops), np.array(classes, np.int64))


def _disturbed(picture: Picture, rng: np.random.Generator) -> Picture:
    return disturb(picture, rng) if rng.random() < 0.8 else picture


def train_place_judge(scenes: int, epochs: int, report: Report, *, seed: int = 0) -> PlaceJudge:
    """Draw the holes of `scenes` scenes and train on them `epochs` times, on the CPU."""
    parts = list[Lessons]()
    for start in range(0, scenes, _CHUNK):
        parts.append(make_lessons(FIRST_SEED + start, min(_CHUNK, scenes - start)))
        report("drawing scenes", min(1.0, (start + _CHUNK) / scenes))
    lessons = Lessons(
        np.concatenate([part.crops for part in parts]),
        np.concatenate([part.classes for part in parts]),
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # weights and dropout of this network only
        net = JudgeNet(len(place_classes()))
        fit(net, lessons, epochs, report)
    return PlaceJudge(Judge(net, place_classes()))


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the judge of places can be trusted, on holes it has never seen.

    Args:
        right: share it names right in the world's own rendering without the object.
        disturbed: the same blurred, tinted and grained.
        object_left: share it still names right where the object was not taken away.
        other_place: share it still names right where another place was painted in.
    """

    holes: int
    right: float
    disturbed: float
    object_left: float
    other_place: float


def check(judge: PlaceJudge, scenes: int = 400) -> Trust:
    """Measure the judge on `scenes` unseen scenes, also on fillings that are wrong."""
    kinds: tuple[list[Picture], ...] = ([], [], [], [])
    places, lights = list[str](), list[str]()
    for seed in range(CHECK_SEED, CHECK_SEED + scenes):
        scene, rng = Scene.from_seed(seed), np.random.default_rng([seed, 9])
        names = [name for name in BACKGROUNDS if name != scene.background]
        wrong = Scene.from_seed(seed, background=str(rng.choice(names)))
        lit, elsewhere = render_lit(scene), render_background(wrong)
        for rest, hole in holes_in(scene):
            truth = render_lit(rest)
            shown = (truth, disturb(truth, rng), lit, elsewhere)
            for kind, picture in zip(kinds, shown, strict=True):
                kind.append(hole_crop(picture, hole))
            places.append(scene.background)
            lights.append(scene.lighting)
    shares = [_share(judge.named(crops, lights), places) for crops in kinds]
    return Trust(len(places), *shares)


def _share(found: list[str], places: list[str]) -> float:
    return float(np.mean([a == b for a, b in zip(found, places, strict=True)]))
