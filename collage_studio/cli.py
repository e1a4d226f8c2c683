"""The command line: opens the window, or does one job without it.

Exit codes: 0 done, 1 failed with one sentence on standard error, 2 called wrongly, 130 stopped
by Ctrl+C. Imports stay light here: the window has to be there at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from multiprocessing import freeze_support
from pathlib import Path

from collage_studio import __version__

COMMANDS = (
    "render",
    "reroll",
    "mix",
    "learn",
    "layers",
    "import",
    "export",
    "info",
    "cutout",
    "starter",
    "evaluate",
    "train",
    "rich-context",
)
_DELEGATED = {
    "cutout": ("collage_studio.commands.cutout", "cut an object out of a picture"),
    "starter": ("collage_studio.starter.cli", "the bundled model: train it, sample from it"),
    "evaluate": ("collage_studio.evaluate.cli", "measure methods on collages with a known truth"),
    "rich-context": ("collage_studio.commands.rich_context", "convert published layout adapters"),
    "train": ("collage_studio.commands.training", "train an adapter that reads layouts"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments behind its name; returns the exit code."""
    freeze_support()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or (arguments[0] not in COMMANDS and not arguments[0].startswith("-")):
        return _open_window(arguments)
    try:
        return _command(arguments)
    except KeyboardInterrupt:
        print("Stopped. Nothing was written.", file=sys.stderr)
        return 130


def _open_window(arguments: list[str]) -> int:
    if arguments and not Path(arguments[0]).exists():
        known = ", ".join(COMMANDS)
        return _refuse(f"There is no file or command {arguments[0]}. Commands are {known}.", 2)
    if len(arguments) > 1:
        return _refuse("One file at a time can be opened in the window.", 2)
    if not _has_display():
        return _refuse(
            "There is no display for the window. Use collage-studio render IN -o OUT instead.", 1
        )
    from collage_studio.ui.app import run

    return run(arguments)


def _has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")))


def _command(arguments: list[str]) -> int:
    try:
        parser = _parser(arguments[0])
    except ModuleNotFoundError as error:
        return _refuse(f"This installation lacks {error.name}. Install Collage Studio again.", 1)
    args = parser.parse_args(arguments)
    if args.command in _DELEGATED:
        return importlib.import_module(_DELEGATED[args.command][0]).run(args)

    from collage_studio.commands import importing, layering, learning, looking, mixing, running
    from collage_studio.commands.console import CommandFailed
    from collage_studio.engine.api import EngineError
    from collage_studio.formats.errors import FormatError

    commands = {
        "render": running.render,
        "reroll": running.reroll,
        "mix": mixing.mix,
        "learn": learning.learn,
        "layers": layering.layers,
        "import": importing.import_layouts,
        "export": looking.export,
        "info": looking.info,
    }
    try:
        return commands[args.command](args)
    except CommandFailed as error:
        return _refuse(str(error), error.exit_code)
    except (EngineError, FormatError) as error:
        return _refuse(str(error), 1)


def _parser(wanted: str) -> argparse.ArgumentParser:
    """The whole parser; only `wanted` gets its own arguments, as theirs cost imports."""
    parser = argparse.ArgumentParser(
        prog="collage-studio",
        usage="%(prog)s [FILE] | COMMAND …",
        description="Opens the window, with FILE if given, or does one job without it.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(
        prog="collage-studio", dest="command", required=True, metavar="COMMAND"
    )
    render = commands.add_parser("render", help="harmonise a collage")
    reroll = commands.add_parser("reroll", help="make one layer anew, keep everything else")
    mix = commands.add_parser("mix", help="join layers of several variations")
    learn = commands.add_parser("learn", help="teach the model the look of layers")
    layers = commands.add_parser("layers", help="give a picture back to its layers")
    layouts = commands.add_parser("import", help="read the layout of another program")
    export = commands.add_parser("export", help="write another format")
    info = commands.add_parser("info", help="say what is in a file")
    if wanted in {"render", "reroll", "learn", "export", "info"}:
        from collage_studio.commands import learning, looking, running

        running.add_run_arguments(render)
        running.add_run_arguments(reroll)
        reroll.add_argument(
            "--layer", action="append", required=True, help="name or id; may be repeated"
        )
        reroll.add_argument(
            "--start",
            choices=("current", "original", "noise"),
            default="current",
            help="what the layer starts from",
        )
        learning.add_arguments(learn)
        looking.add_export_arguments(export)
        looking.add_info_arguments(info)
    if wanted == "mix":
        from collage_studio.commands import mixing, running

        running.add_run_arguments(mix)
        mixing.add_arguments(mix)
    if wanted == "layers":
        from collage_studio.commands import layering

        layering.add_arguments(layers)
    if wanted == "import":
        from collage_studio.commands import importing

        importing.add_arguments(layouts)
    for name, (module, text) in _DELEGATED.items():
        delegated = commands.add_parser(name, help=text)
        if wanted == name:
            importlib.import_module(module).add_arguments(delegated)
    return parser


def _refuse(sentence: str, exit_code: int) -> int:
    print(sentence, file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
