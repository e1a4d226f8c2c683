"""DenseDiffusion (arXiv 2308.12964): one prediction whose attention is pushed towards the layout.

In the first part of the steps each pixel's attention is drawn to the words of its own region and
to the pixels of its own region, s_i = w tau^p (1 - a S_i) with tau the step's time in [0, 1] and
S_i the canvas share of the region; see `range_attention`. Regions are the layers whose words stand
in the caption; the rest of the canvas is one more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from collage_studio.engine.attention.edits import Site
from collage_studio.engine.attention.range_attention import LayoutLevel, RangeControl
from collage_studio.engine.cancel import IsCancelled, stoppable
from collage_studio.engine.denoise import Step
from collage_studio.engine.families.base import Family, Frame, Guide, Prediction, ReadText
from collage_studio.engine.guidance import predict
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.regions.ownership import layer_tokens
from collage_studio.engine.regions.segments import (
    Levels,
    Segment,
    assigned,
    find_segments,
    layout_warnings,
)
from collage_studio.engine.schedule import Schedule
from collage_studio.engine.walking import Entry, enter, walk

POWER, FLOW_POWER = 5, 3
"""Of the time: published for noise schedules; flow schedules stay near 1 for longer, so less."""
_FLOW_SLACK = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Who reads what.

    Args:
        levels: hard masks (S, h', w') of the window at every resolution; number 0 is the ground.
        areas: (S,) part of the canvas of each segment.
        owners: (T,) the segment of each column of the caption, -1 for none.
    """

    levels: Levels
    areas: Tensor
    owners: Tensor
    _found: dict[tuple[int, int], LayoutLevel] = field(default_factory=dict[Any, LayoutLevel])

    def at(self, site: Site) -> LayoutLevel:
        """The layout at the resolution of `site`."""
        key = (site.height, site.width)
        if key not in self._found:
            segments = assigned(self.levels.at(*key)).flatten()
            self._found[key] = LayoutLevel(segments, self.areas)
        return self._found[key]


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """A plan made ready for one family; shared by all seeds. No layout: plain text-to-image."""

    entry: Entry
    guide: Guide
    layout: Layout | None
    until: int

    @property
    def steps(self) -> int:
        return self.entry.steps


def texts(plan: RunPlan) -> tuple[str, ...]:
    """The words of each region by themselves."""
    settings = plan.settings.methods.dense_diffusion
    if not settings.separate or not _is_on(plan):
        return ()
    found = (plan.document.find(span.layer_id) for span in plan.text.spans)
    return tuple(dict.fromkeys(layer.text.strip() for layer in found if layer is not None))


def warnings(plan: RunPlan) -> tuple[str, ...]:
    """What is worth saying before the run begins."""
    return (*plan.text.warnings, *layout_warnings(plan, find_segments(plan)))


def prepare(family: Family, plan: RunPlan, materials: Materials) -> Setup:
    """Work out layout and text."""
    settings, space = plan.settings.methods.dense_diffusion, plan.workspace
    entry = enter(family, plan, materials.start)
    layout = find_layout(family, plan, materials.caption) if _is_on(plan) else None
    caption = materials.caption
    if layout is not None and settings.separate:
        caption = separated(plan, caption, materials)
    guide = Guide(
        caption,
        materials.avoid,
        plan.settings.guidance,
        Frame(space.grid, space.window),
        materials.attachments,
    )
    return Setup(entry, guide, layout, round(settings.until * len(entry.schedule)))


def sample(
    family: Family, plan: RunPlan, setup: Setup, seeds: Sequence[int], is_cancelled: IsCancelled
) -> Iterator[Step]:
    """Denoise the window once per seed, all seeds in one batch."""
    schedule = setup.entry.schedule

    def denoiser(x: Tensor, index: int) -> Prediction:
        edit: AbstractContextManager[None] = nullcontext()
        if setup.layout is not None and index < setup.until:
            edit = family.attending(control(plan, setup.layout, schedule, index, len(seeds)))
        with edit, stoppable(family.watched_modules(), is_cancelled):
            return predict(family, x, schedule, index, setup.guide)

    yield from walk(family, plan, setup.entry, seeds, denoiser)


def control(
    plan: RunPlan, layout: Layout, schedule: Schedule, index: int, rows: int
) -> RangeControl:
    """The attention edit of step `index` for `rows` rows that read the caption."""
    settings, fade = plan.settings.methods.dense_diffusion, faded(schedule, index)
    return RangeControl(
        layout.at,
        layout.owners,
        settings.words * fade,
        settings.neighbours * fade,
        settings.area,
        rows,
    )


def faded(schedule: Schedule, index: int) -> float:
    """tau^p: (t / 1000)^5 on noise schedules, sigma^3 on flow schedules."""
    level = schedule.before[index]
    if all(abs(one.a + one.b - 1.0) < _FLOW_SLACK for one in schedule.before):
        return level.b**FLOW_POWER
    return (float(schedule.timesteps[index]) / 1000.0) ** POWER


def find_layout(family: Family, plan: RunPlan, caption: ReadText) -> Layout | None:
    """The regions whose words stand in the caption; None if there are none."""
    tokens = layer_tokens(plan.text.spans, caption.offsets)
    segments = [s for s in find_segments(plan) if tokens.get(s.layer_id)]
    if not segments:
        return None
    whole = disjoint(segments)  # (S, h, w) of the canvas
    owners = torch.full((caption.rows.shape[1],), -1)
    ids = [plan.document.background.id, *(segment.layer_id for segment in segments)]
    for number, layer_id in enumerate(ids):
        owners[list(tokens.get(layer_id, ()))] = number
    rows, columns = plan.workspace.window.slices
    device = family.device
    return Layout(
        Levels(whole[:, rows, columns].to(device)),
        whole.mean(dim=(1, 2)).to(device),
        owners.to(device),
    )


def disjoint(segments: Sequence[Segment]) -> Tensor:
    """(S + 1, h, w) 0 or 1: each cell belongs to the segment that covers most of it."""
    masks = torch.stack([segment.mask for segment in segments])
    ground = (1.0 - masks.sum(0, keepdim=True)).clamp_min(0.0)
    shares = torch.cat([ground, masks])
    number = assigned(shares)
    return torch.stack([number == one for one in range(len(shares))]).float()


def separated(plan: RunPlan, caption: ReadText, materials: Materials) -> ReadText:
    """The caption with each region's rows as its words read alone, so they do not mix.

    Words that the encoder splits differently by themselves stay as they are in the caption.
    """
    rows = caption.rows.clone()
    for layer_id, tokens in layer_tokens(plan.text.spans, caption.offsets).items():
        layer = plan.document.find(layer_id)
        if layer is None or layer.text.strip() not in materials.texts:
            continue
        alone = materials.own(layer.id, layer.text.strip())
        own = [place for place, (start, end) in enumerate(alone.offsets) if end > start]
        if len(own) == len(tokens):
            rows[:, list(tokens)] = alone.rows[:, own]
    return replace(caption, rows=rows)


def _is_on(plan: RunPlan) -> bool:
    settings = plan.settings.methods.dense_diffusion
    return settings.until > 0 and (settings.words > 0 or settings.neighbours > 0)
