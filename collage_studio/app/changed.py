"""Harmonises again what changed since the accepted picture was made, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.app.requests import lean
from collage_studio.app.stale import MOVED, stale_layers, what_changed
from collage_studio.document.compositing import composite_picture
from collage_studio.document.harmonised import harmonised_stack
from collage_studio.document.model import Document, Layer, Mask, Raster, Variation
from collage_studio.document.noise_map import noise_map
from collage_studio.document.recipe import RunSettings, Start
from collage_studio.document.tree import mapped
from collage_studio.engine.api import Picture, RerollRequest, describe_look

Floats: TypeAlias = "npt.NDArray[np.float32]"
Region: TypeAlias = "npt.NDArray[np.bool_]"

_ROUNDING = 1
_LEAST_HALO_PX = 4.0


@dataclass(frozen=True, slots=True)
class Recomposed:
    """The accepted picture with its layers as they lie now.

    Args:
        picture: (H, W, 3); the accepted picture itself wherever `dirty` is False.
        dirty: (H, W) where it is another one: what came, what went, and what was behind it.
    """

    picture: Picture
    dirty: Region


def reason_against_changed(document: Document) -> str:
    """Why what changed cannot be harmonised now; empty if it can."""
    if not what_changed(document):
        return "Nothing changed since the accepted picture was made."
    if document.accepted is None or document.written_back != document.accepted.id:
        return "The accepted picture is still on its way into the layers. Try again in a moment."
    return ""


def recomposed(document: Document) -> Recomposed:
    """Put the harmonised layers where they lie now.

    Raises:
        ValueError: the accepted picture is not in the layers, or there is none.
    """
    accepted = document.accepted
    if accepted is None or document.written_back != accepted.id:
        raise ValueError("The accepted picture is not in the layers of the document.")
    # OpenCV is not needed before there is a picture.
    from collage_studio.formats.picture import to_8_bit

    before = to_8_bit(accepted.picture.pixels[..., :3])
    stack = harmonised_stack(_with_own_pixels(document, accepted))
    now = composite_picture(stack)[..., :3]
    # What was written back agrees with the picture up to rounding: more has another cause.
    dirty = cv2.absdiff(now, before).max(axis=2) > _ROUNDING
    return Recomposed(np.where(dirty[..., None], now, before).astype(np.uint8), dirty)


def changed_request(
    document: Document, seeds: Sequence[int], settings: RunSettings | None = None
) -> RerollRequest:
    """New pixels for what changed: its layers, the place they left, and a halo around both.

    The layers start from their own pixels, the surroundings are the recomposed picture. Kept
    layers keep what they show.

    Raises:
        ValueError: as `recomposed`.
    """
    settings = settings or document.settings
    found, accepted = recomposed(document), document.accepted
    assert accepted is not None
    ids = tuple(stale_layers(document, accepted))
    noise = np.asarray(noise_map(document, settings), np.float32)
    beside = noise * _faded(found.dirty, halo_px(document, settings))
    also = Mask(np.rint(beside * 255).astype(np.uint8))
    surroundings = replace(accepted, picture=Raster.from_rgb(found.picture))
    begun = lean(replace(document, accepted=surroundings))
    # From their own pixels, as a first run would: harmonised twice, layers lose what they are.
    return RerollRequest(begun, ids, tuple(seeds), settings, Start.ORIGINAL, also)


def halo_px(document: Document, settings: RunSettings) -> float:
    """How far beyond what changed the run may reach, in canvas px: two widths of its softness."""
    return max(_LEAST_HALO_PX, 2 * settings.softness * document.size.height / 512)


def _with_own_pixels(document: Document, accepted: Variation) -> Document:
    """Layers that look otherwise now show their own pixels; those that only moved keep theirs."""
    known = {str(entry.get("id")): entry for entry in accepted.recipe.layers}
    stale = stale_layers(document, accepted)

    def is_only_moved(layer: Layer) -> bool:
        entry = known.get(layer.id, {})
        look = describe_look(layer)
        return stale[layer.id].word == MOVED and all(entry.get(k, v) == v for k, v in look.items())

    own = {
        layer.id
        for layer in document.walk()
        if layer.id in stale and stale[layer.id].is_seen and not is_only_moved(layer)
    }
    layers = mapped(document.layers, own, lambda layer: (replace(layer, harmonised=None),))
    return replace(document, layers=layers)


def _faded(region: Region, reach: float) -> Floats:
    """(H, W): 1 inside the region, falling to exactly 0 at `reach` px outside it."""
    if not region.any():
        return np.zeros(region.shape, np.float32)
    outside = np.where(region, 0, 255).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    t = np.clip(1.0 - distance / math.ceil(reach), 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t)).astype(np.float32)
