"""What the ladder found: means and paired differences with intervals, as JSON and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from collage_studio.evaluate.claims import Columns, Comparison, comparisons
from collage_studio.evaluate.columns import ROWS, Column
from collage_studio.evaluate.configurations import GH, LN, Configuration, Table
from collage_studio.evaluate.curves import ZONES, Point, Rival, points_of, rivals
from collage_studio.evaluate.ladder import Climbed
from collage_studio.evaluate.metrics import Interval
from collage_studio.evaluate.plan import Plan
from collage_studio.evaluate.scores import without_nan

ONLY_UNUSUAL = {"appearance_unusual", "clip_cutout_unusual"}
ZONE_WORDS = {"objects": "all objects", "others": "the other objects", "shadows": "the shadows"}
NO_CONTROL = (
    "No rung with control: no ControlNet for this model was named (`--control FOLDER`), and the "
    "bundled model has none."
)


def columns_of(table: Table, runs: Sequence[Climbed]) -> Columns:
    """The table's columns by heading, over the collages that have all of them."""
    whole = [run for run in runs if all(c.key in run.scores for c in table.columns)]
    return {c.name: [run.scores[c.key] for run in whole] for c in table.columns}


def rows_of(table: Table, found: Columns) -> dict[str, dict[str, Interval]]:
    """Each row's figures by heading of the column; rows that say nothing here are left out."""
    pasted = found[table.pasted.name]
    has_unusual = any(column.unusual for column in table.columns)
    rows = dict[str, dict[str, Interval]]()
    for name, (_, measure) in ROWS.items():
        if name in ONLY_UNUSUAL and not has_unusual:
            continue
        figures = {heading: measure(column, pasted) for heading, column in found.items()}
        if any(figure.count for figure in figures.values()):
            rows[name] = figures
    return rows


@dataclass(frozen=True, slots=True)
class Sweep:
    """The curves of one zone, and what layer noise sets against each global strength."""

    lines: dict[str, tuple[Point, ...]]
    rivals: tuple[Rival, ...]

    @property
    def least(self) -> Rival:
        """The rival that gains least; one that does not exist gains nothing at all."""
        return min(self.rivals, key=lambda r: r.fidelity.low if r.fidelity.count else -math.inf)


def sweeps(plan: Plan, runs: Sequence[Climbed]) -> dict[str, Sweep]:
    """By zone; empty where no collage took part."""
    if not plan.curves:
        return {}
    every: list[Configuration] = [point for curve in plan.curves for point in curve.points]
    whole = [run for run in runs if all(c.key in run.scores for c in every)]
    if not whole:
        return {}
    pasted = [run.scores["paste-only"] for run in whole]
    curves: dict[str, list[Column]] = {
        curve.name: [[run.scores[point.key] for run in whole] for point in curve.points]
        for curve in plan.curves
    }
    return {
        zone: Sweep(
            {
                name: points_of(plan.strengths, curve, pasted, zone)
                for name, curve in curves.items()
            },
            rivals(plan.strengths, curves[LN], curves[GH], pasted, zone),
        )
        for zone in ZONES
    }


def as_json(plan: Plan, runs: Sequence[Climbed], seconds: float) -> dict[str, Any]:
    """Everything: plan, figures by table and column, claims, curves, and each collage's scores."""
    tables = dict[str, Any]()
    for table in plan.tables:
        found = columns_of(table, runs)
        tables[table.name] = {
            "collages": len(found[table.pasted.name]),
            "columns": {c.name: asdict(c) for c in table.columns},
            "rows": {
                name: {heading: asdict(figure) for heading, figure in figures.items()}
                for name, figures in rows_of(table, found).items()
            },
            "claims": [asdict(claim) for claim in comparisons(table, found)],
        }
    return without_nan(
        {
            "plan": {**asdict(plan), "seeds": [plan.seeds.start, plan.seeds.stop]},
            "seconds": round(seconds, 1),
            "tables": tables,
            "sweep": {
                zone: {**asdict(sweep), "holds": sweep.least.dominates}
                for zone, sweep in sweeps(plan, runs).items()
            },
            "collages": [
                scores.as_json() for run in runs for _, scores in sorted(run.scores.items())
            ],
        }
    )


def cell(interval: Interval) -> str:
    """A mean with its interval, or "n/a"."""
    if interval.count == 0:
        return "n/a"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def claim_rows(claims: Sequence[Comparison]) -> list[str]:
    """A Markdown table of claims."""
    return [
        "| Claim | Paired figure | Holds |",
        "|---|---|---|",
        *(f"| {c.claim} | {cell(c.difference)} | {'yes' if c.holds else 'no'} |" for c in claims),
    ]


