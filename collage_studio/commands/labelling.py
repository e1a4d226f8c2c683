"""The command train label: a folder of pictures becomes a training folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from collage_studio.commands.console import BadUsage, say, warn
from collage_studio.commands.interrupts import interrupts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `train label` understands to its parser."""
    add = parser.add_argument
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--images", type=Path, metavar="FOLDER", help="pictures to look at")
    data.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="a training folder whose boxes are kept and described anew",
    )
    add("--out", type=Path, required=True, metavar="FOLDER", help="the training folder to make")
    add("--detector", type=Path, metavar="FOLDER", help="DETR, YOLOS, OWL-ViT, Grounding DINO, …")
    add("--captioner", type=Path, metavar="FOLDER", help="BLIP, GIT, Florence, LLaVA, Qwen-VL, …")
    add(
        "--words",
        type=_words,
        default=(),
        metavar="WORDS",
        help="what a detector that is told words looks for, with commas between them or in a text "
        "file; the words of each picture's caption if left out",
    )
    add("--threshold", type=float, default=0.25, help="least score of a box")
    add("--word-threshold", type=float, default=0.2, help="least score of a word for a box")
    add("--overlap", type=float, default=0.5, help="boxes that overlap more are one")
    add("--least-area", type=float, default=0.01, help="of boxes, as a share of the picture")
    add("--most", type=int, default=30, help="boxes per picture")
    add("--ask", help="what is said to the captioner beside a picture")
    add("--ask-region", help="the same beside the crop of a box; {name} is what is in it")
    add("--longest", type=int, default=60, metavar="TOKENS", help="of one text")
    add("--at-once", type=int, default=8, help="crops that are described at a time")
    add("--precision", choices=("no", "fp16", "bf16"), default="no", help="of the captioner")
    add("--device", default="auto", help="auto, cpu, cuda or mps")
    add("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Label the pictures; returns the exit status."""
    from collage_studio.engine.memory import choose_device
    from collage_studio.training.labelling.detecting import Limits
    from collage_studio.training.labelling.labels import (
        LabelConfig,
        Labeller,
        label,
        tasks_of_manifest,
        tasks_of_pictures,
    )

    _check(args)
    limits = Limits(args.threshold, args.word_threshold, args.overlap, args.least_area, args.most)
    config = LabelConfig(
        args.out,
        args.detector,
        args.captioner,
        args.words,
        limits,
        args.ask,
        args.ask_region,
        args.longest,
        args.at_once,
        args.precision,
    )
    device = choose_device(args.device)
    tasks = (
        tasks_of_pictures(args.images, args.out)
        if args.images
        else tasks_of_manifest(args.data, args.out)
    )
    tqdm.monitor_interval = 0
    with (
        interrupts() as is_interrupted,
        tqdm(total=len(tasks), unit=" pictures", disable=args.quiet) as bar,
    ):

        def report() -> None:
            bar.update()

        outcome = label(
            tasks,
            config,
            lambda: Labeller(config, device),
            report=report,
            ends=is_interrupted,
        )
    if outcome.unreadable:
        warn(f"Left out, as they cannot be read: {', '.join(outcome.unreadable)}.")
    if not outcome.items:
        warn(f"Nothing was found in the pictures, so {args.out} holds nothing to learn from.")
        return 1
    ended = " Stopped; the same command goes on." if outcome.ended else ""
    say(
        f"Labelled {outcome.made} pictures, {outcome.known} were known; "
        f"wrote {outcome.items} items into {args.out}.{ended}"
    )
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.images is not None and args.detector is None:
        raise BadUsage("Boxes are found by a detector: name its folder with --detector.")
    if args.data is not None and args.detector is not None:
        raise BadUsage("The boxes of --data are kept, so there is nothing for --detector to do.")
    if args.data is not None and args.captioner is None:
        raise BadUsage("Texts are written by a captioner: name its folder with --captioner.")
    if args.images is not None and not args.images.is_dir():
        raise BadUsage(f"There is no folder {args.images}.")


def _words(given: str) -> tuple[str, ...]:
    """Words from a list with commas, or from the lines of a text file."""
    path = Path(given)
    if path.suffix == ".txt":
        try:
            parts = path.read_text("utf-8").splitlines()
        except OSError as error:
            raise argparse.ArgumentTypeError(f"{path} cannot be read") from error
    else:
        parts = given.split(",")
    return tuple(word for part in parts if (word := " ".join(part.split())))
