"""What the ladder found: means and paired differences with intervals, as JSON, table and sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from collage_studio.engine.api import Picture
from collage_studio.evaluate.ladder import Climbed, Rung, Scores
from collage_studio.evaluate.metrics import (
    Interval,
    closed_interval,
    mean_interval,
    ratio_interval,
)
from collage_studio.evaluate.plan import Plan

Column = Callable[[Sequence[Climbed], Rung], Interval]
Pick = Callable[[Scores], Sequence[bool]]


def _counted(scores: Scores) -> Sequence[bool]:
    return scores.counts


def _kept(scores: Scores) -> Sequence[bool]:
    return [count and kept for count, kept in zip(scores.counts, scores.kept, strict=True)]


def _sum_of(values: Sequence[float], chosen: Sequence[bool]) -> float:
    return float(sum(value for value, is_chosen in zip(values, chosen, strict=True) if is_chosen))


def placement(runs: Sequence[Climbed], rung: Rung) -> Interval:
    """Fraction of objects that the judge finds in their place."""
    scores = [run.scores[rung] for run in runs]
    return ratio_interval(
        [float(sum(s.found)) for s in scores], [float(sum(s.counts)) for s in scores]
    )


def _appearance_of(pick: Pick) -> Column:
    def column(runs: Sequence[Climbed], rung: Rung) -> Interval:
        scores = [run.scores[rung] for run in runs]
        sums = [_sum_of(s.appearance, pick(s)) for s in scores]
        return ratio_interval(sums, [float(sum(pick(s))) for s in scores])

    return column


def _closed_in(zone: str) -> Column:
    def column(runs: Sequence[Climbed], rung: Rung) -> Interval:
        pasted = [float(getattr(run.scores[Rung.PASTE], zone)) for run in runs]
        return closed_interval([float(getattr(run.scores[rung], zone)) for run in runs], pasted)

    return column


def backdrop_drift(runs: Sequence[Climbed], rung: Rung) -> Interval:
    """Mean colour distance to the truth away from objects and shadows; pasting has none."""
    return mean_interval([run.scores[rung].backdrop for run in runs])


COLUMNS: dict[str, Column] = {
    "placement": placement,
    "appearance": _appearance_of(_counted),
    "appearance_kept": _appearance_of(_kept),
    "harmony_objects": _closed_in("objects"),
    "harmony_others": _closed_in("others"),
    "harmony_shadows": _closed_in("shadows"),
    "backdrop_drift": backdrop_drift,
}

HEADINGS = {
    "placement": "Placement",
    "appearance": "Appearance",
    "appearance_kept": "Appearance, kept layers",
    "harmony_objects": "Harmony, objects",
    "harmony_others": "Harmony, other objects",
    "harmony_shadows": "Harmony, shadows",
    "backdrop_drift": "Backdrop drift",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A claim about two rungs: the paired difference and whether the claim holds."""

    claim: str
    difference: Interval
    holds: bool


def _placement_gain(runs: Sequence[Climbed], upper: Rung, lower: Rung) -> Interval:
    gains = [float(sum(r.scores[upper].found) - sum(r.scores[lower].found)) for r in runs]
    return ratio_interval(gains, [float(sum(r.scores[lower].counts)) for r in runs])


def _appearance_gain(runs: Sequence[Climbed], upper: Rung, lower: Rung) -> Interval:
    chosen = [_kept(run.scores[lower]) for run in runs]
    gains = [
        _sum_of(run.scores[upper].appearance, kept) - _sum_of(run.scores[lower].appearance, kept)
        for run, kept in zip(runs, chosen, strict=True)
    ]
    return ratio_interval(gains, [float(sum(kept)) for kept in chosen])


def _harmony_gain(runs: Sequence[Climbed], upper: Rung, lower: Rung, zone: str) -> Interval:
    gains = [
        float(getattr(run.scores[lower], zone) - getattr(run.scores[upper], zone)) for run in runs
    ]
    return ratio_interval(gains, [float(getattr(run.scores[Rung.PASTE], zone)) for run in runs])


