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
from collage_studio.evaluate.collages import BACKDROP, collage_of, object_id
from collage_studio.evaluate.hole_looks import (
    CLEAR,
    COLOUR,
    PLACED,
    HoleCounts,
    HoleLook,
    Judges,
    clear_share,
    hole_of,
    look_at,
    placed_share,
    shown,
)
from collage_studio.evaluate.layers import FEWEST_VISIBLE
from collage_studio.evaluate.metrics import mean_interval
from collage_studio.evaluate.places import without
from collage_studio.starter.render import render_background, render_lit
from collage_studio.starter.world import Scene
from collage_studio.writeback.hidden import bare_stack
from collage_studio.writeback.settling import Filling, with_filling
from collage_studio.writeback.stack import write_back

Fill = Callable[[FillRequest], list[Filled]]


@dataclass(frozen=True, slots=True)
class HoleScores:
    """The holes of one collage.

    Args:
        error: largest difference of the filled stack to the accepted picture, levels of 255.
        before, after: what is seen in the holes before and after they were filled.
        ideal: the same in the world's own rendering.
    """

    seed: int
    error: int
    before: HoleCounts
    after: HoleCounts
    ideal: HoleCounts


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
    scene: Scene, fill: Fill, judges: Judges, noise: float, settings: RunSettings
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
    masks = visible_masks(whole)
    looks: tuple[list[HoleLook], ...] = ([], [], [])
    for index, placed in enumerate(scene.objects):
        mask = masks[object_id(index)]
        if float(mask.sum()) < FEWEST_VISIBLE:
            continue
        if judges.objects.found(picture, [mask])[0] != placed.name:
            continue
        rest = without(scene, index)
        holes = [hole_of(stage, index, mask) for stage in (before, after)]
        holes.append((render_lit(rest, picture.shape[0]), holes[1][1]))
        for seen, (left, hole) in zip(looks, holes, strict=True):
            seen.append(look_at(judges, rest, left, mask, hole))
    made = composite_picture(harmonised_stack(after)).astype(int)
    error = int(np.abs(made - picture).max())
    scores = HoleScores(scene.seed, error, *(HoleCounts.of(seen) for seen in looks))
    truth = render_background(scene, picture.shape[0])
    return scores, np.hstack([picture, _ground(before), _ground(after), truth])


def _ground(document: Document) -> Picture:
    stack = bare_stack(document)
    ground = (layer for layer in stack.layers if not layer.id.startswith("object"))
    return composite_picture(stack.with_layers(*ground))


def holes_table(scores: list[HoleScores]) -> str:
    """The table of the documentation, with 95 % bootstrap intervals over collages."""
    stages = ([s.before for s in scores], [s.after for s in scores], [s.ideal for s in scores])
    colours = [mean_interval([one.colour for one in stage]) for stage in stages[:2]]
    rows = [
        ("Collages", [str(len(scores))] * 3),
        (PLACED, [shown(placed_share(stage)) for stage in stages]),
        (CLEAR, [shown(clear_share(stage)) for stage in stages]),
        (COLOUR, [*(shown(one, 1) for one in colours), ""]),
        (
            "Largest error of the filled stack, levels of 255",
            ["", str(max(s.error for s in scores)), ""],
        ),
    ]
    lines = [
        "| | continued from around | filled by the model | the world's own rendering |",
        "|---|---|---|---|",
        *(f"| {name} | {' | '.join(values)} |" for name, values in rows),
    ]
    return "\n".join(lines) + "\n"
