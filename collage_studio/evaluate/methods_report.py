"""What the comparison of methods found: means and paired differences with intervals, as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from collage_studio.engine.api import Picture
from collage_studio.evaluate.claims import Comparison as Claim
from collage_studio.evaluate.columns import picked_sum
from collage_studio.evaluate.comparing import NAMES_ALONE, PLAIN, WAYS, Compared, MethodsPlan
from collage_studio.evaluate.layout_scores import LayoutScores
from collage_studio.evaluate.layouts import Layout, layout_document, layout_picture
from collage_studio.evaluate.metrics import Interval, mean_interval, ratio_interval
from collage_studio.evaluate.report import cell, claim_rows
from collage_studio.evaluate.scores import without_nan

Pick = Callable[[LayoutScores], Sequence[bool]]
TRAINED = "rich_context"


def _counted(scores: LayoutScores) -> Sequence[bool]:
    return scores.counts


def _boxes(scores: LayoutScores) -> Sequence[bool]:
    return [count and box for count, box in zip(scores.counts, scores.boxes, strict=True)]


def _shapes(scores: LayoutScores) -> Sequence[bool]:
    return [count and not box for count, box in zip(scores.counts, scores.boxes, strict=True)]


def share_of(column: Sequence[LayoutScores], name: str, pick: Pick = _counted) -> Interval:
    """Mean of a score over the counting regions, collages drawn whole."""
    told = [scores for scores in column if getattr(scores, name)]
    return ratio_interval(
        [picked_sum(getattr(scores, name), pick(scores)) for scores in told],
        [float(sum(pick(scores))) for scores in told],
    )


def _scored(scores: LayoutScores) -> Sequence[bool]:
    return [count and fit for count, fit in zip(scores.counts, scores.scored, strict=True)]


def _of_pictures(column: Sequence[LayoutScores], name: str) -> Interval:
    """As the published metrics are averaged: over a picture's objects, then over pictures."""
    means = list[float]()
    for scores in column:
        pairs = zip(getattr(scores, name), scores.scored, strict=False)
        told = [value for value, fits in pairs if fits and not math.isnan(value)]
        if told:
            means.append(sum(told) / len(told))
    return mean_interval(means)


ROWS: dict[str, tuple[str, Callable[[Sequence[LayoutScores]], Interval]]] = {
    "accuracy": ("Region accuracy", lambda column: share_of(column, "right")),
    "accuracy_boxes": ("Region accuracy, boxes", lambda column: share_of(column, "right", _boxes)),
    "accuracy_shapes": (
        "Region accuracy, shapes",
        lambda column: share_of(column, "right", _shapes),
    ),
    "overlap": ("IoU", lambda column: share_of(column, "overlap", _scored)),
    "chance": ("Judge's probability", lambda column: share_of(column, "chance", _scored)),
    "elsewhere": ("Wrong place", lambda column: share_of(column, "elsewhere")),
    "neighbour": ("Leakage", lambda column: share_of(column, "neighbour")),
    "crop_clip": ("CropCLIP", lambda column: _of_pictures(column, "crop_clip")),
    "sam_iou": ("SAMIoU", lambda column: _of_pictures(column, "sam_iou")),
    "seconds": (
        "Processor seconds a picture",
        lambda column: mean_interval([scores.seconds for scores in column]),
    ),
}
"""Every row of the table: its heading, and how it is measured."""


def title_of(key: str) -> str:
    """How a table heads a method."""
    return WAYS[key].title if key in WAYS else key.capitalize()


def gain(
    upper: Sequence[LayoutScores], lower: Sequence[LayoutScores], name: str, pick: Pick = _counted
) -> Interval:
    """By how much more `upper` has of a score than `lower`, a region, paired by layout."""
    chosen = [pick(scores) for scores in lower]
    gains = [
        picked_sum(getattr(u, name), mine) - picked_sum(getattr(v, name), mine)
        for u, v, mine in zip(upper, lower, chosen, strict=True)
    ]
    return ratio_interval(gains, [float(sum(mine)) for mine in chosen])


