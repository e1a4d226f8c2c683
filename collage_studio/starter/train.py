"""Training of the starter model's denoiser and text encoder on the encoded sticker world.

Latents are (B, 8, h, w). The network predicts v. A part of each batch does not start from the
truth but from the flat photobash, wholly or for some of its objects, while the target stays the
truth: the model learns to relight what was pasted, not only to denoise what was lit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel

from collage_studio.starter.batches import Batch, Batches, BatchSettings
from collage_studio.starter.grounding import ground_attention
from collage_studio.starter.model import (
    NetworkConfig,
    build_text_encoder,
    build_unet,
)
from collage_studio.starter.optim import build_optimizers, set_learning_rate
from collage_studio.starter.pace import rate_at, share_done, window_and_batch
from collage_studio.starter.parallel import Workers
from collage_studio.starter.pool import Example, ScenePool

Progress = Callable[[str], None]

REFRESH_STEPS = 20
"""After how many steps scenes that were encoded meanwhile are taken in."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What to train, on what, and until when: `steps` if given, otherwise `minutes`."""

    pool: Path
    checkpoint: Path
    networks: NetworkConfig = field(default_factory=NetworkConfig)
    minutes: float = 95.0
    steps: int | None = None
    batch: int = 32
    """Windows of `small_window` per step; whole canvases come in batches of the same area."""
    small_window: int = 16
    whole_window: int = 32
    whole_from: float = 0.72
    """Share of the training after which whole canvases are shown."""
    learning_rate: float = 1.6e-3
    warm_steps: int = 100
    decay_from: float = 0.65
    ema_decay: float = 0.995
    drawn: BatchSettings = field(default_factory=BatchSettings)
    muon: bool = True
    muon_iterations: int = 3
    threads: int = 2
    """Shares of a batch computed side by side on a CPU."""
    save_minutes: float = 5.0
    seed: int = 0
    device: str = "cpu"