def _conditions(plan: Plan, table: Table, count: int) -> str:
    noises = sorted({c.noise for c in table.columns if c.noise})
    kept = sorted({c.kept_noise for c in table.columns if c.kept_noise is not None})
    return (
        f"{count} held-out collages, seeds {plan.seeds.start:,} to {plan.seeds.stop - 1:,}; noise "
        + " and ".join(f"{noise:g}" for noise in noises)
        + (f", kept layers {kept[0]:g} where LN is on" if kept else "")
        + f"; w+ {plan.words_in:g}, w- {plan.words_out:g}; {plan.settings.sampler}, "
        f"{plan.settings.steps} steps, guidance {plan.settings.guidance:g}, model "
        f"{plan.settings.model}. Means with 95 % bootstrap intervals over collages."
    )


def as_markdown(plan: Plan, runs: Sequence[Climbed]) -> str:
    """All tables of means and claims."""
    lines = list[str]()
    for table in plan.tables:
        found = columns_of(table, runs)
        lines += [f"### {table.title}", ""]
        lines += [_conditions(plan, table, len(found[table.pasted.name])), ""]
        lines += ["| | " + " | ".join(found) + " |", "|---|" + "---|" * len(found)]
        for name, figures in rows_of(table, found).items():
            cells = " | ".join(cell(figure) for figure in figures.values())
            lines.append(f"| {ROWS[name][0]} | {cells} |")
        lines += ["", *claim_rows(comparisons(table, found)), ""]
        if table.name == "main" and not plan.control:
            lines += [NO_CONTROL, ""]
    lines += _sweep_lines(plan, runs)
    return "\n".join(lines).rstrip() + "\n"


def _sweep_lines(plan: Plan, runs: Sequence[Climbed]) -> list[str]:
    found = sweeps(plan, runs)
    if not found:
        return []
    lines = found["objects"].lines
    share = plan.kept_noise / plan.noise
    count = max(point.harmony.count for point in lines[GH])
    text = [
        "### From little to much noise",
        "",
        f"{count} of the collages, each configuration at the noises "
        + ", ".join(f"{noise:g}" for noise in plan.strengths)
        + f"; with layer noise, kept layers have {share:g} times that.",
        "",
        "| Noise | " + " | ".join(f"{n}: {measure}" for n in lines for measure in _MEASURES) + " |",
        "|---|" + "---|" * len(_MEASURES) * len(lines),
    ]
    for i, noise in enumerate(plan.strengths):
        values = [
            value
            for name in lines
            for value in (
                found["objects"].lines[name][i].fidelity.value,
                found["objects"].lines[name][i].harmony.value,
                found["shadows"].lines[name][i].harmony.value,
            )
        ]
        text.append(f"| {noise:g} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    return [*text, "", *_rival_lines(found), ""]


_MEASURES = ("kept appearance", "harmony, objects", "harmony, shadows")


def _rival_lines(found: dict[str, Sweep]) -> list[str]:
    """What layer noise sets against each global strength, and the claims."""
    lines = [
        "| GH at noise | " + " | ".join(f"LN, by {ZONE_WORDS[zone]}" for zone in found) + " |",
        "|---|" + "---|" * len(found),
    ]
    for row in zip(*(sweep.rivals for sweep in found.values()), strict=True):
        cells = [
            f"at {r.by:g}: appearance {cell(r.fidelity)}, harmony {cell(r.harmony)}"
            if r.fidelity.count
            else "none"
            for r in row
        ]
        lines.append(f"| {row[0].noise:g} | " + " | ".join(cells) + " |")
    claims = [
        Comparison(
            "LN dominates every global strength: more appearance of the kept layers without loss "
            f"of harmony of {ZONE_WORDS[zone]}; the smallest gain",
            sweep.least.fidelity,
            sweep.least.dominates,
        )
        for zone, sweep in found.items()
    ]
    return [*lines, "", *claim_rows(claims)]


def sheet_rows(table: Table, runs: Sequence[Climbed]) -> list[list[Any]]:
    """The pictures of the table's columns, a row for each collage that has them all."""
    keys = [column.key for column in table.columns]
    return [
        [run.pictures[key] for key in keys]
        for run in runs
        if all(key in run.pictures for key in keys)
    ]
