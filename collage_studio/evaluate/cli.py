"""The command `collage-studio evaluate`. Loads torch only once there is something to run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from collage_studio.document.recipe import RunSettings
from collage_studio.evaluate import commands_cutouts
from collage_studio.evaluate.plan import PARTS, Plan
from collage_studio.starter.world import HELD_OUT_FROM


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `evaluate` understands to its parser."""
    commands = parser.add_subparsers(dest="evaluation", required=True)
    _add_ladder(
        commands.add_parser("ladder", help="measure each part of Collage Diffusion on collages")
    )
    commands_cutouts.add_arguments(
        commands.add_parser("cutouts", help="measure cutting out by strokes and re-matting")
    )
    _add_methods(
        commands.add_parser("methods", help="measure all methods on layouts with long texts")
    )
    _add_layers(
        commands.add_parser("layers", help="measure what comes back to the layers of a picture")
    )
    judge = commands.add_parser("judge", help="train a judge network anew")
    judge.add_argument("--places", action="store_true", help="the judge of places, not of objects")
    judge.add_argument("--scenes", type=int, default=6000)
    judge.add_argument("--epochs", type=int, help="default: 10, for places 12")
    judge.add_argument("--out", type=Path, help="default: the bundled file")


def _add_ladder(ladder: argparse.ArgumentParser) -> None:
    plan = Plan()
    add = ladder.add_argument
    add("--count", type=int, default=plan.count, help="collages to measure")
    add("--noise", type=float, default=plan.noise, help="of every layer, 0..1")
    add("--kept-noise", type=float, default=plan.kept_noise, help="of kept layers, 0..1")
    add("--strong-noise", type=float, default=plan.strong_noise, help="of the second table")
    add("--words-in", type=float, default=plan.words_in, help="w+ of every layer")
    add("--words-out", type=float, default=plan.words_out, help="w- of every layer")
    add(
        "--parts",
        default=",".join(PARTS),
        metavar="A,B",
        help=f"what to run of {', '.join(PARTS)}",
    )
    add(
        "--strengths",
        type=float,
        nargs="+",
        default=list(plan.strengths),
        metavar="NOISE",
        help="of the sweep",
    )
    add("--sweep-count", type=int, default=plan.sweep_count, help="collages in the sweep")
    add("--control", default="", metavar="FOLDER", help="a ControlNet for the model")
    add("--look-vectors", type=int, default=4, help="learned words of each unusual look, 1..4")
    add("--look-steps", type=int, default=300, help="learning steps at most")
    _add_common(ladder, plan.settings, plan.first_seed, Path("ladder"))


def _add_methods(methods: argparse.ArgumentParser) -> None:
    add = methods.add_argument
    add("--count", type=int, default=128, help="layouts to measure")
    add("--methods", default="", metavar="A,B", help="names of methods; all if left out")
    add("--words-in", type=float, default=0.4, help="w+ of Collage Diffusion")
    add("--words-out", type=float, default=0.8, help="w- of Collage Diffusion")
    add("--sam", type=Path, metavar="FOLDER", help="a SAM checkpoint, for SAMIoU")
    settings = RunSettings(steps=12, guidance=3.0, detail=0.0)
    _add_common(methods, settings, 1_200_000, Path("methods"))


def _add_layers(layers: argparse.ArgumentParser) -> None:
    add = layers.add_argument
    add("--count", type=int, default=64, help="collages to measure")
    add("--first-seed", type=int, default=HELD_OUT_FROM, help="of the held-out scenes")
    add("--noise", type=float, default=0.4, help="of every layer in the model's runs")
    add("--steps", type=int, default=20)
    add("--model", default="starter", help='"" measures the world\'s own renderings alone')
    add("--device", default="auto")
    add("--out", type=Path, default=Path("layers"), help="folder to write into")
    add("--fill", action="store_true", help="measure Fill behind alone, before and after")
    add("--update-docs", type=Path, metavar="FILE", help="put the table into a page")


def _add_common(
    parser: argparse.ArgumentParser, settings: RunSettings, first_seed: int, out: Path
) -> None:
    """What the ladder and the comparison of methods share."""
    add = parser.add_argument
    add("--steps", type=int, default=settings.steps)
    add("--guidance", type=float, default=settings.guidance)
    add("--sampler", default=settings.sampler)
    add("--model", default=settings.model)
    add("--first-seed", type=int, default=first_seed, help="of the held-out scenes")
    add("--device", default="auto")
    add("--jobs", type=int, default=1, help="processes that share the work")
    add("--clip", type=Path, metavar="FOLDER", help="a CLIP checkpoint, for its scores")
    add("--out", type=Path, default=out, help="folder to write into")
    add("--resume", action="store_true", help="go on with what the folder already holds")
    add("--report-only", action="store_true", help="run nothing, report what the folder holds")
    add("--update-docs", type=Path, metavar="FILE", help="put tables and pictures into a page")


def run(args: argparse.Namespace) -> int:
    """Do what the parsed command line says; returns the exit status."""
    if args.evaluation == "cutouts":
        try:
            return commands_cutouts.cutouts(args)
        except (ValueError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
    from collage_studio.engine.api import EngineError
    from collage_studio.engine.quality.judge import JudgeMissing
    from collage_studio.evaluate import (
        commands,
        commands_ladder,
        commands_layers,
        commands_methods,
    )

    performed = {
        "judge": commands.train,
        "ladder": commands_ladder.ladder,
        "methods": commands_methods.methods,
        "layers": commands_layers.layers,
    }
    try:
        return performed[args.evaluation](args)
    except (JudgeMissing, EngineError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
