"""The command train: an adapter for regions with long texts, and the data it learns from."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from collage_studio.commands import labelling
from collage_studio.commands.console import BadUsage, say, warn
from collage_studio.commands.interrupts import interrupts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `train` understands to its parser."""
    commands = parser.add_subparsers(dest="training", required=True)
    _add_rich_context(
        commands.add_parser("rich-context", help="train an adapter that reads layouts")
    )
    _add_prepare(commands.add_parser("prepare", help="make a training folder of other data"))
    labelling.add_arguments(
        commands.add_parser("label", help="make a training folder of pictures without words")
    )


def _add_rich_context(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", type=Path, metavar="FOLDER", help="holds manifest.jsonl")
    data.add_argument("--synthetic", type=int, metavar="N", help="scenes of the sticker world")
    add("--model", help='"starter" (default), a folder or a .safetensors file')
    add("--out", type=Path, required=True, metavar="FOLDER", help="for everything it writes")
    add("--resume", action="store_true", help="go on with what the folder already holds")
    add("--steps", type=int, help="optimiser steps")
    add("--minutes", type=float, help="end earlier, after this time")
    add("--batch", type=int, help="examples per step, over all processes")
    add("--at-once", type=int, help="examples that one process computes at a time")
    add("--learning-rate", type=float)
    add("--warm-steps", type=int, help="steps until the full learning rate")
    add("--precision", choices=("no", "fp16", "bf16"), help="mixed precision")
    add("--checkpointing", action="store_true", default=None, help="less memory, more time")
    add("--residual", action="store_true", default=None, help="start from the model's attention")
    add("--size", type=int, help="side of the crops in px; the model's own if left out")
    add("--views", type=int, help="crops per picture that are kept encoded; 0 = always new ones")
    add("--held-out", type=int, help="items at the end that are only looked at")
    add("--save-every", type=int, metavar="STEPS")
    add("--check-every", type=int, metavar="STEPS")
    add("--sample-every", type=int, metavar="STEPS")
    add("--seed", type=int)
    add("--log", type=Path, metavar="FILE", help="a summary of the curves as JSON")
    add("--quiet", action="store_true", help="no progress bar")


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--coco", type=Path, metavar="ANNOTATIONS", help="instances JSON of COCO's layout")
    add("--captions", type=Path, metavar="ANNOTATIONS", help="captions JSON of the same pictures")
    add("--labels", type=Path, nargs="+", metavar="JSON", help="label files with annos")
    add(
        "--documents",
        type=Path,
        nargs="+",
        metavar="COLLAGE",
        help="collages with described layers",
    )
    add("--synthetic", type=int, metavar="N", help="pictures of the sticker world")
    add("--images", type=Path, metavar="FOLDER", help="where the annotated pictures are")
    add("--least-area", type=float, default=0.01, help="of objects, as a share of the picture")
    add("--out", type=Path, required=True, metavar="FOLDER", help="the training folder to make")


def run(args: argparse.Namespace) -> int:
    """Do what the parsed command line says; returns the exit status."""
    # torch takes seconds to import, and the parser must not wait for it.
    from collage_studio.engine.api import EngineError
    from collage_studio.formats.errors import FormatError
    from collage_studio.training.rich_context.config import TrainingRefused

    performed: Callable[[argparse.Namespace], int] = {
        "rich-context": _rich_context,
        "prepare": _prepare,
        "label": labelling.run,
    }[args.training]
    try:
        return performed(args)
    except BadUsage as error:
        warn(str(error))
        return error.exit_code
    except (TrainingRefused, EngineError, FormatError, OSError) as error:
        warn(str(error))
        return 1


def _rich_context(args: argparse.Namespace) -> int:
    from collage_studio.training.rich_context.config import CONFIG, TrainConfig, starter_config
    from collage_studio.training.rich_context.loop import ADAPTER, train
    from collage_studio.training.rich_context.opening import LAYOUTS, manifest_of, sticker_world
    from collage_studio.training.rich_context.records import NO_TENSORBOARD, has_board, write_log

    known = args.out / CONFIG
    if args.resume and known.is_file():
        usual = TrainConfig.read(known)
    elif args.model in {None, "starter"}:
        usual = starter_config(args.out)
    else:
        usual = TrainConfig(args.out)
    config = usual.changed(vars(args))
    source = (
        sticker_world(args.out / LAYOUTS, args.synthetic)
        if args.synthetic is not None
        else manifest_of(args.data, config)
    )
    is_first = os.environ.get("RANK", "0") == "0"
    if is_first and not has_board():
        warn(NO_TENSORBOARD)
    tqdm.monitor_interval = 0
    is_hidden = args.quiet or not is_first
    with (
        interrupts() as is_interrupted,
        tqdm(total=config.steps, unit=" steps", disable=is_hidden) as bar,
    ):

        def report(step: int, loss: float) -> None:
            bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
            bar.update(step - bar.n)

        trainer = train(
            config,
            source,
            resume=args.resume,
            report=report,
            say=lambda text: bar.write(text),
            ends=is_interrupted,
        )
    if not trainer.accelerator.is_main_process:
        return 0
    if args.log:
        write_log(config.out, args.log, trainer.about)
    say(f"{config.out / ADAPTER}: {trainer.progress.step} steps.")
    return 0


def _prepare(args: argparse.Namespace) -> int:
    from collage_studio.training.rich_context.items import write_manifest
    from collage_studio.training.rich_context.preparing import (
        from_coco,
        from_documents,
        from_labels,
        from_sticker_world,
    )

    given = [name for name in ("coco", "labels", "documents", "synthetic") if getattr(args, name)]
    if len(given) != 1:
        raise BadUsage("Give one of --coco, --labels, --documents and --synthetic.")
    if given[0] in {"coco", "labels"} and args.images is None:
        raise BadUsage("Say with --images where the annotated pictures are.")
    args.out.mkdir(parents=True, exist_ok=True)
    match given[0]:
        case "coco":
            items = from_coco(args.coco, args.images, args.out, args.captions, args.least_area)
        case "labels":
            items = from_labels(args.labels, args.images, args.out, args.least_area)
        case "documents":
            items = from_documents(args.documents, args.out)
        case _:
            items = from_sticker_world(args.synthetic, args.out)
    count = write_manifest(args.out, tqdm(items, unit=" items", leave=False))
    if not count:
        warn(f"No item with objects was found, so {args.out} holds nothing to learn from.")
        return 1
    say(f"Wrote {count} items into {args.out}.")
    return 0
