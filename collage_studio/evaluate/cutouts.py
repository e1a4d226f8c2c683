"""How well cutting out works: alphas from strokes and re-matting against the world's true ones.

Torch-free. The pictures are the world's lit renderings, contact shadows included; the object to
cut out is the one with the largest visible part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.cutout.matting import outline_band, rematte
from collage_studio.cutout.scribbles import cut_out, rectangle_grabcut
from collage_studio.evaluate.cutout_strokes import (
    box_around,
    line_beside,
    loop_around,
    object_stroke,
)
from collage_studio.evaluate.metrics import Interval, mean_interval, ratio_interval
from collage_studio.starter.render import render_lit, visible_masks
from collage_studio.starter.world import HELD_OUT_FROM, Scene

Alpha = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]
RECTANGLE, LOOP, OPEN = "rectangle", "loop", "open"
HARD, REMATTED, KEPT = "hard", "rematted", "kept"
WAYS = {
    RECTANGLE: "Rectangle GrabCut at 512 px",
    LOOP: "Two strokes: one on the object, one around it",
    OPEN: "Two strokes: one on the object, one open line on the backdrop",
    HARD: "1-bit mask of half the resolution",
    REMATTED: "The same, re-matted",
    KEPT: "The true mask, re-matted",
}
BAND_SHARE = 6 / 1024
REMATTE_SHARE = 8 / 1024


@dataclass(frozen=True, slots=True)
class Subject:
    """A picture and the true alpha of the object to cut out."""

    seed: int
    name: str
    lighting: str
    picture: Picture
    truth: Alpha


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way of cutting out on one picture.

    Args:
        area: sum of |alpha - truth| as a share of the object's own area.
        band: mean |alpha - truth| near the true outline.
        seconds: of processor time, all threads together.
    """

    area: float
    band: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All ways on one picture."""

    subject: Subject
    outcomes: dict[str, Outcome]
    alphas: dict[str, Alpha] = field(repr=False)


def subject_of(seed: int, size: int = 1024) -> Subject:
    """The picture of a held-out scene; the object with the largest visible part is cut out."""
    if seed < HELD_OUT_FROM:
        raise ValueError(f"Scene {seed} is not held out; seeds from {HELD_OUT_FROM} on are.")
    scene = Scene.from_seed(seed)
    masks = visible_masks(scene, size)
    index = int(np.argmax(masks[:-1].sum(axis=(1, 2))))
    truth = masks[index].astype(np.float32)
    return Subject(seed, scene.objects[index].name, scene.lighting, render_lit(scene, size), truth)


def measure(subject: Subject) -> Measured:
    """Cut the subject out in every way."""
    outcomes, alphas = dict[str, Outcome](), dict[str, Alpha]()
    for way, work in _ways(subject).items():
        began = time.process_time()
        alphas[way] = work()
        seconds = time.process_time() - began
        outcomes[way] = _compared(alphas[way], subject.truth, seconds)
    return Measured(subject, outcomes, alphas)


def _ways(subject: Subject) -> dict[str, Callable[[], Alpha]]:
    picture, truth = subject.picture, subject.truth
    stroke, loop, line = object_stroke(truth), loop_around(truth), line_beside(truth)
    box, band = box_around(truth), REMATTE_SHARE * max(truth.shape)
    hard = half_resolution(truth)
    return {
        RECTANGLE: lambda: rectangle_grabcut(picture, box),
        LOOP: lambda: cut_out(picture, [stroke, loop]),
        OPEN: lambda: cut_out(picture, [stroke, line]),
        HARD: lambda: hard,
        REMATTED: lambda: rematte(picture, hard, band),
        KEPT: lambda: rematte(picture, truth, band),
    }


def half_resolution(truth: Alpha) -> Alpha:
    """The alpha as a mask of 0 and 1 at half the resolution, brought back to full size."""
    height, width = truth.shape
    small = cv2.resize(truth, (width // 2, height // 2), interpolation=cv2.INTER_AREA) >= 0.5
    bits = small.astype(np.float32)
    return cv2.resize(bits, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.float32)


def _compared(alpha: Alpha, truth: Alpha, seconds: float) -> Outcome:
    wrong = np.abs(alpha - truth)
    near = outline_band(truth, max(2.0, BAND_SHARE * max(truth.shape)))
    return Outcome(float(wrong.sum() / truth.sum()), float(wrong[near].mean()), round(seconds, 3))


def areas(runs: Sequence[Measured], way: str) -> Interval:
    """Mean wrong area."""
    return mean_interval([run.outcomes[way].area for run in runs])


def bands(runs: Sequence[Measured], way: str) -> Interval:
    """Mean error near the outline."""
    return mean_interval([run.outcomes[way].band for run in runs])


def share_of_rectangle(runs: Sequence[Measured], way: str) -> Interval:
    """The way's wrong area divided by rectangle GrabCut's, over all pictures."""
    return ratio_interval(
        [run.outcomes[way].area for run in runs], [run.outcomes[RECTANGLE].area for run in runs]
    )


def as_json(runs: Sequence[Measured], size: int) -> dict[str, Any]:
    """Everything that was measured."""
    return {
        "size": size,
        "ways": {
            way: {
                "area": asdict(areas(runs, way)),
                "band": asdict(bands(runs, way)),
                "of_rectangle": asdict(share_of_rectangle(runs, way)),
            }
            for way in WAYS
        },
        "pictures": [
            {
                "seed": run.subject.seed,
                "object": run.subject.name,
                "lighting": run.subject.lighting,
                **{way: asdict(outcome) for way, outcome in run.outcomes.items()},
            }
            for run in runs
        ],
    }


def as_markdown(runs: Sequence[Measured], size: int) -> str:
    """The table of the page."""
    seeds = [run.subject.seed for run in runs]
    lines = [
        f"{len(runs)} held-out pictures of {size} x {size} px, seeds {min(seeds):,} to "
        f"{max(seeds):,}. Means with 95 % bootstrap intervals over pictures; "
        "seconds are medians of processor time, all threads together.",
        "",
        "| | Wrong area, of the object | Of rectangle GrabCut's | Error near the outline | s |",
        "|---|---|---|---|---|",
    ]
    for way, words in WAYS.items():
        seconds = float(np.median([run.outcomes[way].seconds for run in runs]))
        cells = [_cell(areas(runs, way)), "", _cell(bands(runs, way)), ""]
        if way in {LOOP, OPEN}:
            cells[1] = _cell(share_of_rectangle(runs, way))
        if way is not HARD:
            cells[3] = f"{seconds:.1f}"
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def contact_sheet(runs: Sequence[Measured], tile: int = 160) -> Picture:
    """One row per picture: strokes, truth, then the alpha of each way of cutting out."""
    shown = (RECTANGLE, LOOP, OPEN)
    heads = ["strokes", "truth", "rectangle", "stroke and loop", "two open strokes"]
    gap, head = 4, 26
    width = (2 + len(shown)) * (tile + gap) + gap
    sheet = np.full((head + len(runs) * (tile + gap), width, 3), 24, np.uint8)
    for column, words in enumerate(heads):
        place = (gap + column * (tile + gap), 18)
        cv2.putText(
            sheet, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (230, 230, 230), 1, cv2.LINE_AA
        )
    for row, run in enumerate(runs):
        tiles = [_with_strokes(run.subject), _grey(run.subject.truth)]
        tiles += [_grey(run.alphas[way]) for way in shown]
        for column, picture in enumerate(tiles):
            top, left = head + row * (tile + gap), gap + column * (tile + gap)
            small = cv2.resize(picture, (tile, tile), interpolation=cv2.INTER_AREA)
            sheet[top : top + tile, left : left + tile] = small
    return sheet


def _grey(alpha: Alpha) -> Picture:
    return np.repeat(np.round(alpha * 255).astype(np.uint8)[..., None], 3, axis=2)


def _with_strokes(subject: Subject) -> Picture:
    picture = subject.picture.copy()
    drawn = (
        (object_stroke(subject.truth), (80, 230, 120)),
        (loop_around(subject.truth), (240, 70, 70)),
        (line_beside(subject.truth), (250, 180, 60)),
    )
    for scribble, colour in drawn:
        points = np.round(np.array(scribble.points)).astype(np.int32)
        cv2.polylines(picture, [points], isClosed=False, color=colour, thickness=6)
    return picture