def comparisons(runs: Sequence[Climbed]) -> list[Comparison]:
    """The ladder's claims, each on paired differences with its 95 % interval."""
    closed = _closed_in("objects")(runs, Rung.GH)
    placed = _placement_gain(runs, Rung.CA, Rung.GH)
    kept = _appearance_gain(runs, Rung.LN, Rung.CA)
    others = _harmony_gain(runs, Rung.LN, Rung.CA, "others")
    shadows = _harmony_gain(runs, Rung.LN, Rung.CA, "shadows")
    return [
        Comparison(
            "GH closes at least half of the distance between paste-only and truth on the objects",
            closed,
            closed.low >= 0.5,
        ),
        Comparison("CA raises placement over GH", placed, placed.is_above_zero),
        Comparison("LN raises appearance of the kept layers over CA", kept, kept.is_above_zero),
        Comparison("LN loses no harmony on the other objects", others, others.high >= 0.0),
        Comparison("LN loses no harmony in the shadows", shadows, shadows.high >= 0.0),
    ]


def as_json(plan: Plan, runs: Sequence[Climbed], seconds: float) -> dict[str, Any]:
    """Everything: plan, columns by rung, claims, and each collage's scores."""
    return _plain(
        {
            "plan": {**asdict(plan), "seeds": [plan.seeds.start, plan.seeds.stop]},
            "seconds": round(seconds, 1),
            "rungs": {
                str(rung): {name: asdict(column(runs, rung)) for name, column in COLUMNS.items()}
                for rung in Rung
            },
            "claims": [asdict(comparison) for comparison in comparisons(runs)],
            "collages": [asdict(scores) for run in runs for scores in run.scores.values()],
        }
    )


def _plain(value: Any) -> Any:
    """JSON has no NaN: undefined becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _cell(interval: Interval) -> str:
    if interval.count == 0:
        return "n/a"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def as_markdown(plan: Plan, runs: Sequence[Climbed]) -> str:
    """The tables of means and claims."""
    lines = [
        f"{len(runs)} held-out collages, seeds {plan.seeds.start:,} to {plan.seeds.stop - 1:,}; "
        f"noise {plan.noise:g}, kept layers {plan.kept_noise:g} on {Rung.LN}; "
        f"w+ {plan.words_in:g}, w- {plan.words_out:g}; "
        f"{plan.settings.sampler}, {plan.settings.steps} steps, guidance "
        f"{plan.settings.guidance:g}, model {plan.settings.model}. "
        "Means with 95 % bootstrap intervals over collages.",
        "",
        "| | " + " | ".join(str(rung) for rung in Rung) + " |",
        "|---|" + "---|" * len(Rung),
    ]
    for name, column in COLUMNS.items():
        cells = " | ".join(_cell(column(runs, rung)) for rung in Rung)
        lines.append(f"| {HEADINGS[name]} | {cells} |")
    lines += ["", "| Claim | Paired figure | Holds |", "|---|---|---|"]
    lines += [
        f"| {c.claim} | {_cell(c.difference)} | {'yes' if c.holds else 'no'} |"
        for c in comparisons(runs)
    ]
    return "\n".join(lines) + "\n"


def contact_sheet(runs: Sequence[Climbed]) -> Picture:
    """One row per collage: paste, GH, GH+CA, GH+CA+LN, truth, under a line of headings."""
    if not runs:
        raise ValueError("A contact sheet needs at least one collage.")
    gap, head, font = 4, 28, cv2.FONT_HERSHEY_SIMPLEX
    tile = runs[0].pictures[Rung.PASTE].shape[0]
    width = len(Rung) * (tile + gap) + gap
    sheet = np.full((head + len(runs) * (tile + gap), width, 3), 24, np.uint8)
    for column, rung in enumerate(Rung):
        left = gap + column * (tile + gap)
        cv2.putText(sheet, str(rung), (left, 20), font, 0.5, (230, 230, 230), 1, cv2.LINE_AA)
        for row, run in enumerate(runs):
            top = head + row * (tile + gap)
            sheet[top : top + tile, left : left + tile] = run.pictures[rung]
    return sheet
