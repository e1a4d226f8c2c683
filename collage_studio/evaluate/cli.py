"""The command `collage-studio evaluate`. Loads torch only once there is something to run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from collage_studio.evaluate.plan import Plan
from collage_studio.resources_dir import resources_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `evaluate` understands to its parser."""
    commands = parser.add_subparsers(dest="evaluation", required=True)
    ladder = commands.add_parser("ladder", help="measure paste-only, GH, GH+CA and GH+CA+LN")
    plan = Plan()
    ladder.add_argument("--count", type=int, default=plan.count, help="collages to measure")
    ladder.add_argument("--steps", type=int, default=plan.settings.steps)
    ladder.add_argument("--noise", type=float, default=plan.noise, help="of every layer, 0..1")
    ladder.add_argument("--words-in", type=float, default=plan.words_in, help="w+ of every layer")
    ladder.add_argument("--words-out", type=float, default=plan.words_out, help="w- of every layer")
    ladder.add_argument(
        "--first-seed", type=int, default=plan.first_seed, help="of the held-out collages"
    )
    ladder.add_argument("--guidance", type=float, default=plan.settings.guidance)
    ladder.add_argument("--sampler", default=plan.settings.sampler)
    ladder.add_argument("--model", default=plan.settings.model)
    ladder.add_argument("--device", default="auto")
    ladder.add_argument("--out", type=Path, default=Path("ladder"), help="folder to write into")
    ladder.add_argument(
        "--update-docs", type=Path, metavar="FILE", help="put the tables into this Markdown file"
    )
    judge = commands.add_parser("judge", help="train the judge network anew")
    judge.add_argument("--scenes", type=int, default=6000)
    judge.add_argument("--epochs", type=int, default=10)
    judge.add_argument("--out", type=Path, default=resources_path("starter", "judge.safetensors"))


def run(args: argparse.Namespace) -> int:
    """Do what the parsed command line says; returns the exit status."""
    from collage_studio.engine.api import EngineError
    from collage_studio.evaluate import commands
    from collage_studio.evaluate.judge import JudgeMissing

    try:
        return commands.train(args) if args.evaluation == "judge" else commands.ladder(args)
    except (JudgeMissing, EngineError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
