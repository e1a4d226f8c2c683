"""Joins variations: layers of one, the rest of another, and a short run over the seams alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.app.requests import lean
from collage_studio.app.stale import stale_layers
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, Layer, Mask, Raster, Variation
from collage_studio.document.noise_map import noise_map
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import Picture, RerollRequest

Floats: TypeAlias = "npt.NDArray[np.float32]"

SEAM_NOISE = 0.15
"""Noise of the run that joins: enough for light and edges to meet, too little for new objects."""
_FAINT = 0.02
_LEAST_SIGMA_PX = 4.0


def reason_against_taking(
    document: Document, layer_ids: Sequence[str], source: Variation, base: Variation
) -> str:
    """Why these layers of `source` cannot be put into `base`; empty if they can."""
    if source.id == base.id:
        return "This is the picture shown. Show another one to take the layer over to."
    if any(one.picture.size != document.size for one in (source, base)):
        return "The canvas has a new size since that variation was made. Harmonise again first."
    leaves = _leaves(document, layer_ids)
    if not any(layer.visible for layer in leaves):
        return "No visible layer is selected to take. Select one first."
    for variation in (source, base):
        for layer_id, found in stale_layers(document, variation).items():
            layer = document.find(layer_id)
            if found.is_seen and layer is not None:
                word = "is new" if found.word == "new" else f"was {found.word}"
                return (
                    f"{layer.name} {word} since one of these variations was made. Undo that, "
                    "or harmonise again."
                )
    return ""


def joined(document: Document, takes: Mapping[str, Variation], base: Variation) -> Picture:
    """P = (1 - sum of M_i) P_base + sum of M_i P_i over the taken leaves, (H, W, 3) uint8.

    M_i are the visible masks, P_i the picture of the variation that leaf i is taken from.
    """
    shares = _shares(document, takes)
    rest = np.ones(document.size.shape, np.float32)
    for share, _ in shares.values():
        rest -= share
    picture = _pixels(base) * np.clip(rest, 0, 1)[..., None]
    for share, variation in shares.values():
        picture += _pixels(variation) * share[..., None]
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def seams(document: Document, takes: Mapping[str, Variation], settings: RunSettings) -> Mask:
    """Noise of the joining run, 255 = 1: `SEAM_NOISE` where variations meet, feathered.

    Exactly 0 away from the seams and on kept layers.
    """
    sigma = max(_LEAST_SIGMA_PX, settings.softness * document.size.height / 512)
    band = np.zeros(document.size.shape, np.float32)
    for share, _ in _shares(document, takes).values():
        soft = cv2.GaussianBlur(share, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        np.maximum(band, np.asarray(4 * soft * (1 - soft), np.float32), out=band)
    band[band < _FAINT] = 0
    band[np.asarray(noise_map(document, settings)) <= 0] = 0
    return Mask(np.rint(np.clip(band, 0, 1) * (SEAM_NOISE * 255)).astype(np.uint8))


def mix_request(
    document: Document,
    takes: Mapping[str, Variation],
    base: Variation,
    seeds: Sequence[int],
    settings: RunSettings | None = None,
) -> RerollRequest:
    """A run that joins the layers of `takes` (layer or group id -> variation) with `base`.

    Every pixel away from the seams stays as its variation has it. Its recipe names the seed that
    each layer is from.
    """
    settings = replace(settings or document.settings, method="collage_diffusion", noise_scale=1.0)
    chosen = _by_leaf(document, takes)
    entries = {str(entry.get("id")): entry for entry in base.recipe.layers}
    for layer_id, variation in chosen.items():
        of_source = (e for e in variation.recipe.layers if e.get("id") == layer_id)
        entries.update((layer_id, entry) for entry in of_source)
    recipe = replace(base.recipe, layers=tuple(entries.values()))
    picture = Raster.from_rgb(joined(document, takes, base))
    begun = lean(replace(document, accepted=replace(base, picture=picture, recipe=recipe)))
    return RerollRequest(
        begun,
        (),
        tuple(seeds),
        settings,
        also=seams(document, takes, settings),
        taken=_seeds(document, chosen, base),
    )


def _seeds(
    document: Document, chosen: Mapping[str, Variation], base: Variation
) -> tuple[tuple[str, int], ...]:
    leaves = [layer.id for layer in document.walk() if not layer.is_group]
    found = dict.fromkeys((document.background.id, *leaves), base.recipe.seed)
    found.update((key, seed) for key, seed in base.recipe.taken if key in found)
    for layer_id, variation in chosen.items():
        found[layer_id] = dict(variation.recipe.taken).get(layer_id, variation.recipe.seed)
    return tuple(found.items())


def _shares(
    document: Document, takes: Mapping[str, Variation]
) -> dict[str, tuple[Floats, Variation]]:
    """By variation id: how much of each pixel is taken from it, (H, W)."""
    masks = visible_masks(document)
    shares = dict[str, tuple[Floats, Variation]]()
    for layer_id, variation in _by_leaf(document, takes).items():
        if layer_id not in masks:
            continue
        known = shares.get(variation.id)
        share = masks[layer_id] if known is None else known[0] + masks[layer_id]
        shares[variation.id] = (share, variation)
    return shares


def _by_leaf(document: Document, takes: Mapping[str, Variation]) -> dict[str, Variation]:
    return {
        leaf.id: variation
        for layer_id, variation in takes.items()
        for leaf in _leaves(document, (layer_id,))
    }


def _leaves(document: Document, layer_ids: Sequence[str]) -> list[Layer]:
    named = (layer for i in layer_ids if (layer := document.find(i)) is not None)
    return [part for layer in named for part in layer.walk() if not part.is_group]


def _pixels(variation: Variation) -> Floats:
    """(H, W, 3) float32, 0..255."""
    pixels = variation.picture.pixels[..., :3].astype(np.float32)
    return pixels / np.float32(257) if variation.picture.depth == 16 else pixels
