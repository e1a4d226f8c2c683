"""Performs `collage-studio evaluate methods`: runs, a progress bar and files."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from collage_studio.document.recipe import RunSettings
from collage_studio.evaluate.climbing import Tools
from collage_studio.evaluate.comparing import (
    Compared,
    Comparison,
    MethodsPlan,
    compared,
    layouts_left,
    methods_records,
)
from collage_studio.evaluate.drawing import contact_sheet, save
from collage_studio.evaluate.methods_report import methods_json, methods_markdown, methods_sheet
from collage_studio.evaluate.pages import update_page
from collage_studio.evaluate.pool import share_out

SHEET_ROWS = 10


def methods_plan_of(args: argparse.Namespace) -> MethodsPlan:
    """What the command line asks for."""
    settings = RunSettings(
        model=args.model,
        sampler=args.sampler,
        steps=args.steps,
        guidance=args.guidance,
        detail=0.0,
    )
    return replace(
        MethodsPlan(),
        count=args.count,
        first_seed=args.first_seed,
        methods=tuple(name for name in args.methods.split(",") if name),
        settings=settings,
        words_in=args.words_in,
        words_out=args.words_out,
    )


def methods(args: argparse.Namespace) -> int:
    """Compare, or go on comparing, then write the report of all finished layouts."""
    plan = methods_plan_of(args)
    tools = Tools(args.out, args.device, args.clip, sam=args.sam)
    records = methods_records(plan, tools)
    if not (args.resume or args.report_only or records.is_empty):
        raise ValueError(
            f"{args.out} already holds results: go on with --resume, or name another --out."
        )
    started = time.monotonic()
    left = layouts_left(plan, records, tools)
    if left and not args.report_only:
        with tqdm(total=plan.count, initial=plan.count - len(left), desc="layouts", unit="") as bar:
            for _ in share_out(Comparison, (plan, tools), left, args.jobs):
                bar.update()
    runs = compared(plan, records, pictures=SHEET_ROWS)
    if not runs:
        raise ValueError(f"{args.out} holds no finished layout of this plan yet.")
    text = methods_markdown(plan, runs)
    _write(args.out, plan, runs, text, time.monotonic() - started)
    if args.update_docs:
        images = args.update_docs.parent / "images"
        save(contact_sheet(*methods_sheet(plan, runs)), images / "methods.jpg")
        names = ", ".join(methods_sheet(plan, [])[0])
        picture = f"![The first layouts: {names}](images/methods.jpg)"
        update_page(args.update_docs, "methods", f"{text}\n{picture}\n")
    print(text)
    print(f"JSON, table and contact sheet are in {args.out.resolve()}")
    return 0


def _write(
    folder: Path, plan: MethodsPlan, runs: Sequence[Compared], text: str, seconds: float
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report = json.dumps(methods_json(plan, runs, seconds), indent=1, allow_nan=False)
    (folder / "methods.json").write_text(report, encoding="utf-8")
    (folder / "methods.md").write_text(text, encoding="utf-8")
    save(contact_sheet(*methods_sheet(plan, runs)), folder / "methods.png")
