"""How long learning a look takes, against diffusers' own training loop, at equal appearance.

Run it with `python -m collage_studio.evaluate.bench_look`. Each subject is an object of the
sticker world under another object's name, so that its look is what the text cannot tell. A look is
scored by running its collage at high noise and comparing the object with its cutout. Times are
processor seconds of one thread, scoring left out.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from collage_studio.document.compositing import composite_picture
from collage_studio.document.looks import Look, LookRecipe, Vectors
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, Layer
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import HarmoniseRequest, LearnSettings, Picture, Produced
from collage_studio.engine.looks.textual_inversion import Course, Lesson
from collage_studio.engine.looks.views import cutout_of
from collage_studio.engine.runner import Engine
from collage_studio.evaluate import diffusers_inversion
from collage_studio.evaluate.collages import collage_of, object_id, with_noise
from collage_studio.evaluate.metrics import appearance
from collage_studio.resources_dir import resources_path
from collage_studio.starter.world import HELD_OUT_FROM, Placed, Scene

SUBJECTS = (("pumpkin", "a ball"), ("penguin", "a tent"), ("sunflower", "a car"), ("star", "a cat"))
"""(what is seen, what the text says)"""
OURS_AT = (10, 20, 30, 40, 60, 80, 120)
THEIRS_AT = (10, 25, 50, 100, 150, 200, 250)


@dataclass(frozen=True, slots=True)
class Point:
    """A look after `steps` steps and `seconds` of processor time, and what it scores."""

    steps: int
    seconds: float
    score: float


def subject_collage(index: int, noise: float) -> Document:
    """One object on a held-out ground, at `noise`, with another object's text."""
    name, text = SUBJECTS[index]
    drawn = Scene.from_seed(HELD_OUT_FROM + index, max_objects=1, lighting="noon")
    placed = Placed(name, 0.5, 0.85, 0.5, 0.0, flipped=False)
    scene = replace(drawn, objects=(placed,), caption=(0, *drawn.caption[1:]))
    document = with_noise(collage_of(scene, noise=0.0), noise, frozenset({object_id(0)}))
    layers = [
        replace(layer, text=text) if layer.id == object_id(0) else layer
        for layer in document.layers
    ]
    return document.with_layers(*layers)


class Bench:
    """Scores looks and times the two ways of learning them."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._engine = Engine("cpu")
        self._settings = RunSettings(model=args.model, steps=args.run_steps, detail=0.0)
        self._family = self._engine.family(args.model)

    def score(self, index: int, look: Look | None) -> float:
        """Mean appearance over the seeds, 1 = the cutout itself."""
        document = subject_collage(index, self._args.noise)
        layers = [
            replace(layer, look=look) if layer.id == object_id(0) else layer
            for layer in document.layers
        ]
        worn = document.with_layers(*layers)
        seeds = tuple(range(self._args.seeds))
        request = HarmoniseRequest(worn, seeds, self._settings)
        pictures = [
            event.picture
            for event in self._engine.run(request, lambda: False)
            if isinstance(event, Produced)
        ]
        flat = np.ascontiguousarray(composite_picture(document)[..., :3])
        mask = np.asarray(visible_masks(document)[object_id(0)], np.float32)
        return float(np.mean([appearance(picture, flat, mask) for picture in pictures]))

    def ours(self, indices: Sequence[int], at: Sequence[int]) -> Iterator[tuple[int, Point]]:
        """(subject, point) of all `indices` learned in one batch, at these steps."""
        lessons = [self._lesson(index) for index in indices]
        learning = LearnSettings(vectors=self._args.vectors, steps=max(at))
        used, began = 0.0, time.process_time()
        made = Course(self._family, lessons, learning, self._settings.sampler, lambda: False)
        for step in made.steps():
            if step.step in at or (step.step and all(s.is_finished for s in step.states)):
                used += time.process_time() - began
                for index, state in zip(indices, step.states, strict=False):
                    vectors = {name: part.numpy() for name, part in state.vectors.items()}
                    yield index, Point(step.step, used, self.score(index, _look(vectors)))
                began = time.process_time()

    def theirs(self, index: int, at: Sequence[int]) -> Iterator[Point]:
        """Points of the script's loop on the same cutout."""
        pixels = cutout_of(_layer(index)).astype(np.float32)
        share = pixels[..., 3:] / 255.0
        picture = np.rint(pixels[..., :3] * share + 255.0 * (1.0 - share)).astype(np.uint8)
        pipeline = diffusers_inversion.load(_folder(self._args.model))
        word = SUBJECTS[index][1].split()[-1]
        settings = diffusers_inversion.ScriptSettings(
            self._args.vectors, rate=self._args.their_rate, initializer=word
        )
        used, began = 0.0, time.process_time()
        loop = diffusers_inversion.train(
            pipeline, _square(picture), SUBJECTS[index][1], settings, self._family.native_px
        )
        for step, vectors in zip(range(1, max(at) + 1), loop, strict=False):
            if step in at:
                used += time.process_time() - began
                look = _look({"clip_l": vectors.numpy()})
                yield Point(step, used, self.score(index, look))
                began = time.process_time()

    def seconds_of(self, indices: Sequence[int], steps: int) -> float:
        """Processor seconds of `steps` steps for all of them together, with everything around."""
        learning = LearnSettings(vectors=self._args.vectors, steps=steps)
        began = time.process_time()
        lessons = [self._lesson(index) for index in indices]
        made = Course(self._family, lessons, learning, self._settings.sampler, lambda: False)
        for _ in made.steps():
            pass
        return time.process_time() - began

    def _lesson(self, index: int) -> Lesson:
        layer = _layer(index)
        return Lesson(f"{index}", layer.text, cutout_of(layer))


