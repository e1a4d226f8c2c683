"""NoiseCollage (arXiv 2403.03485): one prediction per region and one of the caption, merged.

Branches: the caption over all of the window with weight w_*, each region with weight 1 where its
mask A_n lies; W_n = w_n A_n / sum_m w_m A_m, and one step of the sampler with the merged output.
Inside a region's branch pixels of the region read its text, those outside the caption or nothing.

What it costs: regions are predicted in a crop with surroundings instead of on all of the canvas,
and branches that look at the same cells share the row that reads the words to avoid. A crop has
its own such row: guidance between a crop and a cut-out of the whole burns colours out.

A layer's LoRAs are in the rows of its own branch, and in no other branch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.method_settings import NoiseCollage
from collage_studio.engine.attention.reading import MaskedReading, Reader, read_texts
from collage_studio.engine.cancel import IsCancelled, stoppable
from collage_studio.engine.denoise import Step
from collage_studio.engine.extras.lora import row_loras
from collage_studio.engine.families.base import Family, Frame, Prediction
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.regions.branches import Branch, Merger, Row, rows_of
from collage_studio.engine.regions.segments import (
    Levels,
    Segment,
    find_segments,
    in_window,
    layout_warnings,
    worded_layers,
)
from collage_studio.engine.regions.windows import box_of, surrounded
from collage_studio.engine.walking import Entry, enter, walk

WORTH_CROPPING = 0.3
"""Share of the window up to which a region is predicted in a crop. A crop takes a row of words to
avoid of its own, which all rows on the whole window share: above a half it costs more than it
saves, and it sees less of the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """A plan made ready for one family; shared by all seeds."""

    entry: Entry
    merger: Merger
    rows: tuple[Row, ...]

    @property
    def steps(self) -> int:
        return self.entry.steps


def texts(plan: RunPlan) -> tuple[str, ...]:
    """The caption, the texts of all regions, and the empty text."""
    own = (layer.text.strip() for layer in worded_layers(plan.document))
    return (plan.text.caption, *own, "")


def warnings(plan: RunPlan) -> tuple[str, ...]:
    """What is worth saying before the run begins."""
    return layout_warnings(plan, _segments(plan))


def prepare(family: Family, plan: RunPlan, materials: Materials) -> Setup:
    """Work out weights, crops and rows."""
    entry = enter(family, plan, materials.start)
    branches = branches_of(family, plan, materials, entry)
    scale = plan.settings.guidance
    return Setup(
        entry,
        Merger(family, entry.schedule, scale, materials.attachments),
        tuple(rows_of(branches, family, scale)),
    )


def sample(
    family: Family, plan: RunPlan, setup: Setup, seeds: Sequence[int], is_cancelled: IsCancelled
) -> Iterator[Step]:
    """Denoise the window once per seed, all seeds in one batch."""
    merger = attentive(family, setup.merger, seeds)

    def denoiser(x: Tensor, index: int) -> Prediction:
        with stoppable(family.watched_modules(), is_cancelled):
            out = merger.merged(x, index, setup.rows)
        return family.interpret(out, x, setup.entry.schedule, index)

    yield from walk(family, plan, setup.entry, seeds, denoiser)


def attentive(family: Family, merger: Merger, seeds: Sequence[int]) -> Merger:
    """`merger` with the readers of its rows switched on in each call."""

    def attending(rows: Sequence[Row], index: int) -> AbstractContextManager[None]:
        readers = [row.focus for row in rows if row.focus is not None]
        if not readers:
            return nullcontext()
        texts = 2 if readers[0].outside == "caption" else 3
        return family.attending(MaskedReading(readers, seeds, index, texts))

    return replace(merger, attending=attending)


def _segments(plan: RunPlan) -> list[Segment]:
    settings = plan.settings.methods.noise_collage
    return find_segments(plan, shape=settings.shape, in_front=settings.in_front)


def region_weights(masks: Tensor, background: float) -> Tensor:
    """(N + 1, h, w) W of the background and N regions, masks (N, h, w): together 1 everywhere."""
    weights = torch.cat([torch.full_like(masks[:1], background), masks])
    return weights / weights.sum(0)


def branches_of(family: Family, plan: RunPlan, materials: Materials, entry: Entry) -> list[Branch]:
    """The caption on the whole window, and each region that may change anything in its crop."""
    settings, space = plan.settings.methods.noise_collage, plan.workspace
    whole = Rect(0, 0, space.window.width, space.window.height)
    frame = Frame(space.grid, space.window)
    segments = in_window(_segments(plan), space.window)
    free = (entry.strengths > 0)[0, 0]
    if not segments:
        ones = torch.ones(whole.height, whole.width, device=family.device)
        return [Branch(materials.caption, materials.avoid, whole, ones * free, frame)]
    masks = torch.stack([segment.mask for segment in segments]).to(family.device)
    weights = region_weights(masks, settings.background_weight) * free
    ids = [one.layer_id for one, weight in zip(segments, weights[1:], strict=True) if weight.any()]
    rest, own = row_loras(materials.attachments, plan.document, ids)
    found = [Branch(materials.caption, materials.avoid, whole, weights[0], frame, loras=rest)]
    for segment, mask, weight in zip(segments, masks, weights[1:], strict=True):
        box = box_of(weight)
        if box is None:
            continue
        crop = _crop(box, settings, family, Size(whole.width, whole.height))
        reader = _reader(segment, mask, crop, settings, whole)
        text = materials.own(segment.layer_id, segment.text)
        if reader is not None:
            text = read_texts(materials.texts, text, plan.text.caption, settings.outside)
        found.append(
            Branch(
                text,
                materials.avoid,
                crop,
                weight[crop.slices],
                _shifted(frame, crop),
                focus=reader,
                loras=own.get(segment.layer_id),
            )
        )
    return found


def _crop(box: Rect, settings: NoiseCollage, family: Family, window: Size) -> Rect:
    """The sides are of few sizes, so that regions can share calls."""
    if not settings.crops:
        return Rect.of_size(window)
    native = family.native_px // family.factor
    step = math.lcm(family.alignment, max(1, native // 16))
    crop = surrounded(box, settings.context, native * 3 // 8, step, window)
    is_worth_it = crop.width * crop.height <= WORTH_CROPPING * window.width * window.height
    return crop if is_worth_it else Rect.of_size(window)


def _shifted(frame: Frame, crop: Rect) -> Frame:
    left, top = frame.window.left, frame.window.top
    window = Rect(left + crop.left, top + crop.top, left + crop.right, top + crop.bottom)
    return Frame(frame.grid, window)


def _reader(
    segment: Segment, mask: Tensor, crop: Rect, settings: NoiseCollage, whole: Rect
) -> Reader | None:
    """None where every pixel of the crop reads the region's own text."""
    inside = mask[crop.slices]
    if settings.outside == "off" or bool((inside >= 1.0).all()):
        return None
    return Reader(
        segment.layer_id,
        (whole.height, whole.width),
        crop,
        Levels(inside[None]),
        settings.outside,
        settings.drop_rate,
        settings.ring,
    )
