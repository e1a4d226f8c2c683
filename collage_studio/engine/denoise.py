"""The denoising loop, a generator of steps. Knows no method and no family."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from collage_studio.engine.families.base import Prediction
from collage_studio.engine.schedule import SAMPLERS, Schedule

Denoiser = Callable[[Tensor, int], Prediction]
"""(x (B, C, h, w), index of the schedule) -> prediction."""


@dataclass(frozen=True, slots=True)
class Pins:
    """Pixels that follow the known picture until their own start.

    Args:
        clean: (B, C, h, w) the known latent.
        noise: (B, C, h, w) the one noise that pinned pixels carry through the run.
        first_steps: (1, 1, h, w) int64, the step each pixel is free from; N = never.
    """

    clean: Tensor
    noise: Tensor
    first_steps: Tensor

    def hold(self, x: Tensor, schedule: Schedule, index: int) -> Tensor:
        """x after step `index`, pinned pixels at the level that x has now.

        A pixel that starts with the next step is pinned a last time, so it starts as plain
        img2img would; one that never starts ends as exactly the known latent.
        """
        level = schedule.after[index]
        known = level.a * self.clean + level.b * self.noise
        if index == len(schedule) - 1:
            known = self.clean
        return torch.where(self.first_steps > index, known, x)


@dataclass(frozen=True, slots=True)
class Step:
    """Step `number` (from 1) of `total` is done; `x` is the latent now, `x0` the clean estimate."""

    number: int
    total: int
    x: Tensor
    x0: Tensor


def denoise(
    denoiser: Denoiser,
    schedule: Schedule,
    first: int,
    x: Tensor,
    draw: Callable[[], Tensor],
    pins: Pins | None = None,
) -> Iterator[Step]:
    """Walk x (B, C, h, w) from level `before[first]` to the end of the schedule.

    Args:
        draw: fresh noise of x's shape, called once per step by samplers that need it.
        pins: what follows the known picture; None leaves everything free.
    """
    sampler = SAMPLERS[schedule.sampler]()
    total = len(schedule) - first
    for index in range(first, len(schedule)):
        if pins is not None and index > first:
            sampler.forget(pins.first_steps == index)
        prediction = denoiser(x, index)
        fresh = draw() if sampler.needs_noise else x
        x = sampler.step(x, prediction.x0, prediction.noise, schedule, index, fresh)
        if pins is not None:
            x = pins.hold(x, schedule, index)
        yield Step(index - first + 1, total, x, prediction.x0)
