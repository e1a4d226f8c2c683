"""The commands export and info: they read a file and run no model."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from collage_studio.app.reading import read_any
from collage_studio.app.writing_back import for_layered_file
from collage_studio.commands.console import BadUsage, say, say_json, warn
from collage_studio.commands.importing import add_layout_argument, export_as_layout
from collage_studio.commands.outputs import check_output
from collage_studio.commands.running import layer_id_of
from collage_studio.document.model import Document, Layer, LayerKind
from collage_studio.formats.errors import FormatError
from collage_studio.formats.export import (
    ExportOptions,
    ExportReport,
    export_document,
    export_layer,
    export_layers,
)
from collage_studio.formats.flat import WHITE
from collage_studio.formats.opened import Opened
from collage_studio.formats.png import read_recipe
from collage_studio.formats.psd_kept import text_layers


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="IN", help=".collage, .ora, .psd or a picture")
    parser.add_argument(
        "-o", "--out", type=Path, required=True,
        help=".psd, .psb, .png, .tif, .webp, .jpg, .avif, .gif, .ora, .collage or a folder",
    )  # fmt: skip
    parser.add_argument("--depth", type=int, choices=(8, 16), default=0, help="bits per channel")
    parser.add_argument(
        "--times",
        type=int,
        choices=(1, 2, 4),
        default=1,
        help="the canvas's size",
    )
    parser.add_argument(
        "--background", type=parse_colour, default=WHITE, help="of JPEG, such as #ffffff"
    )
    parser.add_argument(
        "--layer", action="append", help="name or id; only this one, as a clear PNG; repeatable"
    )
    parser.add_argument("--each", action="store_true", help="each layer as a PNG into a folder")
    parser.add_argument(
        "--before-after", action="store_true", help="an animated .webp of both; .gif always is"
    )
    parser.add_argument(
        "--originals", action=argparse.BooleanOptionalAction, default=True,
        help="the layers as placed, hidden beside an accepted picture in a PSD",
    )  # fmt: skip
    parser.add_argument(
        "--recipe", action=argparse.BooleanOptionalAction, default=True,
        help="texts, noise, seeds and caption inside the file",
    )  # fmt: skip
    parser.add_argument(
        "--editable-text", action="store_true",
        help="text layers of an imported PSD as text again, wherever they lie (experimental)",
    )  # fmt: skip
    add_layout_argument(parser)
    parser.add_argument("--json", action="store_true", help="say the outcome as JSON")


def export(args: argparse.Namespace) -> int:
    """Write a document in another format and read it back."""
    has_layers = bool(args.layer) or args.each
    is_flat = args.out.is_dir() and not has_layers
    out: Path = args.out / f"{args.input.stem}.png" if is_flat else args.out
    if not args.layout and (not has_layers or out.suffix):
        check_output(out)
    opened = read_any(args.input)
    for notice in (*opened.losses, *opened.notices):
        warn(notice)
    if args.layout:
        report = export_as_layout(opened.document, args)
    elif has_layers:
        report = _export_layers(args, opened.document)
    else:
        report = _export_whole(args, opened.document, out)
    if args.json:
        data = {"path": str(report.path), "bytes": report.bytes, "checked": report.checked}
        say_json({**data, "losses": report.losses} if report.losses else data)
    else:
        say(report.sentence)
    return 0


def _export_whole(args: argparse.Namespace, document: Document, out: Path) -> ExportReport:
    if args.editable_text and not text_layers(document):
        warn("No layer came from a text layer, so nothing is written as text.")
    options = ExportOptions(
        args.depth,
        args.background,
        args.before_after,
        factor=args.times,
        originals=args.originals,
        recipe=args.recipe,
        editable_text=args.editable_text,
    )
    return export_document(for_layered_file(document, out), out, options)


def _export_layers(args: argparse.Namespace, document: Document) -> ExportReport:
    """Layers as clear PNG files: one into a file, or several into a folder."""
    ids = tuple(layer_id_of(document, name) for name in args.layer or ())
    if len(ids) == 1 and args.out.suffix:
        if args.out.suffix.lower() != ".png":
            raise BadUsage("A single layer is written as .png.")
        return export_layer(document, args.out, ids[0])
    if args.out.suffix:
        raise BadUsage(f"Several layers need a folder, and {args.out.name} is a file.")
    return export_layers(document, args.out, ids)


def parse_colour(text: str) -> tuple[int, int, int]:
    """A colour written as #rrggbb.

    Raises:
        argparse.ArgumentTypeError: the text says something else.
    """
    digits = text.removeprefix("#")
    if len(digits) != 6 or any(c not in "0123456789abcdefABCDEF" for c in digits):
        raise argparse.ArgumentTypeError(f"colours are written as #rrggbb, got {text!r}")
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def add_info_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="FILE", help="a collage, PSD or picture")
    parser.add_argument("--json", action="store_true", help="say everything as JSON")


def info(args: argparse.Namespace) -> int:
    """Say what is in a file."""
    opened = read_any(args.input)
    recipe = _recipe(args.input)
    if args.json:
        say_json(_data(opened, recipe))
    else:
        for line in _lines(args.input, opened, recipe):
            say(line)
    return 0


def _recipe(path: Path) -> dict[str, Any] | None:
    """The recipe in a PNG of ours; other files have theirs in the document or none."""
    if path.suffix.lower() != ".png":
        return None
    try:
        return read_recipe(path)
    except FormatError:
        return None


def _data(opened: Opened, recipe: dict[str, Any] | None) -> dict[str, Any]:
    document = opened.document
    accepted = document.accepted
    return {
        "size": [document.size.width, document.size.height],
        "caption": document.written_caption()[0],
        "layers": [_layer_data(layer) for layer in document.layers],
        "background": _layer_data(document.background),
        "settings": asdict(document.settings),
        "variations": [
            {"id": item.id, "run": item.run, "seed": item.recipe.seed, "kind": item.recipe.kind}
            for item in document.variations
        ],
        "accepted": asdict(accepted.recipe) if accepted else None,
        "recipe": recipe,
        "losses": opened.losses,
        "notices": opened.notices,
    }


def _layer_data(layer: Layer) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": layer.id,
        "name": layer.name,
        "kind": str(layer.kind),
        "text": layer.text,
        "noise": layer.noise,
        "noise_painted": layer.noise_paint is not None,
        "state": str(layer.state),
        "opacity": layer.opacity,
        "blend": str(layer.blend),
        "visible": layer.visible,
        "locked": layer.locked,
        "attention_in": layer.attention_in,
        "attention_out": layer.attention_out,
        "placement": layer.placement.as_tuple(),
    }
    if layer.kind is LayerKind.GROUP:
        data["children"] = [_layer_data(child) for child in layer.children]
    return data


def _lines(path: Path, opened: Opened, recipe: dict[str, Any] | None) -> list[str]:
    document, settings = opened.document, opened.document.settings
    caption = document.written_caption()[0] or "none"
    lines = [
        f"{path.name}: {document.size.width} × {document.size.height} px",
        f"Caption: {caption}",
        f"Model {settings.model}, {settings.method}, {settings.steps} steps, "
        f"guidance {settings.guidance:g}",
        "Layers, front to back:",
        *_layer_lines(document),
    ]
    if document.variations:
        seeds = ", ".join(str(item.recipe.seed) for item in document.variations)
        lines.append(f"Variations: seeds {seeds}")
    if document.accepted:
        lines.append(
            f"Accepted: {document.accepted.recipe.kind}, seed {document.accepted.recipe.seed}"
        )
    if recipe and recipe.get("recipe"):
        lines.append(f"Made from: {recipe.get('caption', '')}, seed {recipe['recipe'].get('seed')}")
    return [*lines, *opened.losses, *opened.notices]


def _layer_lines(document: Document) -> list[str]:
    lines = list[str]()

    def describe(layer: Layer, depth: int) -> None:
        marks = "".join(
            f", {word}"
            for word, is_so in (("hidden", not layer.visible), ("locked", layer.locked))
            if is_so
        )
        text = f' "{layer.text}"' if layer.text else ""
        painted = ", painted" if layer.noise_paint else ""
        noise = f"noise {round(layer.noise * 100)}{painted}, {layer.state}"
        lines.append(f"{'  ' * (depth + 1)}{layer.name}{text}: {noise}{marks}")
        for child in reversed(layer.children):
            describe(child, depth + 1)

    for layer in reversed(document.layers):
        describe(layer, 0)
    describe(document.background, 0)
    return lines
