"""The command rich-context: published layout adapters become files that this program loads."""

from __future__ import annotations

import argparse
from pathlib import Path

from collage_studio.commands.console import say, warn
from collage_studio.formats.errors import FormatError, size_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of `collage-studio rich-context`."""
    commands = parser.add_subparsers(dest="rich_context_command", required=True)
    convert = commands.add_parser(
        "convert", help="take the adapter out of a published checkpoint; pickles run no code"
    )
    convert.add_argument(
        "source", type=Path, metavar="SOURCE",
        help="a model folder, or a .pt, .ckpt or .safetensors file",
    )  # fmt: skip
    convert.add_argument("target", type=Path, metavar="TARGET", help="a .safetensors file")
    convert.add_argument(
        "--average", action="store_true", help="take the averaged weights (EMA) where there are any"
    )
    convert.add_argument(
        "--join", choices=("fixed", "upstream"), default="fixed",
        help="how texts that meet are joined; upstream as in the released code",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Run the chosen subcommand; return the exit code."""
    from collage_studio.engine.rich_context.convert import convert

    try:
        done = convert(args.source, args.target, average=args.average, join=args.join)
    except FormatError as error:
        warn(str(error))
        return 1
    size = size_text(args.target.stat().st_size)
    say(
        f"Wrote {args.target.name}: {done.base}, {done.tensors} tensors, "
        f"{done.parameters:,} parameters, {size}."
    )
    return 0
