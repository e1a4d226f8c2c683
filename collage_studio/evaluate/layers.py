"""Measures what comes back to the layers: recomposition, outlines, moves without holes, change.

Two pictures of each held-out collage are given back to its layers: the world's own lit rendering,
whose outlines are known to be the cutouts', and what the engine makes of the collage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from collage_studio.cutout.matting import outline_band
from collage_studio.document.change import layer_change
from collage_studio.document.compositing import composite_picture
from collage_studio.document.edits import transform_layers
from collage_studio.document.geometry import Affine
from collage_studio.document.harmonised import harmonised_stack
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document
from collage_studio.engine.api import Picture
from collage_studio.engine.quality.judge import Judge
from collage_studio.evaluate.collages import collage_of, object_id
from collage_studio.evaluate.hole_looks import (
    CLEAR,
    COLOUR,
    IDEAL_CLEAR,
    IDEAL_PLACED,
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
from collage_studio.evaluate.metrics import Floats, Interval, mean_interval, ratio_interval
from collage_studio.evaluate.places import without
from collage_studio.starter.render import render_lit
from collage_studio.starter.world import Scene
from collage_studio.writeback.leaves import leaves_of, visible_shares
from collage_studio.writeback.outlines import band_width
from collage_studio.writeback.stack import write_back

MOVE = 0.25
"""By how much of the canvas a layer is moved."""
FEWEST_VISIBLE = 200.0
"""Pixels of an object that must be visible for it to count."""
PERTURBATIONS = (0, 2, 5, 10, 20, 40, 80)
"""Levels of tint of the known series that the measured change has to rank."""


@dataclass(frozen=True, slots=True)
class LayerScores:
    """One picture of one collage.

    Args:
        error: largest difference of the recomposed stack to the picture, in levels of 255.
        outline: sum of absolute alpha errors in the bands, and `band` how many px they have.
        moved: how many objects the judge names in the picture and was asked about again, `found`
            how many it named after the move.
        holes: what is seen where they were, `ideal` the same in the world's own rendering.
    """

    seed: int
    error: int
    outline: float
    band: int
    moved: int
    found: int
    holes: HoleCounts
    ideal: HoleCounts


def scene_of(seed: int) -> Scene:
    """Two to four objects."""
    return Scene.from_seed(seed, min_objects=2)


def measure(scene: Scene, picture: Picture, judges: Judges, noise: float) -> LayerScores:
    """Give `picture` (H, W, 3) back to the scene's collage and look at what has come of it."""
    document = collage_of(scene, noise=noise)
    written = write_back(document, picture)
    error = int(np.abs(composite_picture(harmonised_stack(written)).astype(int) - picture).max())
    outline, band = _outline_error(document, written)
    found, looks, ideal = 0, list[HoleLook](), list[HoleLook]()
    masks = visible_masks(document)
    for index, placed in enumerate(scene.objects):
        mask = masks[object_id(index)]
        if float(mask.sum()) < FEWEST_VISIBLE:
            continue
        seen = _after_move(scene, written, index, judges.objects)
        if seen is None or judges.objects.found(picture, [mask])[0] != placed.name:
            continue
        found += seen == placed.name
        rest, (left, hole) = without(scene, index), hole_of(written, index, mask)
        looks.append(look_at(judges, rest, left, mask, hole))
        ideal.append(look_at(judges, rest, render_lit(rest, picture.shape[0]), mask, hole))
    counted = (HoleCounts.of(looks), HoleCounts.of(ideal))
    return LayerScores(scene.seed, error, outline, band, len(looks), found, *counted)


def _outline_error(document: Document, written: Document) -> tuple[float, int]:
    """Alpha errors of the written-back layers against the cutouts' own, in a band round each."""
    shape = document.size.shape
    width = 2 * band_width(shape)
    leaves = leaves_of(document)
    shares = visible_shares(leaves, shape)
    found = visible_masks(harmonised_stack(written))
    total, count = 0.0, 0
    for leaf, share in zip(leaves, shares, strict=True):
        if not leaf.layer.id.startswith("object"):
            continue
        truth = np.zeros(shape, np.float32)
        truth[leaf.box.slices] = share
        band = outline_band(truth, width)
        total += float(np.abs(found[leaf.layer.id] - truth)[band].sum())
        count += int(band.sum())
    return total, count


def _after_move(scene: Scene, written: Document, index: int, judge: Judge) -> str | None:
    """What the judge sees of an object moved by a quarter of the canvas; None if it leaves it."""
    placed, side = scene.objects[index], written.size.width
    by = MOVE * side if placed.x < 0.5 else -MOVE * side
    move = Affine.translation(by, 0.0)
    moved = transform_layers(written, (object_id(index),), move)
    stack = harmonised_stack(moved)
    # The moved layer is looked at in front: what would hide it is not its own doing.
    front = [layer for layer in stack.layers if layer.id == object_id(index)]
    rest = [layer for layer in stack.layers if layer.id != object_id(index)]
    stack = stack.with_layers(*rest, *front)
    mask = visible_masks(stack)[object_id(index)]
    if float(mask.sum()) < FEWEST_VISIBLE:
        return None
    return judge.found(composite_picture(stack), [mask])[0]