def _layer(index: int) -> Layer:
    document = subject_collage(index, 0.5)
    return next(layer for layer in document.layers if layer.id == object_id(0))


def _look(vectors: Vectors) -> Look:
    return Look.of(vectors, LookRecipe())


def _folder(model: str) -> Path:
    return resources_path("starter", "model") if model == "starter" else Path(model)


def _square(picture: Picture) -> Picture:
    """The picture in the middle of a white square."""
    side = round(max(picture.shape[:2]) * 1.15)
    made = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - picture.shape[0]) // 2, (side - picture.shape[1]) // 2
    made[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return made


def mean_curve(curves: Sequence[Sequence[Point]]) -> list[Point]:
    """The mean over subjects at each place of their curves, as far as all of them go."""
    return [
        Point(
            points[0].steps,
            float(np.mean([point.seconds for point in points])),
            float(np.mean([point.score for point in points])),
        )
        for points in zip(*curves, strict=False)
    ]


def seconds_to(curve: Sequence[Point], score: float) -> float:
    """Processor seconds after which the curve first reaches `score`; infinite if it never does."""
    return next((point.seconds for point in curve if point.score >= score), math.inf)


def _said(title: str, curve: Sequence[Point]) -> str:
    rows = [f"{p.steps:6d} {p.seconds:9.1f} {p.score:9.3f}" for p in curve]
    return "\n".join((title, " steps   seconds    score", *rows, ""))


def report(bench: Bench, args: argparse.Namespace) -> Iterator[str]:
    """Measure and say, part by part."""
    chosen = range(args.subjects)
    plain = float(np.mean([bench.score(index, None) for index in chosen]))
    yield f"{args.subjects} subjects, noise {args.noise}; without a look they score {plain:.3f}\n"
    curves = [[point for _, point in bench.ours([i], args.ours_at)] for i in chosen]
    ours = mean_curve(curves)
    yield _said("ours, one layer", ours)
    theirs = mean_curve([list(bench.theirs(index, args.theirs_at)) for index in chosen])
    yield _said("diffusers' loop", theirs)
    goal = min(max(p.score for p in theirs), max(p.score for p in ours))
    us, them = seconds_to(ours, goal), seconds_to(theirs, goal)
    yield f"score {goal:.3f}: ours {us:.1f} s, theirs {them:.1f} s, {them / us:.1f} times less\n"
    one = float(np.mean([bench.seconds_of([i], args.batch_steps) for i in chosen]))
    four = bench.seconds_of(range(4), args.batch_steps)
    yield (
        f"{args.batch_steps} steps: one layer {one:.1f} s, four together {four:.1f} s, "
        f"{four / one:.2f} times one\n"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--model", default="starter", help='"starter" or a Stable Diffusion folder')
    add("--subjects", type=int, default=2, choices=range(1, len(SUBJECTS) + 1))
    add("--vectors", type=int, default=LearnSettings().vectors)
    add("--noise", type=float, default=0.85, help="of the object when its look is scored")
    add("--seeds", type=int, default=2, help="pictures that are scored each time")
    add("--run-steps", type=int, default=12, help="steps of each scored run")
    add("--their-rate", type=float, default=5e-4, help="before it is multiplied by the batch")
    add("--ours-at", type=int, nargs="+", default=list(OURS_AT), metavar="STEP")
    add("--theirs-at", type=int, nargs="+", default=list(THEIRS_AT), metavar="STEP")
    add("--batch-steps", type=int, default=20, help="for one layer against four")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    for text in report(Bench(args), args):
        sys.stdout.write(text)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
