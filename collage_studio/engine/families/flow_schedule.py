"""Schedules of networks that were trained on straight paths: Stable Diffusion 3 and FLUX.

x = (1 - sigma) z + sigma noise; the network gives noise - z. The samplers are written in the two
coefficients of a level, so they all run here: "ddim" is the plain Euler step of a flow, equal to
diffusers' FlowMatchEulerDiscreteScheduler; "dpmpp_2m" and "euler_a" are their usual selves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from torch import Tensor

from collage_studio.engine.families.base import Prediction
from collage_studio.engine.families.diffusion_schedule import fresh_scheduler
from collage_studio.engine.schedule import Level, Schedule, check_sampler


def flow_schedule(
    sampler: str,
    steps: int,
    config: Mapping[str, Any],
    device: torch.device,
    *,
    tokens: int,
    ends_at_step: bool,
) -> Schedule:
    """Levels of a fresh flow scheduler.

    Args:
        tokens: image tokens of the whole canvas; where the checkpoint shifts by size, larger
            canvases stay noisy for longer.
        ends_at_step: the sigmas before the shift run from 1 to 1 / steps (FLUX) instead of to the
            scheduler's own least one.
    """
    check_sampler(sampler)
    scheduler: Any = stock_flow_scheduler(config)
    mu = shift_of(tokens, config) if config.get("use_dynamic_shifting", False) else None
    if ends_at_step:
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 1.0 / steps, steps), mu=mu)
    else:
        scheduler.set_timesteps(steps, mu=mu)
    levels = tuple(Level(1.0 - float(sigma), float(sigma)) for sigma in scheduler.sigmas)
    timesteps = scheduler.timesteps.to(device)
    return Schedule(sampler, timesteps, levels[:-1], levels[1:], rounds_up=True)


def stock_flow_scheduler(config: Mapping[str, Any]) -> Any:
    """A fresh diffusers scheduler that keeps the checkpoint's shifts."""
    return fresh_scheduler(FlowMatchEulerDiscreteScheduler, config, {})


def shift_of(tokens: int, config: Mapping[str, Any]) -> float:
    """mu, linear in the number of image tokens."""
    few, many = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    low, high = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    return low + (high - low) * (tokens - few) / (many - few)


def flow_estimates(out: Tensor, x: Tensor, level: Level) -> Prediction:
    """z = x - sigma v and noise = x + (1 - sigma) v for an output v (B, C, h, w) at `level`."""
    return Prediction(x - level.b * out, x + level.a * out)
