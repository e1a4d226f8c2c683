"""Performs `collage-studio evaluate ladder` and `judge`: runs, progress bars and files."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import cv2
from tqdm import tqdm

from collage_studio.document.model import RunSettings
from collage_studio.engine.runner import Engine
from collage_studio.evaluate.judge import Judge
from collage_studio.evaluate.judge_training import accuracy, train_judge
from collage_studio.evaluate.ladder import Climbed, climb, scene_of
from collage_studio.evaluate.plan import Plan
from collage_studio.evaluate.report import as_json, as_markdown, contact_sheet
from collage_studio.starter.world import OBJECTS

SHEET_ROWS = 16
BEGIN, END = "<!-- ladder: begin -->", "<!-- ladder: end -->"


def train(args: argparse.Namespace) -> int:
    with tqdm(total=1.0, bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}") as bar:

        def report(what: str, done: float) -> None:
            bar.set_description(what)
            bar.update(done - bar.n)

        judge = train_judge(args.scenes, args.epochs, report)
    judge.save(args.out)
    share = accuracy(Judge.load(args.out))
    print(f"{args.out}: names {share:.1%} of the objects of unseen scenes.")
    return 0


def plan_of(args: argparse.Namespace) -> Plan:
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
        words_in=args.words_in,
        words_out=args.words_out,
        first_seed=args.first_seed,
        settings=settings,
    )


def ladder(args: argparse.Namespace) -> int:
    plan = plan_of(args)
    judge = Judge.load()
    judge.check_names([kind.name for kind in OBJECTS])
    engine = Engine(args.device)
    started = time.monotonic()
    runs = [
        climb(scene_of(seed), plan, engine, judge)
        for seed in tqdm(plan.seeds, desc="collages", unit="")
    ]
    _write(args.out, plan, runs, time.monotonic() - started)
    table = as_markdown(plan, runs)
    if args.update_docs:
        update_page(args.update_docs, table)
    print(table)
    print(f"JSON, table and contact sheet are in {args.out.resolve()}")
    return 0


def _write(folder: Path, plan: Plan, runs: list[Climbed], seconds: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report = as_json(plan, runs, seconds)
    (folder / "ladder.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    (folder / "ladder.md").write_text(as_markdown(plan, runs), encoding="utf-8")
    sheet = cv2.cvtColor(contact_sheet(runs[:SHEET_ROWS]), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(folder / "contact-sheet.png"), sheet)


def update_page(path: Path, table: str) -> None:
    """Replace what stands between the two marks in a Markdown file."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no lines {BEGIN} and {END} to put the tables between.")
    path.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", encoding="utf-8")
