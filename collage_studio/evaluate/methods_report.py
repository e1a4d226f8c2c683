"""What the comparison of methods found: means and paired differences with intervals, as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from collage_studio.engine.api import Picture
from collage_studio.evaluate.claims import Comparison as Claim
from collage_studio.evaluate.columns import picked_sum
from collage_studio.evaluate.comparing import PLAIN, TITLES, TRUTH, Compared, MethodsPlan
from collage_studio.evaluate.layout_scores import LayoutScores
from collage_studio.evaluate.layouts import Layout, layout_document, layout_picture
from collage_studio.evaluate.metrics import Interval, mean_interval, ratio_interval
from collage_studio.evaluate.report import cell, claim_rows
from collage_studio.evaluate.scores import without_nan

Pick = Callable[[LayoutScores], Sequence[bool]]


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


ROWS: dict[str, tuple[str, Callable[[Sequence[LayoutScores]], Interval]]] = {
    "accuracy": ("Object accuracy", lambda column: share_of(column, "right")),
    "accuracy_boxes": ("Object accuracy, boxes", lambda column: share_of(column, "right", _boxes)),
    "accuracy_shapes": (
        "Object accuracy, shapes",
        lambda column: share_of(column, "right", _shapes),
    ),
    "overlap": ("IoU", lambda column: share_of(column, "overlap")),
    "elsewhere": ("Wrong place", lambda column: share_of(column, "elsewhere")),
    "neighbour": ("Leakage", lambda column: share_of(column, "neighbour")),
    "clip_words": ("CLIP, region and words", lambda column: share_of(column, "clip_words")),
    "seconds": (
        "Seconds a picture",
        lambda column: mean_interval([scores.seconds for scores in column]),
    ),
}
"""Every row of the table: its heading, and how it is measured."""


def title_of(key: str) -> str:
    """How a table heads a method."""
    return TITLES.get(key, key)


def accuracy_gain(upper: Sequence[LayoutScores], lower: Sequence[LayoutScores]) -> Interval:
    """By how much more regions show the right object, paired by layout."""
    gains = [
        picked_sum(u.right, u.counts) - picked_sum(v.right, v.counts)
        for u, v in zip(upper, lower, strict=True)
    ]
    return ratio_interval(gains, [float(sum(scores.counts)) for scores in lower])


def claims_of(plan: MethodsPlan, runs: Sequence[Compared]) -> list[Claim]:
    """Each method against plain text-to-image."""
    plain = [run.scores[PLAIN] for run in runs]
    found = list[Claim]()
    for key in plan.keys:
        if key not in (PLAIN, TRUTH):
            gain = accuracy_gain([run.scores[key] for run in runs], plain)
            claim = f"{title_of(key)} raises object accuracy over plain text-to-image"
            found.append(Claim(claim, gain, gain.is_above_zero))
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
    settings = plan.settings
    regions = sum(sum(run.scores[PLAIN].counts) for run in runs)
    lines = [
        f"{len(runs)} held-out layouts with {regions} regions that count, seeds "
        f"{plan.seeds.start:,} to {plan.seeds.stop - 1:,}; {settings.sampler}, {settings.steps} "
        f"steps, guidance {settings.guidance:g}, model {settings.model}; Collage Diffusion with w+ "
        f"{plan.words_in:g} and w- {plan.words_out:g}, the other methods as published. Means with "
        "95 % bootstrap intervals over layouts.",
        "",
        "| | " + " | ".join(title_of(key) for key in plan.keys) + " |",
        "|---|" + "---|" * len(plan.keys),
    ]
    for name, figures in _rows(plan, runs).items():
        cells = " | ".join(cell(figure) for figure in figures.values())
        lines.append(f"| {ROWS[name][0]} | {cells} |")
    lines += ["", *claim_rows(claims_of(plan, runs))]
    return "\n".join(lines) + "\n"


def methods_sheet(
    plan: MethodsPlan, runs: Sequence[Compared]
) -> tuple[list[str], list[list[Picture]]]:
    """Headings and rows of a contact sheet: the layout, each method's picture, the truth."""
    headings = ["layout", *(title_of(key) for key in plan.keys)]
    rows = [
        [
            layout_picture(layout_document(Layout.from_seed(run.seed))),
            *(run.pictures[key] for key in plan.keys),
        ]
        for run in runs
        if set(plan.keys) <= run.pictures.keys()
    ]
    return headings, rows
