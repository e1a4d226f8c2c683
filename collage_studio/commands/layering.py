"""The command layers: every layer of an accepted picture, each by itself, at its source's size."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from collage_studio.app.reading import read_any
from collage_studio.app.writing_back import needs_write_back, written_back
from collage_studio.commands.console import CommandFailed, say, say_json, warn
from collage_studio.document.change import LayerChange, layer_change
from collage_studio.document.compositing import composite_picture
from collage_studio.document.edits import accept_variation
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, Layer, Raster, Variation
from collage_studio.document.quality import quality_of
from collage_studio.formats.atomic import replacing
from collage_studio.formats.export import export_document
from collage_studio.formats.picture import to_8_bit
from collage_studio.formats.pixels_png import encode_png
from collage_studio.writeback.sharpness import full_size


@dataclass(frozen=True, slots=True)
class _Written:
    layer: Layer
    path: Path
    change: LayerChange | None
    identity: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `collage-studio layers`."""
    parser.add_argument("input", type=Path, metavar="IN", help=".collage with a variation")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="folder for a PNG of each layer"
    )
    parser.add_argument("--seed", type=int, help="take this variation instead of the accepted one")
    parser.add_argument("--psd", action="store_true", help="write the layered PSD as well")
    parser.add_argument("--json", action="store_true", help="say the outcome as JSON")


def layers(args: argparse.Namespace) -> int:
    """Give a picture back to its layers and write each of them."""
    if args.out.is_file():
        raise CommandFailed(f"{args.out.name} is a file. Give a folder for the layers.")
    opened = read_any(args.input)
    for notice in opened.notices:
        warn(notice)
    document = _chosen(opened.document, args.seed, args.input.name)
    if needs_write_back(document):
        document = written_back(document)
    args.out.mkdir(parents=True, exist_ok=True)
    found = list(_write_layers(document, args.out))
    if args.psd:
        export_document(document, args.out / f"{args.input.stem}.psd")
    if args.json:
        say_json([{**_facts(item), "path": str(item.path)} for item in found])
    else:
        for item in found:
            say(_sentence(item))
    return 0


def _chosen(document: Document, seed: int | None, name: str) -> Document:
    """The document with the variation of this seed accepted; the newest if none is."""
    if seed is None and document.accepted is not None:
        return document
    variations = [v for v in document.variations if seed is None or v.recipe.seed == seed]
    if not variations:
        which = "no picture" if seed is None else f"no picture of seed {seed}"
        raise CommandFailed(f"{name} holds {which} yet. Run collage-studio render on it first.")
    newest: Variation = variations[-1]
    return accept_variation(document, newest.id)


def _write_layers(document: Document, folder: Path) -> Iterator[_Written]:
    accepted = document.accepted
    assert accepted is not None
    before, after = composite_picture(document), to_8_bit(accepted.picture.pixels[..., :3])
    masks, taken = visible_masks(document), set[str]()
    for layer in (*document.beside, *document.walk()):
        picture = _picture(layer)
        if picture is None:
            continue
        path = folder / f"{_file_name(layer.name, taken)}.png"
        _write(path, encode_png(picture.pixels))
        mask = masks.get(layer.id)
        change = None if mask is None else layer_change(before, after, mask)
        yield _Written(layer, path, change, quality_of(accepted.recipe, layer.id).identity)


def _write(path: Path, data: bytes) -> None:
    with replacing(path, len(data)) as file:
        file.write(data)


def _picture(layer: Layer) -> Raster | None:
    """At full size where the layer has pixels of its own; None without harmonised pixels."""
    if layer.raster is not None and layer.harmonised is not None:
        return full_size(layer)
    return layer.harmonised or (layer.raster if layer.id.startswith("written-back") else None)


def _file_name(name: str, taken: set[str]) -> str:
    plain = re.sub(r"[^\w\- ]+", "", name).strip()[:80] or "Layer"
    found, number = plain, 2
    while found.casefold() in taken:
        found, number = f"{plain} {number}", number + 1
    taken.add(found.casefold())
    return found


def _facts(item: _Written) -> dict[str, object]:
    change = asdict(item.change) if item.change else {}
    identity = {} if item.identity is None else {"identity": item.identity}
    return {"id": item.layer.id, "name": item.layer.name, **change, **identity}


def _sentence(item: _Written) -> str:
    if item.change is None:
        return f"{item.path.name}: {item.layer.name}."
    if item.change.is_untouched:
        return f"{item.path.name}: provably untouched."
    figures = f"Delta E {item.change.colour:.1f}, structure kept {item.change.structure:.2f}"
    kept = "" if item.identity is None else f", identity kept {item.identity:.2f}"
    return f"{item.path.name}: {figures}{kept}."
