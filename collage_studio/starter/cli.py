"""The command `collage-studio starter`: train, extract, export, sample, and its control."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from collage_studio.starter.stickers import STICKER_FOLDER, extract_stickers

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands to the parser of `collage-studio starter`."""
    commands = parser.add_subparsers(dest="starter_command", required=True)
    _add_train(commands.add_parser("train", help="train a starter model from scratch"))
    _add_extract(commands.add_parser("extract", help="extract the stickers from the emoji font"))
    _add_export(commands.add_parser("export", help="write a checkpoint as a model folder"))
    _add_sample(commands.add_parser("sample", help="draw a grid of samples from a model folder"))
    _add_train_control(
        commands.add_parser("train-control", help="train the control model that follows edges")
    )
    _add_export_control(
        commands.add_parser("export-control", help="write its checkpoint as a folder")
    )


def run(args: argparse.Namespace) -> int:
    """Run the chosen subcommand; return the exit code."""
    command: Callable[[argparse.Namespace], None] = args.starter_function
    command(args)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run `python -m collage_studio.starter.cli …`."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="collage-studio starter", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("work", type=Path, help="folder for encoded scenes and checkpoints")
    parser.add_argument("--minutes", type=float, help="how long the denoiser trains")
    parser.add_argument("--steps", type=int, help="end after this many steps instead")
    parser.add_argument("--autoencoder-minutes", type=float, default=15.0)
    parser.add_argument("--scenes", type=int, default=6400, help="how many scenes to render")
    parser.add_argument("--device", help="cpu or cuda; the default is what is there")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint")
    parser.set_defaults(starter_function=_train)


def _add_extract(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("font", type=Path, help="NotoColorEmoji.ttf")
    parser.add_argument("--folder", type=Path, default=STICKER_FOLDER)
    parser.set_defaults(starter_function=_extract)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("work", type=Path, help="the folder given to `train`")
    parser.add_argument("folder", type=Path, help="where the model folder is written")
    parser.add_argument("--device", help="the device it was trained for; decides the sizes")
    parser.set_defaults(starter_function=_export)


def _add_sample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--captions", nargs="+", help="one column each")
    parser.set_defaults(starter_function=_sample)


def _add_train_control(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("work", type=Path, help="the folder given to `train`, with its pool")
    parser.add_argument("--model", type=Path, help="the model folder; the default is the starter's")
    parser.add_argument("--minutes", type=float, help="how long it trains")
    parser.add_argument("--steps", type=int, help="end after this many steps instead")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint")
    parser.set_defaults(starter_function=_train_control)


def _add_export_control(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("work", type=Path, help="the folder given to `train-control`")
    parser.add_argument("folder", type=Path, help="where the control's folder is written")
    parser.set_defaults(starter_function=_export_control)


def _train(args: argparse.Namespace) -> None:
    # Imported late: the parser must not wait for torch.
    from collage_studio.starter.autoencoder import AutoencoderConfig, train_autoencoder
    from collage_studio.starter.export import load_autoencoder
    from collage_studio.starter.pool import fill_pool
    from collage_studio.starter.train import default_config, train

    work: Path = args.work
    work.mkdir(parents=True, exist_ok=True)
    autoencoder = work / "autoencoder.pt"
    if not (args.resume and autoencoder.exists()):
        config = AutoencoderConfig(minutes=args.autoencoder_minutes)
        train_autoencoder(config, autoencoder, log.info)
    fill_pool(work / "pool", load_autoencoder(autoencoder), args.scenes)
    training = default_config(work / "pool", work / "denoiser.pt", args.device)
    training = replace(training, steps=args.steps, minutes=args.minutes or training.minutes)
    train(training, resume=args.resume, progress=log.info)


def _extract(args: argparse.Namespace) -> None:
    for path in extract_stickers(args.font, args.folder):
        log.info("%s", path)


def _export(args: argparse.Namespace) -> None:
    from collage_studio.starter.export import export_model
    from collage_studio.starter.train import default_config

    work: Path = args.work
    networks = default_config(work / "pool", work / "denoiser.pt", args.device).networks
    step = export_model(work / "denoiser.pt", work / "autoencoder.pt", args.folder, networks)
    log.info("wrote step %d to %s", step, args.folder)


def _train_control(args: argparse.Namespace) -> None:
    from collage_studio.starter.control_training import ControlConfig, train_control

    config = ControlConfig(args.work / "pool", args.work / "control.pt", device=args.device)
    config = replace(
        config,
        model=args.model or config.model,
        steps=args.steps,
        minutes=args.minutes or config.minutes,
    )
    train_control(config, resume=args.resume, progress=log.info)


def _export_control(args: argparse.Namespace) -> None:
    from collage_studio.starter.control_training import export_control

    step = export_control(args.work / "control.pt", args.folder)
    log.info("wrote step %d to %s", step, args.folder)


def _sample(args: argparse.Namespace) -> None:
    from collage_studio.starter.sample import GRID_CAPTIONS, sample_grid

    grid = sample_grid(args.model, args.seeds, args.captions or GRID_CAPTIONS)
    args.picture.parent.mkdir(parents=True, exist_ok=True)
    grid.save(args.picture)
    log.info("wrote %s", args.picture)


if __name__ == "__main__":
    raise SystemExit(main())
