"""Performs `collage-studio evaluate ladder`: runs, progress bars and files."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import LearnSettings
from collage_studio.evaluate.climbing import (
    Climb,
    Tools,
    climbed,
    done,
    learned_looks,
    records_of,
)
from collage_studio.evaluate.drawing import Panel, contact_sheet, draw_panels, save
from collage_studio.evaluate.ladder import Climbed
from collage_studio.evaluate.pages import update_page
from collage_studio.evaluate.plan import Plan
from collage_studio.evaluate.pool import share_out
from collage_studio.evaluate.records import Records
from collage_studio.evaluate.report import as_json, as_markdown, sheet_rows, sweeps

SHEET_ROWS = 8
PANELS = {
    "objects": "Harmony of all objects",
    "others": "Harmony of the objects that are not kept",
    "shadows": "Harmony in the shadows",
}


def plan_of(args: argparse.Namespace) -> Plan:
    """What the command line asks for."""
    settings = RunSettings(
        model=args.model,
        sampler=args.sampler,
        steps=args.steps,
        guidance=args.guidance,
        detail=0.0,
    )
    return replace(
        Plan(),
        count=args.count,
        noise=args.noise,
        kept_noise=args.kept_noise,
        strong_noise=args.strong_noise,
        words_in=args.words_in,
        words_out=args.words_out,
        first_seed=args.first_seed,
        settings=settings,
        strengths=tuple(args.strengths),
        sweep_count=args.sweep_count,
        parts=tuple(part for part in args.parts.split(",") if part),
        control=args.control,
    )


def ladder(args: argparse.Namespace) -> int:
    """Climb, or go on climbing, then write the report of all finished collages."""
    plan = plan_of(args)
    learning = LearnSettings(vectors=args.look_vectors, steps=args.look_steps)
    tools = Tools(args.out, args.device, args.clip, learning)
    records = records_of(plan, tools)
    if not (args.resume or args.report_only or records.is_empty):
        raise ValueError(
            f"{args.out} already holds results: go on with --resume, or name another --out."
        )
    started = time.monotonic()
    if not args.report_only:
        _climb(plan, tools, records, args.jobs)
    runs = climbed(plan, records, pictures=SHEET_ROWS)
    if not runs:
        raise ValueError(f"{args.out} holds no finished collage of this plan yet.")
    _write(args.out, plan, runs, time.monotonic() - started)
    text = as_markdown(plan, runs)
    if args.update_docs:
        _update_docs(args.update_docs, text, plan, runs)
    print(text)
    print(f"JSON, tables, plot and contact sheets are in {args.out.resolve()}")
    return 0


def _climb(plan: Plan, tools: Tools, records: Records, jobs: int) -> None:
    left = _left(plan, records, with_likeness=tools.clip is not None)
    if not left:
        return
    with tqdm(desc="learning looks", unit="", leave=False) as bar:

        def report(step: int, steps: int) -> None:
            bar.total = steps
            bar.update(step - bar.n)

        learned_looks(plan, tools, report)
    finished = plan.count - len(left)
    with tqdm(total=plan.count, initial=finished, desc="collages", unit="") as bar:
        for _ in share_out(Climb, (plan, tools), left, jobs):
            bar.update()


def _left(plan: Plan, records: Records, *, with_likeness: bool) -> list[int]:
    ready = set(done(plan, records, with_likeness=with_likeness))
    return [seed for seed in plan.seeds if seed not in ready]


def _write(folder: Path, plan: Plan, runs: Sequence[Climbed], seconds: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report = json.dumps(as_json(plan, runs, seconds), indent=1, allow_nan=False)
    (folder / "ladder.json").write_text(report, encoding="utf-8")
    (folder / "ladder.md").write_text(as_markdown(plan, runs), encoding="utf-8")
    _draw(folder, "ladder", ".png", plan, runs)


def _draw(
    folder: Path, stem: str, suffix: str, plan: Plan, runs: Sequence[Climbed]
) -> list[tuple[str, str]]:
    """Write the sheets and the plot; returns their file names with a description each."""
    written = list[tuple[str, str]]()
    for table in plan.tables:
        headings = [column.name for column in table.columns]
        if rows := sheet_rows(table, runs):
            name = f"{stem}-{table.name}{suffix}"
            save(contact_sheet(headings, rows), folder / name)
            written.append((name, f"{table.title}, the first collages: {', '.join(headings)}"))
    if found := sweeps(plan, runs):
        panels = [
            Panel(title, "Appearance of the kept layers", "Harmony", found[zone].lines)
            for zone, title in PANELS.items()
            if zone in ("objects", "shadows")
        ]
        save(draw_panels(panels), folder / f"{stem}-curves.png")
        title = "Harmony against the appearance of the kept layers, from little to much noise"
        written.append((f"{stem}-curves.png", title))
    return written


def _update_docs(page: Path, text: str, plan: Plan, runs: Sequence[Climbed]) -> None:
    drawn = _draw(page.parent / "images", "ladder", ".jpg", plan, runs)
    pictures = "\n\n".join(f"![{title}](images/{name})" for name, title in reversed(drawn))
    update_page(page, "ladder", f"{text}\n{pictures}")
