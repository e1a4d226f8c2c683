"""What an exported file will hold, as lines for the export sheet."""

from __future__ import annotations

from collage_studio.document.harmonised import has_harmonised
from collage_studio.document.model import Document
from collage_studio.formats.export import EXPORT_FORMATS
from collage_studio.formats.flat import exportable_layers

FORMAT_NAMES = {".psd": "PSD", ".png": "PNG", ".ora": "OpenRaster", ".collage": "Collage"}
MORE, LAYERS, TURNS = "more", "layers", "turns.webp"
_MORE_NAMES = {
    ".webp": "WebP, without loss",
    ".jpg": "JPEG, on a plain background",
    ".avif": "AVIF, small",
    ".tif": "TIFF, without loss",
    ".psb": "PSB, for very large canvases",
    LAYERS: "Each layer as a clear PNG",
    TURNS: "Before and after, WebP",
    ".gif": "Before and after, GIF",
}
KNOWN_SUFFIXES = (*FORMAT_NAMES, ".webp", ".jpg", ".avif", ".tif", ".psb", ".gif")

Fact = tuple[str, str, str]


def counted(count: int, what: str) -> str:
    """ "1 layer", "13 layers"."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def more_names() -> dict[str, str]:
    """What "More" offers: a kind of file and its name."""
    possible = {item.suffix for item in EXPORT_FORMATS} | {LAYERS, TURNS}
    return {kind: name for kind, name in _MORE_NAMES.items() if kind in possible}


def suffix_of(kind: str) -> str:
    """How files of a kind end; empty for the folder of single layers."""
    return {LAYERS: "", TURNS: ".webp"}.get(kind, kind)


def facts(document: Document, suffix: str) -> tuple[Fact, ...]:
    """(icon, what, detail) of each thing in a file of this kind."""
    accepted = document.accepted
    picture: Fact = (
        ("harmonise", "Harmonised picture", f"seed {accepted.recipe.seed}")
        if accepted
        else ("same", "Collage as placed", "nothing accepted yet")
    )
    recipe: Fact = ("reroll", "Recipe", "texts, noise, caption")
    if suffix in (".gif", TURNS):
        return ("same", "Collage as placed", "shown first"), picture
    if suffix == LAYERS:
        count = sum(1 for _ in exportable_layers(document))
        return (("group", counted(count, "PNG file"), "as each looks on the canvas"),)
    if suffix in (".png", ".webp", ".jpg", ".avif", ".tif"):
        return picture, recipe
    layers = [layer for layer in document.walk() if not layer.is_group]
    groups = sum(1 for layer in document.walk() if layer.is_group)
    words = counted(len(layers), "layer") + (f", {counted(groups, 'group')}" if groups else "")
    masks = sum(1 for layer in layers if layer.mask is not None)
    lines: list[Fact] = [("group", words, "names, order, blend, opacity")]
    if masks:
        lines.append(("mask", counted(masks, "mask"), "soft edges kept"))
    if accepted is not None:
        lines.append(picture)
    if suffix in (".psd", ".psb") and has_harmonised(document):
        lines.append(("harmonise", "Harmonised layers", "a group beside the originals"))
    if suffix == ".collage" and document.variations:
        lines.append(("compare", counted(len(document.variations), "variation"), "not accepted"))
    if suffix != ".ora":
        lines.append(recipe)
    return tuple(lines)
