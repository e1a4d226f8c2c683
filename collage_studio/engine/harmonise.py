"""Plans a harmonise run: the whole canvas, every layer with its own noise."""

from __future__ import annotations

import numpy as np

from collage_studio.document.compositing import composite_picture
from collage_studio.document.geometry import Size
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, RunSettings
from collage_studio.document.noise_map import noise_map
from collage_studio.engine.families.base import Family
from collage_studio.engine.plan import Masks, RunPlan
from collage_studio.engine.text_plan import plan_text
from collage_studio.engine.workspace import Workspace


def plan_harmonise(document: Document, settings: RunSettings, family: Family) -> RunPlan:
    """Fit all layers to each other; kept pixels are those of the composite."""
    composite = np.ascontiguousarray(composite_picture(document)[..., :3])
    space = workspace_of(document.size, settings, family)
    return RunPlan(
        document=document,
        settings=settings,
        workspace=space,
        text=plan_text(document),
        base=composite,
        start=composite,
        noise=np.asarray(noise_map(document, settings), np.float32),
        masks=region_masks(document, space),
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
