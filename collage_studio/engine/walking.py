"""How every method begins and walks: start latent, pinned pixels, one prediction per step.

The methods differ in the denoiser alone; noise per layer, re-rolls and exact pixels outside hold
for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from collage_studio.engine.denoise import Denoiser, Pins, Step, denoise
from collage_studio.engine.families.base import Encoded, Family
from collage_studio.engine.noise import CanvasNoise
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a run enters the schedule.

    Args:
        strengths: (1, 1, h, w) noise of the window's cells.
        start: the picture the run begins with.
        is_from_nothing: plain text-to-image, no pixel of a picture matters.
    """

    schedule: Schedule
    first: int
    strengths: Tensor
    start: Encoded
    is_from_nothing: bool

    @property
    def steps(self) -> int:
        return len(self.schedule) - self.first


def enter(family: Family, plan: RunPlan, start: Encoded) -> Entry:
    """Work out schedule and noise of the plan's window."""
    space = plan.workspace
    schedule = family.schedule(plan.settings.sampler, plan.settings.steps, space.grid)
    strengths = window_strengths(plan)
    return Entry(
        schedule,
        int(schedule.first_steps(strengths).min()),
        strengths.to(family.device),
        start,
        plan.is_blank and bool((strengths == 1.0).all()),
    )


def window_strengths(plan: RunPlan) -> Tensor:
    """(1, 1, h, w) noise of each cell of the window: the canvas map by area average."""
    space = plan.workspace
    rows, columns = space.window.slices
    return space.cells(space.shrink(plan.noise))[None, None, rows, columns]


def walk(
    family: Family, plan: RunPlan, entry: Entry, seeds: Sequence[int], denoiser: Denoiser
) -> Iterator[Step]:
    """Denoise the window once per seed, all seeds in one batch."""
    if not entry.steps:
        return
    space = plan.workspace
    noise = CanvasNoise(seeds, family.latent_channels, space.grid, space.window, family.device)
    x, pins = _from_nothing(entry, noise) if entry.is_from_nothing else _begun(plan, entry, noise)
    yield from denoise(denoiser, entry.schedule, entry.first, x, noise.draw, pins)


def _from_nothing(entry: Entry, noise: CanvasNoise) -> tuple[Tensor, None]:
    """Pure noise as the stock text-to-image pipeline draws and scales it."""
    return entry.schedule.start * noise.draw(), None


def _begun(plan: RunPlan, entry: Entry, noise: CanvasNoise) -> tuple[Tensor, Pins | None]:
    """The start picture at the level of the strongest noise, and what is pinned to it."""
    clean = _clean_latent(entry.start, noise)
    drawn = noise.draw()
    level = entry.schedule.before[entry.first]
    begin = clean * (1.0 - entry.strengths) if plan.is_blank else clean
    first_steps = entry.schedule.first_steps(entry.strengths)
    has_pins = bool((first_steps > entry.first).any())
    pins = Pins(clean, drawn, first_steps) if has_pins else None
    x = level.a * begin + level.b * drawn
    if pins is not None and plan.is_blank:
        x = torch.where(first_steps > entry.first, level.a * clean + level.b * drawn, x)
    return x, pins


def _clean_latent(start: Encoded, noise: CanvasNoise) -> Tensor:
    """(seeds, C, h, w): for a KL autoencoder a sample per seed, drawn before the start noise."""
    mean = start.mean.expand(noise.seeds, -1, -1, -1)
    return mean if start.deviation is None else mean + start.deviation * noise.draw()
