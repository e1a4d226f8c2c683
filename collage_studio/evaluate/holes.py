"""Measures Fill behind: backdrops that objects were cut out of, before and after the model fills.

The collage's backdrop has no pixels where its objects stand, as a photo has from which they were
cut. What is behind them is then known to the world alone, and the holes are held against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from collage_studio.document.compositing import composite_picture
from collage_studio.document.harmonised import harmonised_stack
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, Raster, Variation
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.engine.api import Filled, FillRequest, Picture
from collage_studio.engine.quality.judge import NOTHING, Judge
from collage_studio.evaluate.collages import BACKDROP, collage_of, object_id
from collage_studio.evaluate.layers import FEWEST_VISIBLE, distance_to, hole_of, others_in
from collage_studio.evaluate.metrics import Interval, mean_interval, ratio_interval
from collage_studio.starter.render import render_background, render_lit
from collage_studio.starter.world import Scene
from collage_studio.writeback.hidden import bare_stack
from collage_studio.writeback.settling import Filling, with_filling
from collage_studio.writeback.stack import write_back

Fill = Callable[[FillRequest], list[Filled]]


@dataclass(frozen=True, slots=True)
class HoleScores:
    """The holes of one collage before and after they were filled.

    Args:
        error: largest difference of the filled stack to the accepted picture, levels of 255.
        asked: holes; `clear` those in which the judge sees nothing of what was there.
        colour: mean distance (0..441) to the world's own background, before and after.
    """

    seed: int
    error: int
    asked: int
    clear: tuple[int, int]
    colour: tuple[float, float]


def cut_out_of(document: Document) -> Document:
    """The collage with a backdrop that has no pixels where its objects stand."""
    backdrop = document.layers[0]
    assert backdrop.id == BACKDROP
    assert backdrop.raster is not None
    gone = visible_masks(document)[BACKDROP] < 0.5
    pixels = backdrop.raster.pixels.copy()
    pixels[gone] = 0
    return document.with_layers(replace(backdrop, raster=Raster(pixels)), *document.layers[1:])


def measure_holes(
    scene: Scene, fill: Fill, judge: Judge, noise: float, settings: RunSettings
) -> tuple[HoleScores, Picture]:
    """Fill the holes of one collage; also the picture, the ground before, after, and truth."""
    whole, picture = collage_of(scene, noise=noise), render_lit(scene)
    document = replace(cut_out_of(whole), settings=settings)
    recipe = Recipe("harmonise", scene.seed, settings, "")
    accepted = Variation("lit", 1, Raster.from_rgb(picture), recipe)
    before = write_back(replace(document, accepted=accepted), picture, accepted.id)
    after = before
    for found in fill(FillRequest(before, (), scene.seed, settings)):
        filling = Filling(found.layer_id, Raster(found.pixels), found.placement)
        after = with_filling(after, filling)
    masks, truth = visible_masks(whole), render_background(scene, picture.shape[0])
    asked, clear, colours = 0, [0, 0], ([], [])
    for index, placed in enumerate(scene.objects):
        mask = masks[object_id(index)]
        if float(mask.sum()) < FEWEST_VISIBLE or judge.found(picture, [mask])[0] != placed.name:
            continue
        asked += 1
        for place, stage in enumerate((before, after)):
            hole, empty = hole_of(stage, index, mask)
            right = (NOTHING, *others_in(scene, placed.name))
            clear[place] += judge.found(hole, [mask])[0] in right
            if empty.any():
                colours[place].append(distance_to(hole, truth, empty))
    made = composite_picture(harmonised_stack(after)).astype(int)
    means = [float(np.mean(part)) if part else float("nan") for part in colours]
    scores = HoleScores(
        scene.seed,
        int(np.abs(made - picture).max()),
        asked,
        (clear[0], clear[1]),
        (means[0], means[1]),
    )
    return scores, np.hstack([picture, _ground(before), _ground(after), truth])


def _ground(document: Document) -> Picture:
    stack = bare_stack(document)
    ground = (layer for layer in stack.layers if not layer.id.startswith("object"))
    return composite_picture(stack.with_layers(*ground))


def holes_table(scores: list[HoleScores]) -> str:
    """The table of the documentation, with 95 % bootstrap intervals over collages."""

    def shown(interval: Interval, digits: int) -> str:
        low, high = (f"{end:.{digits}f}" for end in (interval.low, interval.high))
        return f"{interval.value:.{digits}f} [{low}, {high}]"

    asked = [float(one.asked) for one in scores]
    clear = [ratio_interval([float(one.clear[i]) for one in scores], asked) for i in (0, 1)]
    colour = [mean_interval([one.colour[i] for one in scores]) for i in (0, 1)]
    lines = [
        "| | continued from around | filled by the model |",
        "|---|---|---|",
        f"| Collages | {len(scores)} | {len(scores)} |",
        "| Holes in which the judge sees nothing of what was there | "
        + " | ".join(shown(one, 3) for one in clear)
        + " |",
        "| Colour distance of holes to the true background, 0 to 441 | "
        + " | ".join(shown(one, 1) for one in colour)
        + " |",
        f"| Largest error of the filled stack, levels of 255 | | {max(s.error for s in scores)} |",
    ]
    return "\n".join(lines) + "\n"
