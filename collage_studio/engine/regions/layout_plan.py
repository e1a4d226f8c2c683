"""The layers of a run as a region plan: which texts each latent cell of the canvas reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from torch import Tensor

from collage_studio.document.layouts import own_masks
from collage_studio.document.looks import fits
from collage_studio.document.model import LayerKind
from collage_studio.document.region_plan import LayoutObject, Overlap, RegionPlan, build_plan
from collage_studio.engine.families.base import Family, LearnedWords
from collage_studio.engine.families.unet import UNetFamily
from collage_studio.engine.looks.tensors import learned_words, widths_of
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.regions.segments import find_segments
from collage_studio.engine.rich_context.attachment import LayoutRows
from collage_studio.engine.rich_context.encode import Reader
from collage_studio.engine.text_plan import look_before, shown_layers
from collage_studio.engine.workspace import Floats


def layout_plan(plan: RunPlan) -> RegionPlan:
    """The plan of the whole canvas, its objects the visible layers and groups with a text.

    Layers overlap where they lie over each other; only behind a picture nothing is said, as what
    it hides is not to be drawn.
    """
    hidden = _behind_pictures(plan)
    objects = list[LayoutObject]()
    for segment in find_segments(plan, in_front=False):
        cells = segment.mask.numpy() * (1.0 - hidden.get(segment.layer_id, np.float32(0.0)))
        if cells.any():
            found = LayoutObject.from_mask(segment.text, cells, segment.layer_id)
            layer = plan.document.find(segment.layer_id)
            objects.append(replace(found, look=layer.look if layer else None))
    overlap = cast(Overlap, plan.settings.methods.rich_context.overlap)
    return build_plan(objects, plan.workspace.grid, overlap=overlap)


def layout_rows(family: UNetFamily, plan: RunPlan, *, upstream: bool = False) -> LayoutRows:
    """What an attached adapter reads in a run; the words to avoid are told it later.

    Args:
        upstream: join the texts of a part as the published code does.
    """
    scale = plan.settings.methods.rich_context.size_prior
    return LayoutRows(layout_plan(plan), reader_of(family, upstream=upstream), [], scale=scale)


def reader_of(family: UNetFamily, *, upstream: bool = False) -> Reader:
    """Reads the objects of one part as one sequence, each with the look that its layer learned.

    Looks that were learned with another kind of model are left out.
    """
    widths = widths_of(cast("Family", family))

    def read(objects: Sequence[LayoutObject]) -> tuple[Tensor, Tensor]:
        texts, learned = list[str](), list[tuple[LearnedWords, ...]]()
        for one in objects:
            if one.look is None or not fits(one.look, widths):
                texts.append(one.text)
                learned.append(())
                continue
            told, place = look_before(one.text, one.look)
            texts.append(told)
            learned.append(learned_words((place,), family.device))
        return family.read_joined(texts, upstream=upstream, learned=learned)

    return read


def _behind_pictures(plan: RunPlan) -> dict[str, Floats]:
    """By layer and group, (h, w) the share of each cell that pictures in front of it hide."""
    masks = own_masks(plan.document)
    space = plan.workspace
    hidden = dict[str, Floats]()
    cover = np.zeros(space.grid.shape, np.float32)
    for layer in reversed(shown_layers(plan.document)):
        hidden[layer.id] = cover
        if layer.kind is LayerKind.LAYOUT or layer.is_group or layer.id not in masks:
            continue
        own = space.cells(space.shrink(np.asarray(masks[layer.id], np.float32))).numpy()
        cover = np.maximum(cover, own)
    return hidden
