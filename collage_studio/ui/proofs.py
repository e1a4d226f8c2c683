"""How much a variation changed, counted in the pictures themselves: per layer, and outside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from collage_studio.document.change import Picture, layer_change
from collage_studio.document.compositing import composite_picture
from collage_studio.document.edits import change_layers
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, Variation
from collage_studio.document.noise_map import noise_map
from collage_studio.document.quality import LayerQuality, quality_of
from collage_studio.document.recipe import Recipe, Start
from collage_studio.ui.background import Background

Floats = npt.NDArray[np.float32]
Region = npt.NDArray[np.bool_]
ALONE = 1.0 - 1e-4
"""From this share on a pixel is the layer's own, as the noise map counts what it keeps."""
_SCALE = 25.0
_KEPT = 64


@dataclass(frozen=True, slots=True)
class Change:
    """How much one layer differs from the picture before.

    Args:
        own: pixels that show this layer alone.
        differing: of these, how many differ at all.
        colour: mean Delta E 2000 inside the visible mask.
        form: [0, 1], structure lost: 1 - SSIM of lightness inside the mask.
        quality: how well the layer shows what it asks for, where the run measured it.
    """

    own: int
    differing: int
    colour: float
    form: float
    quality: LayerQuality = field(default_factory=LayerQuality)

    @property
    def is_same(self) -> bool:
        """Not one of its pixels differs."""
        return self.own > 0 and self.differing == 0

    @property
    def amount(self) -> int:
        """0..100; 0 only where nothing differs."""
        if self.is_same:
            return 0
        return max(1, round(100 * (1 - math.exp(-(self.colour / _SCALE + self.form)))))

    @property
    def badge(self) -> str:
        """ "= 0 px" or "△ 22" without its sign, which is an icon; "22 !" where it falls short."""
        falls_short = "" if self.quality.is_good else " !"
        return "0 px" if self.is_same else f"{self.amount}{falls_short}"

    @property
    def sentence(self) -> str:
        """The figures, for a tooltip."""
        if self.is_same:
            return f"Provably untouched: not one of its {self.own:,} own pixels differs."
        kept = f"structure kept {1 - self.form:.2f}"
        identity = self.quality.identity
        kept += "" if identity is None else f", identity kept {identity:.2f}"
        said = f"Changed {self.amount} of 100: colour {self.colour:.1f} ΔE 2000, {kept}."
        return f"{self.quality.sentence}\n{said}".strip()


@dataclass(frozen=True, slots=True)
class Proof:
    """What was counted for one variation.

    Args:
        changes: by layer id; layers that are nowhere visible are left out.
        outside: of a re-roll, pixels that differ where its noise map is 0; None otherwise.
    """

    changes: Mapping[str, Change] = field(default_factory=dict[str, Change])
    outside: int | None = None


def proof_of(document: Document, variation: Variation) -> Proof:
    """Compare `variation` with the picture before it: the accepted one, else the composite.

    Args:
        document: as the run saw it.
    """
    if variation.picture.size != document.size:
        return Proof()
    before, after = _before(document), variation.picture.pixels[..., :3]
    if before.dtype != after.dtype:
        before, after = _eight_bit(before), _eight_bit(after)
    differs = np.any(before != after, axis=2)
    shown = _eight_bit(before), _eight_bit(after)
    changes = {
        layer_id: replace(
            _change(*shown, differs, mask), quality=quality_of(variation.recipe, layer_id)
        )
        for layer_id, mask in visible_masks(document).items()
        if mask.max() > 0.5
    }
    return Proof(changes, _outside(document, variation.recipe, differs))


def outside_words(document: Document, variation: Variation, proof: Proof) -> str:
    """ "0 px changed outside Tent"; empty where nothing was re-rolled."""
    if proof.outside is None:
        return ""
    ids = variation.recipe.layer_ids
    names = [layer.name for layer in map(document.find, ids) if layer is not None]
    where = names[0] if len(names) == 1 else f"{len(ids)} layers"
    return f"{proof.outside:,} px changed outside {where}"


class Proofs:
    """The last proofs by variation, each counted once, beside the main thread."""

    def __init__(self, background: Background, arrived: Callable[[str], None]) -> None:
        """Args: arrived: called with the variation's id when its proof is there."""
        self._background, self._arrived = background, arrived
        self._proofs: dict[str, Proof | None] = {}

    def get(self, variation: Variation | None) -> Proof | None:
        """What was counted; None while it is not known."""
        return self._proofs.get(variation.id) if variation is not None else None

    def request(self, document: Document, variation: Variation) -> None:
        """Count for `variation`, made from `document`, unless that was done or has begun."""
        if variation.id in self._proofs:
            return
        self._proofs[variation.id] = None
        while len(self._proofs) > _KEPT:
            del self._proofs[next(iter(self._proofs))]
        self._background.submit(
            lambda: proof_of(document, variation), lambda proof: self._take(variation.id, proof)
        )

    def _take(self, variation_id: str, proof: Proof) -> None:
        self._proofs[variation_id] = proof
        self._arrived(variation_id)


def _before(document: Document) -> npt.NDArray[Any]:
    accepted = document.accepted
    if accepted is not None and accepted.picture.size == document.size:
        return accepted.picture.pixels[..., :3]
    return composite_picture(document)


def _outside(document: Document, recipe: Recipe, differs: Region) -> int | None:
    """Differing pixels where the noise map of the re-rolled layers is exactly 0.

    None too where the run was to change more than its layers.
    """
    ids = recipe.layer_ids
    if not ids or recipe.also:
        return None
    settings = recipe.settings
    if recipe.start is Start.NOISE:
        inside = [part.id for i in ids if (layer := document.find(i)) for part in layer.walk()]
        document = change_layers(
            document, inside, lambda layer: replace(layer, noise=1.0, noise_paint=None)
        )
        settings = replace(settings, noise_scale=1.0)
    may_change = noise_map(document, settings, only=ids) > 0
    return int(np.count_nonzero(differs & ~may_change))


def _change(before: Picture, after: Picture, differs: Region, mask: Floats) -> Change:
    own = mask >= ALONE
    if not own.any():
        own = mask > 0.5
    found = layer_change(before, after, mask)
    colour, form = (found.colour, 1.0 - found.structure) if found else (0.0, 0.0)
    return Change(
        int(np.count_nonzero(own)),
        int(np.count_nonzero(differs & own)),
        colour,
        min(1.0, max(0.0, form)),
    )


def _eight_bit(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
