"""Performs `collage-studio evaluate cutouts`: a progress bar, files, and the page's section."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import cv2
from tqdm import tqdm

from collage_studio.evaluate.cutouts import (
    Measured,
    as_json,
    as_markdown,
    contact_sheet,
    measure,
    subject_of,
)
from collage_studio.starter.world import HELD_OUT_FROM

BEGIN, END = "<!-- cutouts: begin -->", "<!-- cutouts: end -->"
SHEET_ROWS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `evaluate cutouts` understands."""
    add = parser.add_argument
    add("--count", type=int, default=64, help="pictures to measure")
    add("--size", type=int, default=1024, help="side of the pictures in px")
    add("--first-seed", type=int, default=HELD_OUT_FROM, help="of the held-out scenes")
    add("--out", type=Path, default=Path("cutouts"), help="folder to write into")
    add("--update-docs", type=Path, metavar="FILE", help="put the table into a page")


def cutouts(args: argparse.Namespace) -> int:
    """Measure every way of cutting out and write what was found."""
    seeds = range(args.first_seed, args.first_seed + args.count)
    runs = list[Measured]()
    for seed in tqdm(seeds, desc="pictures", unit=""):
        measured = measure(subject_of(seed, args.size))
        # A hundred pictures with seven alphas each would not fit into memory.
        runs.append(measured if len(runs) < SHEET_ROWS else replace(measured, alphas={}))
    table = as_markdown(runs, args.size)
    _write(args.out, runs, args.size, table)
    if args.update_docs:
        update_section(args.update_docs, table)
    print(table)
    print(f"JSON, table and contact sheet are in {args.out.resolve()}")
    return 0


def _write(folder: Path, runs: list[Measured], size: int, table: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cutouts.json").write_text(json.dumps(as_json(runs, size), indent=1), "utf-8")
    (folder / "cutouts.md").write_text(table, encoding="utf-8")
    sheet = cv2.cvtColor(contact_sheet(runs[:SHEET_ROWS]), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(folder / "cutouts.jpg"), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])


def update_section(path: Path, table: str) -> None:
    """Replace what stands between the two marks in a Markdown file.

    Raises:
        ValueError: the marks are missing.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no lines {BEGIN} and {END} to put the table between.")
    path.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", encoding="utf-8")
