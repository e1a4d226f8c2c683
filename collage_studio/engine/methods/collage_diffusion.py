"""Collage Diffusion (arXiv 2303.00262): noised composite, cross-attention control, layer noise.

Start: the composite at the level of the strongest noise (SDEdit). Attention: each layer's words
are drawn to its visible mask (w+) and kept out of the rest (w-). Constraint: each pixel follows
the known picture until its own noise says it is free.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from collage_studio.engine.attention import AttentionEdit, paper_strength
from collage_studio.engine.cancel import IsCancelled, stoppable
from collage_studio.engine.denoise import Pins, Step, denoise
from collage_studio.engine.families.base import (
    Attachment,
    Encoded,
    Family,
    Frame,
    Guide,
    Prediction,
    ReadText,
)
from collage_studio.engine.guidance import predict
from collage_studio.engine.noise import CanvasNoise
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.regions import Region, RegionWeights, layer_tokens
from collage_studio.engine.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Materials:
    """What the networks made of a plan's text and pictures, and what is attached to them."""

    caption: ReadText
    avoid: ReadText
    start: Encoded
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Setup:
    """A plan made ready for one family; shared by all seeds.

    Args:
        strengths: (1, 1, h, w) noise of the window's cells.
        weights: None where no layer steers the attention.
    """

    schedule: Schedule
    first: int
    strengths: Tensor
    weights: RegionWeights | None
    guide: Guide
    start: Encoded

    @property
    def steps(self) -> int:
        return len(self.schedule) - self.first


def prepare(family: Family, plan: RunPlan, materials: Materials) -> Setup:
    """Work out schedule, map and regions of the window."""
    space = plan.workspace
    schedule = family.schedule(plan.settings.sampler, plan.settings.steps, space.grid)
    strengths = window_strengths(plan)
    first = int(schedule.first_steps(strengths).min())
    guide = Guide(
        materials.caption,
        materials.avoid,
        plan.settings.guidance,
        Frame(space.grid, space.window),
        materials.attachments,
    )
    regions = find_regions(plan, materials.caption)
    weights = RegionWeights(regions, family.device) if regions else None
    return Setup(schedule, first, strengths.to(family.device), weights, guide, materials.start)


def window_strengths(plan: RunPlan) -> Tensor:
    """(1, 1, h, w) noise of each cell of the window: the canvas map by area average."""
    space = plan.workspace
    rows, columns = space.window.slices
    return space.cells(space.shrink(plan.noise))[None, None, rows, columns]


def find_regions(plan: RunPlan, caption: ReadText) -> list[Region]:
    """Layers with words in the caption and pixels on the canvas; none if control is off."""
    if plan.settings.ca_schedule == "off":
        return []
    space = plan.workspace
    regions = list[Region]()
    for layer_id, tokens in layer_tokens(plan.text.spans, caption.offsets).items():
        layer, mask = plan.document.find(layer_id), plan.masks.get(layer_id)
        if layer is None or mask is None or not tokens or not mask.any():
            continue
        if layer.attention_in == 0 and layer.attention_out == 0:
            continue
        rows, columns = space.window.slices
        peak = float(mask[space.pixels.slices].max())
        cells = space.cells(mask)[rows, columns]
        regions.append(
            Region(layer_id, tokens, cells, peak, layer.attention_in, layer.attention_out)
        )
    return regions


def sample(
    family: Family, plan: RunPlan, setup: Setup, seeds: Sequence[int], is_cancelled: IsCancelled
) -> Iterator[Step]:
    """Denoise the window once per seed, all seeds in one batch."""
    if not setup.steps:
        return
    space = plan.workspace
    canvas_noise = CanvasNoise(
        seeds, family.latent_channels, space.grid, space.window, family.device
    )
    clean = _clean_latent(setup.start, canvas_noise, len(seeds))
    noise = canvas_noise.draw()
    level = setup.schedule.before[setup.first]
    begin = clean * (1.0 - setup.strengths) if plan.is_blank else clean
    first_steps = setup.schedule.first_steps(setup.strengths)
    has_pins = bool((first_steps > setup.first).any())
    pins = Pins(clean, noise, first_steps) if has_pins else None
    x = level.a * begin + level.b * noise
    if pins is not None and plan.is_blank:
        x = torch.where(first_steps > setup.first, level.a * clean + level.b * noise, x)

    def denoiser(x: Tensor, index: int) -> Prediction:
        edit = nullcontext()
        if setup.weights is not None:
            strength = paper_strength(setup.schedule.before[index].sigma)
            edit = family.attending(
                AttentionEdit(setup.weights.tokens, setup.weights, strength, len(seeds))
            )
        with edit, stoppable(family.watched_modules(), is_cancelled):
            return predict(family, x, setup.schedule, index, setup.guide)

    yield from denoise(denoiser, setup.schedule, setup.first, x, canvas_noise.draw, pins)


def _clean_latent(start: Encoded, canvas_noise: CanvasNoise, seeds: int) -> Tensor:
    """(seeds, C, h, w): for a KL autoencoder a sample per seed, drawn before the start noise."""
    mean = start.mean.expand(seeds, -1, -1, -1)
    return mean if start.deviation is None else mean + start.deviation * canvas_noise.draw()
