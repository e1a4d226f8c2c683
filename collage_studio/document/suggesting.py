"""Suggested noise, attention weights and control of a layer, from how it lies in the collage.

Backgrounds get much noise and loose words; small things in front get little noise and firm words,
as the users of Collage Diffusion set them. Only geometry is read, no pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from collage_studio.document.edits import change_layers
from collage_studio.document.model import Document, Layer, LayerKind
from collage_studio.document.tree import Extent, Node, extent, nodes

BACKGROUND_SHARE = 0.9
"""A layer that covers at least this much of the canvas, with none such below, is a background."""


@dataclass(frozen=True, slots=True)
class Lie:
    """How a layer lies in the collage.

    Args:
        size: the longer of its sides on the canvas, as a part of the canvas's, in [0, 1].
        area: of its box on the canvas, as a part of the canvas's area, in [0, 1].
        in_front: part of the other layers that lie in front of it, in [0, 1]; 0 = the frontmost.
        is_background: it fills the canvas, and nothing below it does.
    """

    size: float
    area: float
    in_front: float
    is_background: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Values for one layer: noise and control in [0, 1], w+ and w- >= 0, two decimals each."""

    noise: float
    attention_in: float
    attention_out: float
    control: float

    def fits(self, layer: Layer) -> bool:
        """Whether the layer has these values."""
        return self.put_on(layer) is layer

    def put_on(self, layer: Layer) -> Layer:
        """The layer with these values; the very same one if it has them."""
        after = replace(
            layer,
            noise=self.noise,
            attention_in=self.attention_in,
            attention_out=self.attention_out,
            extras=replace(layer.extras, control=self.control),
        )
        return layer if after == layer else after


Rule = Callable[[Lie], Suggestion]


def by_role(lie: Lie) -> Suggestion:
    """Our rule: by role first, then by size and stacking.

    Noise rises with size and with what lies in front; words are firm on small layers and loose on
    large ones. The numbers lie near the presets of the Collage Diffusion release, with less noise:
    a layer's look is lost sooner than it is harmonised.
    """
    if lie.is_background:
        return Suggestion(noise=0.65, attention_in=0.2, attention_out=0.2, control=0.1)
    return Suggestion(
        noise=round(0.25 + 0.3 * lie.size + 0.1 * lie.in_front, 2),
        attention_in=round(0.75 - 0.4 * lie.size, 2),
        attention_out=round(0.75 - 0.4 * lie.size, 2),
        control=round(0.6 - 0.2 * lie.size, 2),
    )


def as_released(lie: Lie) -> Suggestion:
    """The rule of the Collage Diffusion release: by size; the frontmost layer has noise 0.4."""
    noise = 0.4 if lie.in_front == 0 else 0.5 + 0.2 * lie.size
    return Suggestion(
        noise=round(noise, 2),
        attention_in=round(0.2 + 0.4 * (1 - lie.size), 2),
        attention_out=round(0.9 - 0.5 * lie.size, 2),
        control=round(0.3 + 0.6 * (1 - lie.size), 2),
    )


def lies(document: Document, ids: Collection[str]) -> dict[str, Lie]:
    """How visible layers with pixels lie, by id; not of groups, hidden ones, the background."""
    shown = [
        node
        for node in nodes(document.layers)
        if node.is_shown and node.layer.kind not in (LayerKind.GROUP, LayerKind.LAYOUT)
    ]
    measures = [_measures(document, node) for node in shown]
    filling = next((i for i, (_, area) in enumerate(measures) if area >= BACKGROUND_SHARE), None)
    last = len(shown) - 1
    return {
        node.layer.id: Lie(size, area, (last - place) / max(last, 1), place == filling)
        for place, (node, (size, area)) in enumerate(zip(shown, measures, strict=True))
        if node.layer.id in ids
    }


def suggestions_for(
    document: Document, ids: Collection[str], rule: Rule = by_role
) -> dict[str, Suggestion]:
    """What a rule says about each layer that `lies` knows."""
    return {layer_id: rule(lie) for layer_id, lie in lies(document, ids).items()}


def with_suggestions(document: Document, ids: Collection[str], rule: Rule = by_role) -> Document:
    """The document with the suggested values on these layers; others stay as they are."""
    said = suggestions_for(document, set(ids), rule)
    return change_layers(document, said, lambda layer: said[layer.id].put_on(layer))


def _measures(document: Document, node: Node) -> tuple[float, float]:
    """The longer side and the area of what lies on the canvas, as parts of the canvas's."""
    canvas = document.size
    box = extent(node.layer, node.outer, canvas)
    if box is None:
        return 0.0, 0.0
    left, top, right, bottom = _clipped(box, canvas.width, canvas.height)
    width, height = (right - left) / canvas.width, (bottom - top) / canvas.height
    return max(width, height), width * height


def _clipped(box: Extent, width: int, height: int) -> Extent:
    left, top, right, bottom = (0.0 if math.isnan(value) else value for value in box)
    return (
        min(max(left, 0.0), width),
        min(max(top, 0.0), height),
        min(max(right, 0.0), width),
        min(max(bottom, 0.0), height),
    )
