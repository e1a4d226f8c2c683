"""Which layers are no longer as the accepted variation saw them."""

from __future__ import annotations

from typing import Any

from collage_studio.document.model import Document, Layer


def stale_word(document: Document, layer: Layer) -> str:
    """ "new", "moved" or "edited" since the accepted variation was made; "" if nothing changed."""
    accepted = document.accepted
    if accepted is None or layer.is_group:
        return ""
    known = next((item for item in accepted.recipe.layers if item.get("id") == layer.id), None)
    if known is None:
        return "new" if accepted.recipe.layers else ""
    if "placement" in known and _numbers(known["placement"]) != layer.placement.as_tuple():
        return "moved"
    return "edited" if known.get("text", layer.text) != layer.text else ""


def _numbers(stored: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in stored)
