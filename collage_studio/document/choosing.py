"""Edits of the variations: add, accept, drop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from collage_studio.document.model import Document, Layer, NextState, Variation
from collage_studio.document.stacking import change_layers


def add_variations(document: Document, variations: Sequence[Variation]) -> Document:
    """Append outcomes of a run."""
    if not variations:
        return document
    return replace(document, variations=(*document.variations, *variations))


def accept_variation(document: Document, variation_id: str) -> Document:
    """Take a variation: its run leaves the strip and the layers it re-rolled lose their mark."""
    chosen = _find(document, variation_id)
    if chosen is None:
        return document
    rest = tuple(one for one in document.variations if one.run != chosen.run)
    unmarked = change_layers(document, chosen.recipe.layer_ids, _unmarked)
    return replace(unmarked, accepted=chosen, variations=rest)


def drop_variation(document: Document, variation_id: str) -> Document:
    """Remove one variation from the strip."""
    if _find(document, variation_id) is None:
        return document
    rest = tuple(one for one in document.variations if one.id != variation_id)
    return replace(document, variations=rest)


def _find(document: Document, variation_id: str) -> Variation | None:
    return next((one for one in document.variations if one.id == variation_id), None)


def _unmarked(layer: Layer) -> Layer:
    if layer.state is not NextState.REROLL:
        return layer
    return replace(layer, state=NextState.HARMONISE)
