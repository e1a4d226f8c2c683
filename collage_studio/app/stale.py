"""Which layers are no longer as a variation's run saw them: the one rule for rows and canvas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collage_studio.document.model import Document, Layer, LayerKind, Variation
from collage_studio.engine.api import describe_look

NEW, MOVED, EDITED = "new", "moved", "edited"


@dataclass(frozen=True, slots=True)
class Stale:
    """What happened to a layer since the run.

    Args:
        word: NEW, MOVED or EDITED.
        is_seen: the layer looks or lies otherwise; False where only its text changed.
    """

    word: str
    is_seen: bool


def stale_layers(document: Document, variation: Variation | None) -> dict[str, Stale]:
    """The layers that differ from what the recipe of `variation` says of them, back to front.

    Only what the recipe holds is compared. Groups are not named; what moves a group moves what is
    inside it.
    """
    known = {str(entry.get("id")): entry for entry in variation.recipe.layers} if variation else {}
    found: dict[str, Stale] = {}
    if known:
        for layer in (document.background, *document.layers):
            _compare(layer, known, "", found)
    return found


def what_changed(document: Document) -> tuple[str, ...]:
    """Ids of the layers that came, moved, were edited or went since the picture was accepted."""
    accepted = document.accepted
    if accepted is None or accepted.picture.size != document.size:
        return ()
    return (*stale_layers(document, accepted), *_gone(document, accepted))


def _gone(document: Document, accepted: Variation) -> tuple[str, ...]:
    there = {document.background.id, *(layer.id for layer in document.walk())}
    entries = accepted.recipe.layers
    seen = (entry for entry in entries if entry.get("pixels") and entry.get("visible", True))
    return tuple(key for entry in seen if (key := str(entry.get("id"))) not in there)


def _compare(
    layer: Layer, known: Mapping[str, Mapping[str, Any]], around: str, found: dict[str, Stale]
) -> None:
    """`around`: what happened to a group that holds the layer."""
    entry = known.get(layer.id)
    own = NEW if entry is None else _word_of_look(layer, entry)
    word = next((w for w in (NEW, MOVED, EDITED) if w in (own, around)), "")
    if layer.is_group:
        # That a group is new says nothing of the layers put into it.
        passed = around if own == NEW else word
        for child in layer.children:
            _compare(child, known, passed, found)
        return
    if word:
        found[layer.id] = Stale(word, layer.kind is LayerKind.PICTURE)
    elif entry is not None and entry.get("text", layer.text) != layer.text:
        found[layer.id] = Stale(EDITED, False)


def _word_of_look(layer: Layer, entry: Mapping[str, Any]) -> str:
    if "placement" in entry and _numbers(entry["placement"]) != layer.placement.as_tuple():
        return MOVED
    look = describe_look(layer)
    return EDITED if any(entry.get(key, now) != now for key, now in look.items()) else ""


def _numbers(stored: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in stored)