def ranked_share(scene: Scene, noise: float) -> float:
    """Share of neighbouring steps of a known series of tints that the measured change ranks right.

    Every object is tinted more and more; its Delta E has to grow with each step, and be exactly 0
    where nothing was done.
    """
    document = collage_of(scene, noise=noise)
    before = composite_picture(document)
    masks = visible_masks(document)
    right, asked = 0, 0
    for index in range(len(scene.objects)):
        mask = masks[object_id(index)]
        if float(mask.sum()) < FEWEST_VISIBLE:
            continue
        tint = np.array([1.0, -0.4, -0.8], np.float32)
        series = [
            layer_change(before, _tinted(before, mask, level * tint), mask)
            for level in PERTURBATIONS
        ]
        values = [change.colour for change in series if change is not None]
        right += int(values[0] == 0.0) + sum(a < b for a, b in pairwise(values))
        asked += len(values)
    return right / max(asked, 1)


def _tinted(picture: Picture, mask: Floats, tint: Floats) -> Picture:
    return np.rint(np.clip(picture + mask[..., None] * tint, 0, 255)).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Summary:
    """All collages of one kind of picture.

    Args:
        outline: mean absolute alpha error in the bands.
        found: share of the moved objects.
        clear, placed, colour: of the holes; `ideal_clear` and `ideal_placed` are the judges' own
            shares on the world's rendering without the object.
    """

    title: str
    count: int
    worst_error: int
    outline: Interval
    found: Interval
    placed: Interval
    ideal_placed: Interval
    clear: Interval
    ideal_clear: Interval
    colour: Interval


def summarise(title: str, scores: Sequence[LayerScores]) -> Summary:
    """Means over collages with 95 % bootstrap intervals."""
    holes, ideal = [one.holes for one in scores], [one.ideal for one in scores]
    return Summary(
        title,
        len(scores),
        max(one.error for one in scores),
        ratio_interval([one.outline for one in scores], [float(one.band) for one in scores]),
        ratio_interval([float(one.found) for one in scores], [float(one.moved) for one in scores]),
        placed_share(holes),
        placed_share(ideal),
        clear_share(holes),
        clear_share(ideal),
        mean_interval([one.colour for one in holes]),
    )


def as_markdown(summaries: Sequence[Summary], ranked: Interval) -> str:
    """The table of the documentation."""
    rows = [
        ("Collages", [str(one.count) for one in summaries]),
        (
            "Largest error of the recomposed stack, levels of 255",
            [str(one.worst_error) for one in summaries],
        ),
        ("Mean alpha error in the outline's band", [shown(one.outline) for one in summaries]),
        ("Moved layers the judge still names", [shown(one.found) for one in summaries]),
        (PLACED, [shown(one.placed) for one in summaries]),
        (IDEAL_PLACED, [shown(one.ideal_placed) for one in summaries]),
        (CLEAR, [shown(one.clear) for one in summaries]),
        (IDEAL_CLEAR, [shown(one.ideal_clear) for one in summaries]),
        (COLOUR, [shown(one.colour, 1) for one in summaries]),
    ]
    lines = [
        "| | " + " | ".join(one.title for one in summaries) + " |",
        "|---|" + "---|" * len(summaries),
        *(f"| {name} | " + " | ".join(values) + " |" for name, values in rows),
        "",
        f"Steps of a known series of tints that Delta E ranks right: {shown(ranked)}.",
    ]
    return "\n".join(lines) + "\n"


def contact_row(scene: Scene, picture: Picture, noise: float) -> Picture:
    """Collage, accepted picture, ground alone, shadows, a layer moved: side by side."""
    document = collage_of(scene, noise=noise)
    written = write_back(document, picture)
    stack = harmonised_stack(written)
    ground = [layer for layer in stack.layers if not layer.id.startswith("object")]
    bare = [layer for layer in ground if not layer.id.startswith("written-back")]
    shading = [layer for layer in ground if layer.id.startswith("written-back")]
    paper = replace(stack.background, fill=(255, 255, 255, 255))
    last = object_id(len(scene.objects) - 1)
    by = MOVE if scene.objects[-1].x < 0.5 else -MOVE
    moved = transform_layers(written, (last,), Affine.translation(by * written.size.width, 0.0))
    return np.hstack(
        [
            composite_picture(document),
            picture,
            composite_picture(stack.with_layers(*bare)),
            composite_picture(replace(stack, layers=tuple(shading), background=paper)),
            composite_picture(harmonised_stack(moved)),
        ]
    )