def claims_of(plan: MethodsPlan, runs: Sequence[Compared]) -> list[Claim]:
    """Each method against plain text-to-image, and the trained one against all others."""
    columns = {key: [run.scores[key] for run in runs] for key in plan.keys}
    found = list[Claim]()
    for key in plan.keys[1:-1]:
        more = gain(columns[key], columns[PLAIN], "right")
        claim = f"{title_of(key)} raises region accuracy over plain text-to-image"
        found.append(Claim(claim, more, more.is_above_zero))
    if TRAINED not in columns:
        return found
    for key in plan.keys[1:-1]:
        if key == TRAINED:
            continue
        for name, what, pick in (
            ("right", "region accuracy", _counted),
            ("overlap", "IoU", _scored),
        ):
            more = gain(columns[TRAINED], columns[key], name, pick)
            claim = f"Rich context, trained, raises {what} over {title_of(key)}"
            found.append(Claim(claim, more, more.is_above_zero))
    return found


def _rows(plan: MethodsPlan, runs: Sequence[Compared]) -> dict[str, dict[str, Interval]]:
    columns = {key: [run.scores[key] for run in runs] for key in plan.keys}
    rows = {
        name: {key: measure(column) for key, column in columns.items()}
        for name, (_, measure) in ROWS.items()
    }
    return {n: figures for n, figures in rows.items() if any(f.count for f in figures.values())}


def methods_json(plan: MethodsPlan, runs: Sequence[Compared], seconds: float) -> dict[str, Any]:
    """Everything: plan, figures by row and method, claims, and each layout's scores."""
    return without_nan(
        {
            "plan": {**asdict(plan), "seeds": [plan.seeds.start, plan.seeds.stop]},
            "seconds": round(seconds, 1),
            "rows": {
                name: {key: asdict(figure) for key, figure in figures.items()}
                for name, figures in _rows(plan, runs).items()
            },
            "claims": [asdict(claim) for claim in claims_of(plan, runs)],
            "layouts": [run.scores[key].as_json() for run in runs for key in plan.keys],
        }
    )


def methods_markdown(plan: MethodsPlan, runs: Sequence[Compared]) -> str:
    """The tables of means and claims."""
    settings, found = plan.settings, _rows(plan, runs)
    regions = sum(sum(run.scores[PLAIN].counts) for run in runs)
    lines = [
        f"{len(runs)} held-out layouts with {regions} regions that count, seeds "
        f"{plan.seeds.start:,} to {plan.seeds.stop - 1:,}; {settings.sampler}, {settings.steps} "
        f"steps, guidance {settings.guidance:g}, model {settings.model}; Collage Diffusion with w+ "
        f"{plan.words_in:g} and w- {plan.words_out:g}, the other methods at their defaults. Means "
        "with 95 % bootstrap intervals over layouts.",
        "",
        "| | " + " | ".join(ROWS[name][0] for name in found) + " |",
        "|---|" + "---|" * len(found),
    ]
    for key in plan.keys:
        cells = " | ".join(cell(figures[key]) for figures in found.values())
        lines.append(f"| {title_of(key)} | {cells} |")
    lines += ["", *claim_rows(claims_of(plan, runs))]
    return "\n".join(lines) + "\n"


def methods_sheet(
    plan: MethodsPlan, runs: Sequence[Compared]
) -> tuple[list[str], list[list[Picture]]]:
    """Headings and rows of a contact sheet: the layout, each method's picture, the truth."""
    keys = [key for key in plan.keys if not key.endswith(NAMES_ALONE)]
    headings = ["layout", *(title_of(key) for key in keys)]
    rows = [
        [
            layout_picture(layout_document(Layout.from_seed(run.seed))),
            *(run.pictures[key] for key in keys),
        ]
        for run in runs
        if set(keys) <= run.pictures.keys()
    ]
    return headings, rows
