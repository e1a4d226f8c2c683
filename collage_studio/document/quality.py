"""How well a variation shows what each layer asks for, as its recipe keeps it.

An engine that can measure it writes `quality` into the recipe's entry of a layer: `text`, how well
the layer's box shows its text, and `box`, how well what is seen fills the box; both 0..1, 1 = well.
`identity` is the cosine of the layer's embeddings before and after, 1 = it is what it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from collage_studio.document.model import Variation
from collage_studio.document.recipe import Recipe

GOOD = 0.5
"""From here on a layer matches its text, and fits its box."""


@dataclass(frozen=True, slots=True)
class LayerQuality:
    """What was measured of one layer; None where it was not.

    Args:
        text, box: 0..1.
        identity: -1..1; no part of how well the layer does, as a re-roll may be meant to change it.
    """

    text: float | None = None
    box: float | None = None
    identity: float | None = None

    @property
    def overall(self) -> float | None:
        """The mean of what is known."""
        known = [value for value in (self.text, self.box) if value is not None]
        return sum(known) / len(known) if known else None

    @property
    def is_good(self) -> bool:
        """Nothing that is known falls short."""
        return all(value is None or value >= GOOD for value in (self.text, self.box))

    @property
    def sentence(self) -> str:
        """ "Matches its text 92 %, fits its box 80 %."; empty if nothing is known."""
        said = list[str]()
        if self.text is not None:
            verb = "matches its text" if self.text >= GOOD else "hardly matches its text"
            said.append(f"{verb} {self.text:.0%}")
        if self.box is not None:
            verb = "fits its box" if self.box >= GOOD else "hardly fits its box"
            said.append(f"{verb} {self.box:.0%}")
        words = ", ".join(said).replace("%", " %")
        return f"{words[0].upper()}{words[1:]}." if words else ""


def quality_of(recipe: Recipe, layer_id: str) -> LayerQuality:
    """What the recipe knows of one layer; recipes may come from any file."""
    for entry in recipe.layers:
        found = entry.get("quality")
        if entry.get("id") == layer_id and isinstance(found, Mapping):
            told = cast(Mapping[str, Any], found)
            text, box = _share(told.get("text")), _share(told.get("box"))
            return LayerQuality(text, box, _share(told.get("identity"), -1.0))
    return LayerQuality()


def overall(recipe: Recipe) -> float | None:
    """The mean over the layers that were measured; None if none was."""
    found = (quality_of(recipe, str(entry.get("id"))).overall for entry in recipe.layers)
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if known else None


def best_first(variations: Sequence[Variation]) -> list[Variation]:
    """By quality where all of them were measured, otherwise as they are."""
    scores = [overall(variation.recipe) for variation in variations]
    if any(score is None for score in scores):
        return list(variations)
    order = sorted(range(len(scores)), key=lambda place: -(scores[place] or 0.0))
    return [variations[place] for place in order]


def _share(value: Any, least: float = 0.0) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return min(1.0, max(least, float(value)))
