"""Measures what comes back to the layers: recomposition, outlines, moves without holes, change.

Two pictures of each held-out collage are given back to its layers: the world's own lit rendering,
whose outlines are known to be the cutouts', and what the engine makes of the collage.
"""

from __future__ import annotations

import math
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
from collage_studio.engine.quality.judge import NOTHING, Judge
from collage_studio.evaluate.collages import collage_of, object_id
from collage_studio.evaluate.metrics import Floats, Interval, mean_interval, ratio_interval
from collage_studio.starter.render import render_background
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
            how many it named after the move, `clear` at how many of the holes it saw nothing.
        hole_colour: mean RGB distance (0..441) of the holes to the world's own background.
    """

    seed: int
    error: int
    outline: float
    band: int
    moved: int
    found: int
    clear: int
    hole_colour: float


def scene_of(seed: int) -> Scene:
    """Two to four objects."""
    return Scene.from_seed(seed, min_objects=2)


def measure(scene: Scene, picture: Picture, judge: Judge, noise: float) -> LayerScores:
    """Give `picture` (H, W, 3) back to the scene's collage and look at what has come of it."""
    document = collage_of(scene, noise=noise)
    written = write_back(document, picture)
    error = int(np.abs(composite_picture(harmonised_stack(written)).astype(int) - picture).max())
    outline, band = _outline_error(document, written)
    asked, found, clear, distances = 0, 0, 0, list[float]()
    background = render_background(scene, picture.shape[0])
    masks = visible_masks(document)
    for index, placed in enumerate(scene.objects):
        mask = masks[object_id(index)]
        if float(mask.sum()) < FEWEST_VISIBLE:
            continue
        seen = _after_move(scene, written, index, judge)
        if seen is None or judge.found(picture, [mask])[0] != placed.name:
            continue
        asked += 1
        found += seen == placed.name
        hole, empty = hole_of(written, index, mask)
        clear += judge.found(hole, [mask])[0] in (NOTHING, *others_in(scene, placed.name))
        if empty.any():
            distances.append(distance_to(hole, background, empty))
    mean = float(np.mean(distances)) if distances else math.nan
    return LayerScores(scene.seed, error, outline, band, asked, found, clear, mean)


def others_in(scene: Scene, name: str) -> tuple[str, ...]:
    """What may rightly be seen where an object was: the other objects of the scene."""
    return tuple(one.name for one in scene.objects if one.name != name)


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


def hole_of(written: Document, index: int, mask: Floats) -> tuple[Picture, Floats]:
    """The stack without an object and its shadow, and where nothing else lies in its place."""
    stack = harmonised_stack(replace(written, beside=()))
    rest = [layer for layer in stack.layers if layer.id != object_id(index)]
    without = stack.with_layers(*rest)
    masks = visible_masks(without)
    others = np.zeros_like(mask)
    for layer in rest:
        if layer.id.startswith("object"):
            others += masks[layer.id]
    return composite_picture(without), (mask * (others < 0.01)).astype(np.float32)


def distance_to(picture: Picture, truth: Picture, where: Floats) -> float:
    lengths = np.linalg.norm(picture.astype(np.float32) - truth, axis=2)
    return float((lengths * where).sum() / where.sum())


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
        found, clear: shares of the moved objects. ranked: see `ranked_share`.
    """

    title: str
    count: int
    worst_error: int
    outline: Interval
    found: Interval
    clear: Interval
    hole_colour: Interval


def summarise(title: str, scores: Sequence[LayerScores]) -> Summary:
    """Means over collages with 95 % bootstrap intervals."""
    moved = [float(one.moved) for one in scores]
    return Summary(
        title,
        len(scores),
        max(one.error for one in scores),
        ratio_interval([one.outline for one in scores], [float(one.band) for one in scores]),
        ratio_interval([float(one.found) for one in scores], moved),
        ratio_interval([float(one.clear) for one in scores], moved),
        mean_interval([one.hole_colour for one in scores]),
    )


def as_markdown(summaries: Sequence[Summary], ranked: Interval) -> str:
    """The table of the documentation."""

    def shown(interval: Interval, digits: int = 3) -> str:
        low, high = (f"{end:.{digits}f}" for end in (interval.low, interval.high))
        return f"{interval.value:.{digits}f} [{low}, {high}]"

    rows = [
        ("Collages", [str(one.count) for one in summaries]),
        (
            "Largest error of the recomposed stack, levels of 255",
            [str(one.worst_error) for one in summaries],
        ),
        ("Mean alpha error in the outline's band", [shown(one.outline) for one in summaries]),
        ("Moved layers the judge still names", [shown(one.found) for one in summaries]),
        ("Holes in which it sees nothing of them", [shown(one.clear) for one in summaries]),
        (
            "Colour distance of holes to the true background, 0 to 441",
            [shown(one.hole_colour, 1) for one in summaries],
        ),
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
