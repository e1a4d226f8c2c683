"""Plans a harmonise run: the whole canvas, every layer with its own noise."""

from __future__ import annotations

import numpy as np

from collage_studio.document.compositing import composite_picture
from collage_studio.document.geometry import Size
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, LayerKind
from collage_studio.document.noise_map import noise_map
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import BadRequest
from collage_studio.engine.families.base import Family
from collage_studio.engine.looks.tensors import widths_of
from collage_studio.engine.plan import Masks, RunPlan
from collage_studio.engine.text_plan import plan_text, shown_layers
from collage_studio.engine.workspace import Workspace


def plan_harmonise(document: Document, settings: RunSettings, family: Family) -> RunPlan:
    """Fit all layers to each other; kept pixels are those of the composite."""
    composite = np.ascontiguousarray(composite_picture(document)[..., :3])
    space = workspace_of(document.size, settings, family)
    text = plan_text(document, widths_of(family))
    noise = np.asarray(noise_map(document, settings), np.float32)
    is_blank = not shows_pictures(document) and bool((noise == 1.0).all())
    if is_blank and not text.caption.strip():
        raise BadRequest(
            "There is nothing to draw yet. Write a caption, give a layer a text or add a picture."
        )
    return RunPlan(
        document=document,
        settings=settings,
        workspace=space,
        text=text,
        base=composite,
        start=composite,
        noise=noise,
        masks=region_masks(document, space),
        is_blank=is_blank,
    )


def shows_pictures(document: Document) -> bool:
    """Whether any layer with pixels is visible; layout layers and the canvas have none."""
    return any(
        layer.kind in (LayerKind.PICTURE, LayerKind.FILL) for layer in shown_layers(document)
    )


def workspace_of(canvas: Size, settings: RunSettings, family: Family) -> Workspace:
    """The whole canvas at the model's native size, or at the one the settings ask for."""
    return Workspace.of(canvas, settings.resolution or family.native_px, family.factor)


def region_masks(document: Document, space: Workspace) -> Masks:
    """Visible masks in padded working pixels; a group's is the sum of those inside it."""
    masks = {
        layer_id: space.pad(np.asarray(mask, np.float32))
        for layer_id, mask in visible_masks(document, space.work).items()
    }
    for layer in document.walk():
        inside = [masks[part.id] for part in layer.walk() if part.id in masks]
        if layer.is_group and inside:
            masks[layer.id] = np.minimum(np.sum(inside, axis=0), 1.0).astype(np.float32)
    return masks