def default_config(pool: Path, checkpoint: Path, device: str | None = None) -> TrainConfig:
    """Sizes that suit the device: a small network on a CPU, a wider one on a GPU."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    config = TrainConfig(pool, checkpoint, device=device)
    if device.startswith("cuda"):
        wide = NetworkConfig((128, 256, 512), layers=2, heads=8, groups=32, text_width=256)
        return replace(config, networks=wide, batch=256, muon_iterations=5)
    return config


class Trainer:
    """The state of one training: networks, their averages, optimizers, and random sources."""

    def __init__(self, config: TrainConfig) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.checkpoint, self.save_minutes = config.checkpoint, config.save_minutes
        self.workers = Workers(1 if config.device.startswith("cuda") else config.threads)
        self.batches = Batches.seeded(config.drawn, config.seed)
        self.unet: UNet2DConditionModel = build_unet(config.networks)
        self.text_encoder: CLIPTextModel = build_text_encoder(
            config.networks, self.batches.tokenizer
        )
        ground_attention(self.unet)
        for network in (self.unet, self.text_encoder):
            nn.Module.to(network, config.device)
        self.averages = {name: value.detach().clone() for name, value in self._weights()}
        self.optimizers = self._build_optimizers()
        self.step = 0
        self.samples = 0
        self.elapsed = 0.0

    @property
    def done(self) -> float:
        """The share of the training that lies behind, 0..1."""
        return share_done(self.config, self.step, self.elapsed)

    def train_step(self, pool: ScenePool) -> float:
        """Take one step and return its loss."""
        window, batch = window_and_batch(self.config, self.done)
        examples = [pool.draw(self.batches.rng, window) for _ in range(batch)]
        set_learning_rate(self.optimizers, rate_at(self.config, self.step, self.done))
        weights = [weight for _, weight in self._weights()]
        shares = self.prepare(examples).split(self.workers.count)
        loss = self.workers.backward([partial(self._loss, share) for share in shares], weights)
        nn.utils.clip_grad_norm_(weights, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self.samples += batch
        self._average()
        if self.step % REFRESH_STEPS == 0:
            pool.refresh()
        return loss

    def state(self) -> dict[str, Any]:
        """Everything that an exact continuation needs."""
        return {
            "unet": self.unet.state_dict(),
            "text_encoder": self.text_encoder.state_dict(),
            "averages": self.averages,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            **self.batches.state(),
            "step": self.step,
            "samples": self.samples,
            "elapsed": self.elapsed,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.unet.load_state_dict(state["unet"])
        self.text_encoder.load_state_dict(state["text_encoder"])
        for name, value in state["averages"].items():
            self.averages[name].copy_(value)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.batches.load_state(state)
        self.step, self.samples = state["step"], state["samples"]
        self.elapsed = state["elapsed"]

    def _weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        for prefix, network in (("unet", self.unet), ("text_encoder", self.text_encoder)):
            for name, weight in network.named_parameters():
                yield f"{prefix}.{name}", weight

    def _build_optimizers(self) -> list[torch.optim.Optimizer]:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, weight in self._weights():
            hidden = weight.ndim > 1 and "embedding" not in name and "conv_out" not in name
            (matrices if hidden and self.config.muon else others).append(weight)
        return build_optimizers(
            matrices,
            others,
            lr=self.config.learning_rate,
            workers=self.workers,
            iterations=self.config.muon_iterations,
        )

    def prepare(self, examples: list[Example]) -> Batch:
        """Draw everything random about a batch, so that its shares can be computed in any order."""
        return self.batches.of(examples).to(self.config.device)

    def _loss(self, batch: Batch) -> Tensor:
        """Squared error of v; steps with little noise count less, strong noise counts in full.

        (min-SNR, Hang et al. 2023, would also play down strong noise, where words decide most.)
        """
        on_gpu = self.config.device.startswith("cuda")
        with torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
            rows = self.text_encoder(batch.tokens).last_hidden_state
            predicted = self.unet(
                batch.noisy, batch.t, rows, cross_attention_kwargs={"coverage": batch.coverage}
            ).sample
        return (batch.weight * (predicted.float() - batch.target).square()).mean()

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        for name, weight in self._weights():
            self.averages[name].lerp_(weight.detach(), 1 - keep)


class Training(Protocol):
    """What `run_training` drives; `Trainer` is one."""

    checkpoint: Path
    save_minutes: float
    step: int
    samples: int
    elapsed: float
    workers: Workers

    @property
    def done(self) -> float: ...
    def train_step(self, pool: ScenePool) -> float: ...
    def state(self) -> dict[str, Any]: ...


def train(config: TrainConfig, *, resume: bool = False, progress: Progress) -> Trainer:
    """Train until the configured end, saving a checkpoint now and then."""
    pool = ScenePool(config.pool)
    trainer = Trainer(config)
    if resume and config.checkpoint.exists():
        trainer.load_state(torch.load(config.checkpoint, map_location="cpu", weights_only=True))
        progress(f"resumed at step {trainer.step}")
    run_training(trainer, pool, progress)
    return trainer


def run_training(trainer: Training, pool: ScenePool, progress: Progress) -> None:
    """Take steps until the trainer is done, saving a checkpoint now and then."""
    began, before = time.monotonic(), trainer.elapsed
    saved, losses = began, list[float]()
    while trainer.done < 1.0:
        losses.append(trainer.train_step(pool))
        trainer.elapsed = before + time.monotonic() - began
        if trainer.step % 20 == 0:
            progress(_report(trainer, losses, len(pool)))
            losses.clear()
        if time.monotonic() - saved > 60 * trainer.save_minutes:
            save_checkpoint(trainer)
            saved = time.monotonic()
    save_checkpoint(trainer)
    trainer.workers.close()


def save_checkpoint(trainer: Training) -> None:
    """Write the trainer's state; the file is replaced only by a complete one."""
    path = trainer.checkpoint
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    torch.save(trainer.state(), unfinished)
    os.replace(unfinished, path)


def _report(trainer: Training, losses: list[float], scenes: int) -> str:
    return (
        f"step {trainer.step}, {trainer.done:.1%}, {trainer.elapsed:.0f} s, "
        f"{trainer.samples} samples of {scenes} scenes, loss {np.mean(losses):.4f}"
    )
