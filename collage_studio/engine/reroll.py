"""Plans a re-roll: noise on the named layers alone, in a window around them.

Work follows the layers' area. Everything the noise map does not touch keeps the pixels of the
accepted picture, or of the composite where none is accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from collage_studio.document.compositing import composite_picture
from collage_studio.document.edits import change_layers
from collage_studio.document.geometry import Rect
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, Layer, Mask
from collage_studio.document.noise_map import noise_map
from collage_studio.document.recipe import RunSettings, Start
from collage_studio.engine.api import BadRequest, Picture, RerollRequest
from collage_studio.engine.families.base import Family
from collage_studio.engine.harmonise import region_masks, workspace_of
from collage_studio.engine.looks.tensors import widths_of
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.text_plan import plan_text
from collage_studio.engine.workspace import Floats

CONTEXT_PX = 32
"""Working pixels of surroundings that the model sees at least."""


def plan_reroll(request: RerollRequest, family: Family) -> RunPlan:
    """Make the request's layers, and what it names beside them, anew.

    Raises:
        BadRequest: there is nothing to make.
    """
    document, settings = request.document, request.settings
    layers = [layer for i in request.layer_ids if (layer := document.find(i)) is not None]
    if not layers and request.also is None:
        raise BadRequest("The layer to re-roll is no longer in the collage.")
    ids = tuple(layer.id for layer in layers)
    is_blank = request.start is Start.NOISE
    noise = _noise_of(document, settings, ids, is_blank=is_blank)
    if request.also is not None:
        noise = np.maximum(noise, _noise_beside(document, request.also))
    space = workspace_of(document.size, settings, family)
    cells = _touched(space.cells(space.shrink(noise)))
    if cells is None:
        raise BadRequest(_nothing_to_do(layers))
    composite = np.ascontiguousarray(composite_picture(document)[..., :3])
    base = _accepted_picture(document)
    base = composite if base is None else base
    start = base
    if request.start is Start.ORIGINAL:
        start = _with_cutouts(document, ids, base, composite)
    return RunPlan(
        document=document,
        settings=settings,
        workspace=space.around(
            cells,
            margin_px=CONTEXT_PX,
            least_px=family.native_px // 2,
            alignment=family.alignment,
        ),
        text=plan_text(document, widths_of(family)),
        base=base,
        start=start,
        noise=noise,
        masks=region_masks(document, space),
        is_blank=is_blank,
    )


def _noise_beside(document: Document, also: Mask) -> Floats:
    """What may change beside the layers, (H, W) in [0, 1]."""
    if also.size != document.size:
        raise BadRequest("The canvas has a new size since this run was made. Run it again.")
    return also.values.astype(np.float32) / np.float32(255.0)


def _noise_of(
    document: Document, settings: RunSettings, ids: Sequence[str], *, is_blank: bool
) -> Floats:
    """The map of a re-roll at canvas size; pure noise where the start is blank."""
    if not ids:
        return np.zeros(document.size.shape, np.float32)
    if is_blank:
        inside = [part.id for i in ids if (layer := document.find(i)) for part in layer.walk()]
        document = change_layers(
            document, inside, lambda layer: replace(layer, noise=1.0, noise_paint=None)
        )
        settings = replace(settings, noise_scale=1.0)
    return np.asarray(noise_map(document, settings, only=ids), np.float32)


def _touched(cells: torch.Tensor) -> Rect | None:
    found = torch.nonzero(cells > 0)
    if not len(found):
        return None
    (top, left), (bottom, right) = found.amin(0).tolist(), found.amax(0).tolist()
    return Rect(left, top, right + 1, bottom + 1)


def _accepted_picture(document: Document) -> Picture | None:
    """(H, W, 3) of the accepted variation; None without one of the canvas's size."""
    accepted = document.accepted
    if accepted is None or accepted.picture.size != document.size:
        return None
    pixels = accepted.picture.pixels[..., :3]
    if accepted.picture.depth == 16:
        pixels = np.rint(pixels / 257.0)
    return np.ascontiguousarray(pixels, np.uint8)


def _with_cutouts(
    document: Document, ids: Sequence[str], base: Picture, composite: Picture
) -> Picture:
    """The cutouts of `ids` as the user placed them, over `base`, through their visible masks."""
    masks = visible_masks(document)
    leaves = {part.id for i in ids if (layer := document.find(i)) for part in layer.walk()}
    shown = np.zeros(document.size.shape, np.float32)
    for layer_id in leaves & masks.keys():
        shown += masks[layer_id]
    share = np.clip(shown, 0.0, 1.0)[..., None]
    return np.rint(base * (1.0 - share) + composite * share).astype(np.uint8)


def _nothing_to_do(layers: Sequence[Layer]) -> str:
    if not layers:
        return "Nothing of these layers is visible on the canvas, so there is nothing to do."
    name = layers[0].name
    if all(layer.noise == 0 and layer.noise_paint is None for layer in layers):
        return f"“{name}” has noise 0, so a re-roll changes nothing. Raise its noise first."
    return f"“{name}” is not visible on the canvas, so there is nothing to re-roll."
