"""Performs `collage-studio evaluate layers`: a progress bar, files, and the page's section."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import Filled, FillRequest, HarmoniseRequest, Picture, Produced
from collage_studio.evaluate.collages import collage_of
from collage_studio.evaluate.hole_looks import Judges
from collage_studio.evaluate.holes import HoleScores, holes_table, measure_holes
from collage_studio.evaluate.layers import (
    LayerScores,
    as_markdown,
    contact_row,
    measure,
    ranked_share,
    scene_of,
    summarise,
)
from collage_studio.evaluate.metrics import mean_interval
from collage_studio.evaluate.pages import update_page
from collage_studio.starter.render import render_lit
from collage_studio.starter.world import Scene

SHEET_ROWS = 6
TRUTH, ENGINE = "the world's lit rendering", "harmonised by the model"


def layers(args: argparse.Namespace) -> int:
    """Measure both kinds of pictures and write what was found."""
    if args.fill:
        return _holes(args)
    judges = Judges.load()
    makers: dict[str, Callable[[Scene], Picture]] = {TRUTH: render_lit}
    if args.model:
        makers[ENGINE] = _harmoniser(args)
    scores: dict[str, list[LayerScores]] = {title: [] for title in makers}
    ranked, rows = list[float](), list[Picture]()
    seeds = range(args.first_seed, args.first_seed + args.count)
    for seed in tqdm(seeds, desc="collages", unit=""):
        scene = scene_of(seed)
        ranked.append(ranked_share(scene, args.noise))
        for title, make in makers.items():
            picture = make(scene)
            scores[title].append(measure(scene, picture, judges, args.noise))
            if len(rows) < SHEET_ROWS:
                rows.append(contact_row(scene, picture, args.noise))
    summaries = [summarise(title, found) for title, found in scores.items()]
    table = as_markdown(summaries, mean_interval(ranked))
    _write(args.out, scores, table, rows)
    if args.update_docs:
        update_page(args.update_docs, "layers", table)
    print(table)
    print(f"JSON, table and contact sheet are in {args.out.resolve()}")
    return 0


def _holes(args: argparse.Namespace) -> int:
    from collage_studio.engine.runner import Engine

    engine, judges = Engine(args.device), Judges.load()
    settings = RunSettings(model=args.model, steps=args.steps, detail=0.0)

    def fill(request: FillRequest) -> list[Filled]:
        return [e for e in engine.run(request, lambda: False) if isinstance(e, Filled)]

    scores, rows = list[HoleScores](), list[Picture]()
    for seed in tqdm(range(args.first_seed, args.first_seed + args.count), unit=""):
        found, row = measure_holes(scene_of(seed), fill, judges, args.noise, settings)
        scores.append(found)
        rows += [row] if len(rows) < SHEET_ROWS else []
    table = holes_table(scores)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "holes.json").write_text(json.dumps([asdict(s) for s in scores], indent=1), "utf-8")
    (args.out / "holes.md").write_text(table, "utf-8")
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(args.out / "holes.jpg"), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])
    if args.update_docs:
        update_page(args.update_docs, "holes", table)
    print(table)
    return 0


def _harmoniser(args: argparse.Namespace) -> Callable[[Scene], Picture]:
    from collage_studio.engine.runner import Engine

    engine = Engine(args.device)
    settings = RunSettings(model=args.model, sampler="ddim", steps=args.steps)

    def harmonised(scene: Scene) -> Picture:
        document = collage_of(scene, noise=args.noise)
        request = HarmoniseRequest(document, (scene.seed,), settings)
        for event in engine.run(request, lambda: False):
            if isinstance(event, Produced):
                return np.ascontiguousarray(event.picture[..., :3])
        raise RuntimeError("The engine ended without a picture.")

    return harmonised


def _write(
    folder: Path, scores: dict[str, list[LayerScores]], table: str, rows: list[Picture]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = {title: [asdict(one) for one in found] for title, found in scores.items()}
    (folder / "layers.json").write_text(json.dumps(data, indent=1), "utf-8")
    (folder / "layers.md").write_text(table, "utf-8")
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(folder / "layers.jpg"), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])
