"""Takes suggested values for layers, and gives back the ones they had before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto

from collage_studio.app.editor import Editor
from collage_studio.document.edits import change_layers
from collage_studio.document.model import Layer
from collage_studio.document.suggesting import Suggestion, suggestions_for

Values = tuple[float, float, float, float]
"""Noise, w+, w- and control of a layer."""


class Offer(Enum):
    """What can be done about a suggestion."""

    NONE = auto()
    TAKE = auto()
    TAKE_BACK = auto()


class Suggestions:
    """Knows what a suggestion replaced, as long as the program runs."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._before: dict[str, Values] = {}

    def offer(self, ids: Sequence[str]) -> tuple[Offer, Suggestion | None]:
        """What to offer for these layers, and the suggestion for the last one that has any.

        `TAKE_BACK` where all of them already have their suggested values.
        """
        found = self._found(ids)
        if not found:
            return Offer.NONE, None
        fits = all(suggestion.fits(layer) for layer, suggestion in found)
        return Offer.TAKE_BACK if fits else Offer.TAKE, found[-1][1]

    def take(self, ids: Sequence[str]) -> None:
        """Put the suggested values on the layers, as one edit."""
        found = {layer.id: (layer, s) for layer, s in self._found(ids)}
        changed = {i: pair for i, pair in found.items() if not pair[1].fits(pair[0])}
        self._before |= {layer_id: values_of(layer) for layer_id, (layer, _) in changed.items()}
        self._editor.apply(
            lambda document: change_layers(
                document, changed, lambda layer: changed[layer.id][1].put_on(layer)
            ),
            "Use suggested values",
        )

    def take_back(self, ids: Sequence[str]) -> None:
        """Give the layers what they had before, or a plain layer's values, as one edit."""
        found = [layer.id for layer, _ in self._found(ids)]
        self._editor.apply(
            lambda document: change_layers(document, found, self._as_before),
            "Take back suggested values",
        )

    def _as_before(self, layer: Layer) -> Layer:
        plain = values_of(Layer("", "", layer.kind, layer.raster, layer.mask))
        noise, inside, outside, control = self._before.get(layer.id, plain)
        return replace(
            layer,
            noise=noise,
            attention_in=inside,
            attention_out=outside,
            extras=replace(layer.extras, control=control),
        )

    def _found(self, ids: Sequence[str]) -> list[tuple[Layer, Suggestion]]:
        document = self._editor.document
        said = suggestions_for(document, set(ids))
        pairs = [(document.find(layer_id), said.get(layer_id)) for layer_id in ids]
        return [(layer, value) for layer, value in pairs if layer is not None and value is not None]


def values_of(layer: Layer) -> Values:
    """What a suggestion would replace."""
    return layer.noise, layer.attention_in, layer.attention_out, layer.extras.control
