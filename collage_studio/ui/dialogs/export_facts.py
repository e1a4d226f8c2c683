"""What an exported file will hold, as lines for the export sheet."""

from __future__ import annotations

from collage_studio.document.model import Document

FORMAT_NAMES = {".psd": "PSD", ".png": "PNG", ".ora": "OpenRaster", ".collage": "Collage"}

Fact = tuple[str, str, str]


def counted(count: int, what: str) -> str:
    """ "1 layer", "13 layers"."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def facts(document: Document, suffix: str) -> tuple[Fact, ...]:
    """(icon, what, detail) of each thing in a file with this suffix."""
    accepted = document.accepted
    picture: Fact = (
        ("harmonise", "Harmonised picture", f"seed {accepted.recipe.seed}")
        if accepted
        else ("same", "Collage as placed", "nothing accepted yet")
    )
    recipe: Fact = ("reroll", "Recipe", "texts, noise, caption")
    if suffix == ".png":
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
    if suffix == ".collage" and document.variations:
        lines.append(("compare", counted(len(document.variations), "variation"), "not accepted"))
    if suffix != ".ora":
        lines.append(recipe)
    return tuple(lines)
