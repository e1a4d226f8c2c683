"""Noise levels of a run and the samplers that walk down them.

A latent at a level is x = a z + b noise, z clean. sigma = b / a is the level in the
variance-exploding convention that the papers' schedules are written in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from collage_studio.engine.api import BadRequest

LEAST_SIGNAL = 2.0**-12
"""What diffusers leaves of the signal at the first step of a zero-SNR schedule."""


class Level(NamedTuple):
    """x = a z + b noise."""

    a: float
    b: float

    @property
    def sigma(self) -> float:
        """Noise per unit of signal; finite even where a zero-SNR schedule has no signal."""
        return self.b / max(self.a, LEAST_SIGNAL)

    @classmethod
    def of_sigma(cls, sigma: float) -> Level:
        """The variance-preserving level of a variance-exploding sigma."""
        a = 1.0 / math.sqrt(sigma * sigma + 1.0)
        return cls(a, sigma * a)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The full schedule of N steps; a run enters it somewhere and goes to its end.

    Args:
        timesteps: (N,) what the network is told.
        before: N levels, of x when step i begins.
        after: N levels, of x when step i is done.
        rounds_up: a part of a step counts as one, as in the stock pipelines of Stable Diffusion 3
            and FLUX; those of the older families leave it out.
        start: what pure noise is multiplied with where a run begins with nothing else.
    """

    sampler: str
    timesteps: Tensor
    before: tuple[Level, ...]
    after: tuple[Level, ...]
    rounds_up: bool = False
    start: float = 1.0

    def __len__(self) -> int:
        return len(self.before)

    def first_step(self, strength: float) -> int:
        """The step a run of this strength [0, 1] begins with; N if it has none."""
        wanted = min(len(self) * strength, len(self))
        return int(len(self) - wanted) if self.rounds_up else len(self) - int(wanted)

    def first_steps(self, strengths: Tensor) -> Tensor:
        """`first_step` of each pixel of a strength map, int64 of the same shape."""
        # The map is float32: 0.7 arrives as 0.69999999, one step short.
        exact = torch.round(strengths.double(), decimals=6)
        wanted = (exact * len(self)).clamp(0, len(self))
        return (len(self) - wanted).long() if self.rounds_up else len(self) - wanted.long()


class Sampler(Protocol):
    """Takes x from `before[index]` to `after[index]`."""

    needs_noise: bool

    def step(
        self, x: Tensor, x0: Tensor, noise: Tensor, schedule: Schedule, index: int, draw: Tensor
    ) -> Tensor:
        """x at the next level.

        Args:
            x0: clean estimate. noise: noise estimate. All (B, C, h, w).
            draw: fresh Gaussian noise, used where `needs_noise`.
        """
        ...

    def forget(self, where: Tensor) -> None:
        """Treat the pixels `where` (1, 1, h, w) bool as if the run began with them now."""
        ...


class EulerAncestral:
    """Karras et al. (arXiv 2206.00364) Euler step with added noise, as in k-diffusion."""

    needs_noise = True

    def step(
        self, x: Tensor, x0: Tensor, noise: Tensor, schedule: Schedule, index: int, draw: Tensor
    ) -> Tensor:
        """Step to sigma_down along the estimate, then add sigma_up of `draw`."""
        here, after = schedule.before[index].sigma, schedule.after[index].sigma
        up = math.sqrt(max(after**2 * (here**2 - after**2) / here**2, 0.0))
        down = math.sqrt(max(after**2 - up**2, 0.0))
        return schedule.after[index].a * (x0 + down * noise + up * draw)

    def forget(self, where: Tensor) -> None:
        """Nothing is remembered."""


class Ddim:
    """DDIM (arXiv 2010.02502) with eta 0."""

    needs_noise = False

    def step(
        self, x: Tensor, x0: Tensor, noise: Tensor, schedule: Schedule, index: int, draw: Tensor
    ) -> Tensor:
        """Put estimate and noise together again at the next level."""
        level = schedule.after[index]
        return level.a * x0 + level.b * noise

    def forget(self, where: Tensor) -> None:
        """Nothing is remembered."""


class DpmSolver2M:
    """DPM-Solver++ (arXiv 2211.01095), second order multistep, midpoint form."""

    needs_noise = False

    def __init__(self) -> None:
        self._previous: Tensor | None = None
        self._previous_sigma = 0.0
        self._fresh: Tensor | None = None

    def step(
        self, x: Tensor, x0: Tensor, noise: Tensor, schedule: Schedule, index: int, draw: Tensor
    ) -> Tensor:
        """First order on the first and the last step, second order between."""
        here, after = schedule.before[index], schedule.after[index]
        gain = after.a - here.a * after.b / here.b
        estimate = x0
        if self._previous is not None and after.sigma > 0:
            h = math.log(here.sigma / after.sigma)
            h_before = math.log(self._previous_sigma / here.sigma)
            slope = (x0 - self._previous) * (h / h_before)
            if self._fresh is not None:
                slope = torch.where(self._fresh, torch.zeros_like(slope), slope)
            estimate = x0 + 0.5 * slope
        self._previous, self._previous_sigma, self._fresh = x0, here.sigma, None
        return (after.b / here.b) * x + gain * estimate

    def forget(self, where: Tensor) -> None:
        """Make the next step first order `where`."""
        self._fresh = where


SAMPLERS: dict[str, type[Sampler]] = {
    "euler_a": EulerAncestral,
    "dpmpp_2m": DpmSolver2M,
    "ddim": Ddim,
}


def check_sampler(name: str) -> None:
    """Raise `BadRequest` unless there is a sampler of that name; all families have the same."""
    if name not in SAMPLERS:
        raise BadRequest(f"There is no sampler {name!r}; use one of {', '.join(SAMPLERS)}.")
