"""Fills hidden parts: the run that paints one of them, and its picture put into the layer.

Each layer is painted by itself: with the layers behind it, without those in front and without the
shadows they cast. Noise is strong where the layer has no pixels and 0 where the picture shows it,
so what the accepted picture shows stays as it is, and the stack still makes it.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from collage_studio.document.captioning import caption_without
from collage_studio.document.edits import remove_layers
from collage_studio.document.harmonised import GROUND
from collage_studio.document.model import Document, Mask
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import Picture, RerollRequest
from collage_studio.formats.picture import to_8_bit
from collage_studio.writeback.hidden import Float, Gap, Region, bare_stack
from collage_studio.writeback.relight import filled_means
from collage_studio.writeback.settling import Filling, filling_of, pixels_of, settled

_RING_PX = 4
_SURE = 0.98
MISSING_NOISE = 0.8
"""Noise where pixels are missing: they are begun with what lies around, continued. From nothing
but noise a small model paints colours of another light."""
_LIGHT = 24.0
"""Levels of 255 by which a small model may miss the light."""
REPAINTED_FROM = 0.7
"""Noise from which on a layer's own pixels say too little about its hidden parts."""


def noise_of(gap: Gap) -> Float:
    """(h, w) noise of the run: strong where pixels are missing, 0 on what is known.

    Hidden parts that the cutout shows keep its pixels in the picture's light; of a layer that was
    repainted they are painted from there, at the layer's own noise.
    """
    noise = np.zeros(gap.hidden.shape, np.float32)
    own = gap.leaf.layer.effective_noise
    if gap.layer_id != GROUND and own >= REPAINTED_FROM:
        noise[gap.hidden] = own
    noise[gap.missing] = MISSING_NOISE
    return noise


def run_of(document: Document, gap: Gap, seed: int, settings: RunSettings) -> RerollRequest:
    """The run that paints a gap, on a document that holds the layer and what lies behind it."""
    stack = bare_stack(document)
    gone = _in_front(stack, gap.layer_id)
    words = [layer.text.strip() for i in gone if (layer := stack.find(i)) and layer.text.strip()]
    avoid = ", ".join(dict.fromkeys([settings.avoid, *words] if settings.avoid else words))
    begun = replace(
        remove_layers(stack, gone),
        caption=caption_without(document, gone, _own_words(document, gap)),
        variations=(),
        accepted=None,
    )
    settings = replace(settings, method="collage_diffusion", noise_scale=1.0, avoid=avoid)
    reach = max(2, round(min(document.size.shape) / 64))
    canvas = np.zeros(document.size.shape, np.float32)
    canvas[gap.box.slices] = noise_of(gap)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    # Whole cells are painted: what is mixed into them at the edge is not known either.
    wide = cv2.dilate(canvas, kernel)
    also = Mask(np.rint(wide * 255).astype(np.uint8))
    return RerollRequest(begun, (), (seed,), settings, also=also)


def filled(document: Document, gap: Gap, picture: Picture) -> tuple[Filling, ...]:
    """Put what a run painted, (H, W, 3), into the hidden parts of the gap's layer.

    Its colours are led to those around the gap. At soft edges, where the layers in front let a
    little through, it goes on as painted and they make up for it: what is behind them is known
    better now. The stack makes the accepted picture as before.
    """
    pixels = pixels_of(gap.leaf)
    old = pixels[..., :3].astype(np.float32)
    painted = np.ascontiguousarray(picture[gap.box.slices]).astype(np.float32)
    where = noise_of(gap) > 0
    ring = _near(where, _RING_PX) & ~where & (gap.free < _SURE) & (gap.leaf.alpha > 0.5)
    known = (gap.leaf.alpha > _SURE) & (gap.free > _SURE)
    led = np.clip(
        painted + _lead(old - painted, where | ring, known, min(document.size.shape)), 0, 255
    )
    pixels[where, :3] = np.rint(led[where])
    pixels[gap.missing, 3] = 255
    plain = filling_of(document, gap.leaf, pixels)
    if document.accepted is None or not ring.any():
        return (plain,)
    pixels = pixels.copy()
    pixels[ring, :3] = np.rint(led[ring])
    target = to_8_bit(document.accepted.picture.pixels[..., :3])
    return settled(document, gap, ring, (plain, filling_of(document, gap.leaf, pixels)), target)


def _lead(apart: Float, where: Region, known: Region, side: int) -> Float:
    """(h, w, 3) differences at the edge of a gap, continued into it.

    Small ones are another light and go through all of it; of larger ones, which are other things,
    the rest fades with distance.
    """
    reach = max(2, round(side / 64))
    near = _near(where, reach + _RING_PX) & known
    if not near.any():
        return np.zeros_like(apart)
    mean = filled_means((apart,), near.astype(np.float32), max(1.0, reach / 2))[0]
    light = np.clip(mean, -_LIGHT, _LIGHT)
    away = cv2.distanceTransform(where.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    fade = np.exp(-away / (4 * reach))[..., None]
    return (light + (mean - light) * fade).astype(np.float32)


def _near(region: Region, px: int) -> Region:
    kernel = np.ones((2 * px + 1, 2 * px + 1), np.uint8)
    return np.asarray(cv2.dilate(region.astype(np.uint8), kernel) > 0)


def _in_front(document: Document, layer_id: str) -> set[str]:
    """Ids of all leaves in front of a layer; all of them for the canvas's own pixels."""
    leaves = [layer.id for layer in document.walk() if not layer.is_group]
    if layer_id == GROUND:
        return {one for one in leaves if one != GROUND}
    return set(leaves[leaves.index(layer_id) + 1 :]) if layer_id in leaves else set()


def _own_words(document: Document, gap: Gap) -> str:
    """What to say where the caption says nothing of what is left."""
    own = document.background if gap.layer_id == GROUND else document.find(gap.layer_id)
    return own.text.strip() if own else ""


def needs_run(gap: Gap) -> bool:
    """Whether a model has to paint anything of it."""
    return bool((noise_of(gap) > 0).any())
