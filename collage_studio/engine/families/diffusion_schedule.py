"""Schedules of networks that were trained on noise by betas: Stable Diffusion 1.x, 2.x and XL."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)
from torch import Tensor

from collage_studio.engine.families.base import Prediction
from collage_studio.engine.schedule import LEAST_SIGNAL, Level, Schedule, check_sampler

SCHEDULERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "euler_a": (EulerAncestralDiscreteScheduler, {}),
    "dpmpp_2m": (
        DPMSolverMultistepScheduler,
        {
            "algorithm_type": "dpmsolver++",
            "solver_order": 2,
            "solver_type": "midpoint",
            "final_sigmas_type": "zero",
            "thresholding": False,
        },
    ),
    # DDIM's own default clips latents to [-1, 1], which is meant for pixels.
    "ddim": (DDIMScheduler, {"clip_sample": False, "thresholding": False}),
}
"""The allow-list: only samplers that let pinned pixels be edited between steps."""


def stock_scheduler(sampler: str, config: Mapping[str, Any]) -> Any:
    """A fresh diffusers scheduler that keeps the checkpoint's betas, spacing and prediction."""
    scheduler_class, overrides = SCHEDULERS[sampler]
    return fresh_scheduler(scheduler_class, config, overrides)


def fresh_scheduler(
    scheduler_class: Any, config: Mapping[str, Any], overrides: Mapping[str, Any]
) -> Any:
    """A scheduler of the class with what it understands of another's configuration."""
    accepted = scheduler_class._get_init_keys(scheduler_class)
    kept = {key: value for key, value in config.items() if key in accepted}
    return scheduler_class.from_config({**kept, **overrides})


def diffusion_schedule(
    sampler: str, steps: int, config: Mapping[str, Any], device: torch.device
) -> Schedule:
    """Levels of a fresh diffusers scheduler: x = a z + b noise with a^2 + b^2 = 1."""
    check_sampler(sampler)
    with warnings.catch_warnings():
        # diffusers 0.42 hands torch tensors to numpy 2 in a way both deprecate.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        scheduler: Any = stock_scheduler(sampler, config)
        scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps.to(device)
    if sampler == "ddim":
        before, after = _ddim_levels(scheduler)
    else:
        levels = tuple(Level.of_sigma(float(sigma)) for sigma in scheduler.sigmas)
        before, after = levels[:-1], levels[1:]
    return Schedule(sampler, timesteps, before, after, start=_start_scale(scheduler, before[0]))


def diffusion_estimates(kind: str, out: Tensor, x: Tensor, level: Level) -> Prediction:
    """The clean and the noise estimate behind the output of a network of this prediction type.

    Args:
        kind: "epsilon", "v_prediction" or "sample". out, x: (B, C, h, w), x at `level`.
    """
    a, b = level
    match kind:
        case "epsilon":
            return Prediction((x - b * out) / max(a, LEAST_SIGNAL), out)
        case "v_prediction":
            return Prediction(a * x - b * out, a * out + b * x)
        case _:
            return Prediction(out, (x - a * out) / b)


def _start_scale(scheduler: Any, first: Level) -> float:
    """The scheduler's own factor on pure noise, for x = a z + b noise with a^2 + b^2 = 1."""
    largest = float(scheduler.init_noise_sigma)
    return largest if largest <= 1.0 else largest / math.sqrt(first.sigma**2 + 1.0)


def _ddim_levels(scheduler: Any) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    def level(alphas: Tensor) -> Level:
        return Level(float(alphas) ** 0.5, (1.0 - float(alphas)) ** 0.5)

    stride = scheduler.config.num_train_timesteps // scheduler.num_inference_steps
    times = [int(t) for t in scheduler.timesteps]
    before = tuple(level(scheduler.alphas_cumprod[t]) for t in times)
    # DDIM steps by a constant stride, which with some spacings is not the next timestep.
    after = tuple(
        level(
            scheduler.alphas_cumprod[t - stride] if t >= stride else scheduler.final_alpha_cumprod
        )
        for t in times
    )
    return before, after
