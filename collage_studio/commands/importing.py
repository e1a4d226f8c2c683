"""The command import: layouts of other programs become .collage files; export writes layouts."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collage_studio.commands.console import BadUsage, CommandFailed, say, say_json, warn
from collage_studio.document.model import Document
from collage_studio.formats.collage_file import save_collage
from collage_studio.formats.errors import FormatError, write_failure
from collage_studio.formats.export import ExportReport
from collage_studio.formats.layouts.reading import layouts_in, read_layout
from collage_studio.formats.layouts.regions import Layout
from collage_studio.formats.layouts.writing import LAYOUT_FORMATS, export_layout
from collage_studio.formats.opened import Opened
from collage_studio.formats.text import file_name

_COLLAGE = ".collage"


@dataclass(frozen=True, slots=True)
class _Imported:
    path: Path
    regions: int
    notices: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `collage-studio import`."""
    parser.add_argument(
        "input", type=Path, metavar="IN",
        help="a NoiseCollage case, a DenseDiffusion set or its PNG, MultiDiffusion masks with "
        "prompts.txt or JSON, rich-context JSON, Collage Diffusion JSON, panoptic JSON or PNG",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help=".collage, or a folder for all layouts in IN"
    )
    parser.add_argument("--case", default="", help="which layout, where IN holds several")
    parser.add_argument(
        "--skip-bad", action="store_true", help="into a folder: leave out what cannot be read"
    )
    parser.add_argument("--json", action="store_true", help="say the outcome as JSON")


def import_layouts(args: argparse.Namespace) -> int:
    """Read layouts and write them as collages; nothing is written where one cannot be read."""
    out: Path = args.out
    if out.suffix.lower() == _COLLAGE:
        done = [_import_one(args.input, args.case, out)]
    elif out.suffix and not out.is_dir():
        raise BadUsage(f"{out.name} must end in .collage, or name a folder.")
    else:
        done = _import_all(args.input, args.case, out, skip_bad=args.skip_bad)
    for one in done:
        for notice in one.notices:
            warn(notice)
    if args.json:
        say_json([{"path": str(one.path), "layers": one.regions} for one in done])
    else:
        for one in done:
            say(f"Imported {one.path.name}, {one.regions} layers.")
    return 0


def _import_one(source: Path, case: str, out: Path) -> _Imported:
    if not out.absolute().parent.is_dir():
        raise CommandFailed(f"There is no folder {out.absolute().parent}. Make it first.")
    opened = read_layout(source, case)
    save_collage(opened.document, out)
    return _imported(out, opened)


def _imported(path: Path, opened: Opened) -> _Imported:
    return _Imported(path, len(opened.document.layers), opened.notices)


def _import_all(source: Path, case: str, out: Path, *, skip_bad: bool) -> list[_Imported]:
    """All layouts into a folder; they take their places together, when every one is complete."""
    found = [one for one in layouts_in(source) if case in ("", one.name)]
    if not found:
        raise FormatError(f"{source.name} has no case {case}. Choose one that it has.")
    try:
        place = out if out.is_dir() else out.absolute().parent
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=place) as temporary:
            done = _save_all(found, Path(temporary), skip_bad=skip_bad)
            out.mkdir(exist_ok=True)
            for one in done:
                os.replace(one.path, out / one.path.name)
    except OSError as error:
        raise write_failure(out, error) from error
    return [_Imported(out / one.path.name, one.regions, one.notices) for one in done]


def _save_all(found: Sequence[Layout], folder: Path, *, skip_bad: bool) -> list[_Imported]:
    done, trouble = list[_Imported](), ""
    for layout in found:
        try:
            opened = layout.read()
        except FormatError as error:
            if not skip_bad:
                raise
            trouble = str(error)
            warn(f"Left out: {trouble}")
            continue
        path = folder / f"{file_name(layout.name)}{_COLLAGE}"
        if path.exists():
            raise FormatError(f"Two layouts are named {layout.name}. Import them with --case.")
        save_collage(opened.document, path)
        done.append(_imported(path, opened))
    if not done:
        raise FormatError(trouble)
    return done


def add_layout_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--layout` to the arguments of `collage-studio export`."""
    parser.add_argument(
        "--layout", choices=tuple(LAYOUT_FORMATS),
        help="places and texts alone: into a folder, or a .json for rich-context",
    )  # fmt: skip


def export_as_layout(document: Document, args: argparse.Namespace) -> ExportReport:
    """Write what `export --layout` asks for."""
    if args.layout != "rich-context" and args.out.suffix:
        raise BadUsage(f"This layout needs a folder, and {args.out.name} is a file.")
    if args.layout == "rich-context" and args.out.suffix.lower() != ".json":
        raise BadUsage(f"{args.out.name} must end in .json.")
    return export_layout(document, args.out, args.layout, args.input.stem)
