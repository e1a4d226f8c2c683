"""What an exported file will hold, as lines for the export sheet."""

from __future__ import annotations

from collage_studio.document.model import Document
from collage_studio.formats.export import EXPORT_FORMATS, ExportOptions
from collage_studio.formats.export_losses import export_losses
from collage_studio.formats.flat import exportable_layers
from collage_studio.formats.picture import accepted_raster
from collage_studio.formats.psd_kept import text_layers

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
LAYERED = (".psd", ".psb")
FLAT = (".png", ".webp", ".jpg", ".avif", ".tif")
WITH_RECIPE = (*LAYERED, *FLAT, ".ora")
"""Kinds that hold the recipe if asked; a .collage always does."""

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


def facts(
    document: Document, suffix: str, options: ExportOptions | None = None
) -> tuple[Fact, ...]:
    """(icon, what, detail) of each thing in a file of this kind."""
    options = options or ExportOptions()
    accepted = document.accepted
    picture: Fact = (
        ("harmonise", "Harmonised picture", f"seed {accepted.recipe.seed}")
        if accepted
        else ("same", "Collage as placed", "nothing accepted yet")
    )
    recipe: tuple[Fact, ...] = ()
    if suffix == ".collage" or (options.recipe and suffix in WITH_RECIPE):
        what = "texts, noise, seeds" if accepted else "texts, noise, caption"
        recipe = (("reroll", "Recipe", what),)
    if suffix in (".gif", TURNS):
        return ("same", "Collage as placed", "shown first"), picture
    if suffix == LAYERS:
        count = sum(1 for _ in exportable_layers(document))
        return (("group", counted(count, "PNG file"), "as each looks on the canvas"),)
    if suffix in FLAT:
        return picture, *recipe
    paint = _paint_facts(document, suffix, options)
    if suffix in LAYERED:
        return *_psd_facts(document, options), *recipe, *paint
    lines = [*_layer_facts(document)]
    if accepted is not None:
        lines.append(picture)
    if suffix == ".collage" and document.variations:
        lines.append(("compare", counted(len(document.variations), "variation"), "not accepted"))
    return *lines, *recipe, *paint


def _paint_facts(document: Document, suffix: str, options: ExportOptions) -> tuple[Fact, ...]:
    """Painted noise: of how many layers, or that this kind of file cannot hold it."""
    painted = sum(1 for layer in document.walk() if layer.noise_paint is not None)
    if not painted:
        return ()
    if export_losses(document, suffix, options):
        return (("warning", "Painted noise", "not in this file, kept in the .collage"),)
    return (("noise-brush", "Painted noise", counted(painted, "layer")),)


def _layer_facts(document: Document, *, has_masks: bool = True) -> tuple[Fact, ...]:
    layers = [layer for layer in document.walk() if not layer.is_group]
    groups = sum(1 for layer in document.walk() if layer.is_group)
    words = counted(len(layers), "layer") + (f", {counted(groups, 'group')}" if groups else "")
    masks = sum(1 for layer in layers if layer.mask is not None) if has_masks else 0
    all_layers: Fact = ("group", words, "names, order, blend, opacity")
    return all_layers, *([("mask", counted(masks, "mask"), "soft edges kept")] if masks else [])


def _psd_facts(document: Document, options: ExportOptions) -> tuple[Fact, ...]:
    accepted = document.accepted if accepted_raster(document) is not None else None
    has_own = options.originals or accepted is None
    lines = [*_layer_facts(document, has_masks=has_own)]
    if accepted is not None:
        seed = accepted.recipe.seed
        lines.append(("harmonise", "Harmonised pixels", f"one set per layer, seed {seed}"))
    if accepted is not None and has_own:
        pictures = sum(1 for layer in document.walk() if layer.raster is not None)
        lines.append(("eye-off", "Originals", f"{counted(pictures, 'picture')}, hidden group"))
    texts = len(text_layers(document)) if options.editable_text and has_own else 0
    if texts:
        lines.append(("text", counted(texts, "text"), "editable, experimental"))
    return tuple(lines)
