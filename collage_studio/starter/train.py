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
from typing import Any

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel

from collage_studio.starter.grounding import ground_attention, token_coverage
from collage_studio.starter.model import (
    TRAIN_STEPS,
    NetworkConfig,
    alphas_cumprod,
    build_text_encoder,
    build_unet,
)
from collage_studio.starter.optim import build_optimizers, set_learning_rate
from collage_studio.starter.parallel import Workers
from collage_studio.starter.pool import Example, ScenePool
from collage_studio.starter.tokenizer import build_tokenizer

Progress = Callable[[str], None]

PASTE_STEPS = (100, 850)
"""The noise levels at which examples start from the photobash: those that harmonising uses."""


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
    drop_caption: float = 0.1
    from_paste: float = 0.35
    """Share of examples that start from the photobash."""
    grounded: float = 0.5
    """Share of examples whose words are read only where their layer is visible."""
    gamma: float = 5.0
    """Signal-to-noise ratio from which a step counts less."""
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


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from. Latents are (B, 8, h, w)."""

    noisy: Tensor
    target: Tensor
    """The v that leads from `noisy` to the truth."""
    weight: Tensor
    """(B, 1, 1, 1)"""
    t: Tensor
    """(B,)"""
    tokens: Tensor
    """(B, 77)"""
    coverage: Tensor
    """(B, 77, h, w): where each token may be read, 0..1."""

    def _parts(self) -> tuple[Tensor, ...]:
        return self.noisy, self.target, self.weight, self.t, self.tokens, self.coverage

    def to(self, device: str) -> Batch:
        return Batch(*(part.to(device) for part in self._parts()))

    def split(self, count: int) -> list[Batch]:
        """Nearly equal shares; fewer than asked for if the batch is too small."""
        chunks = (part.chunk(count) for part in self._parts())
        return [Batch(*parts) for parts in zip(*chunks, strict=True)]


class Trainer:
    """The state of one training: networks, their averages, optimizers, and random sources."""

    def __init__(self, config: TrainConfig) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.workers = Workers(1 if config.device.startswith("cuda") else config.threads)
        self.tokenizer = build_tokenizer()
        self.unet: UNet2DConditionModel = build_unet(config.networks)
        self.text_encoder: CLIPTextModel = build_text_encoder(config.networks, self.tokenizer)
        ground_attention(self.unet)
        for network in (self.unet, self.text_encoder):
            nn.Module.to(network, config.device)
        self.averages = {name: value.detach().clone() for name, value in self._weights()}
        self.optimizers = self._build_optimizers()
        self.rng = np.random.default_rng(config.seed)
        self.noise = torch.Generator("cpu").manual_seed(config.seed)
        self.signal = alphas_cumprod()
        self.step = 0
        self.samples = 0
        self.elapsed = 0.0

    @property
    def done(self) -> float:
        """The share of the training that lies behind, 0..1."""
        if self.config.steps is not None:
            return self.step / self.config.steps
        return min(self.elapsed / (60 * self.config.minutes), 1.0)

    def train_step(self, pool: ScenePool) -> float:
        """Take one step and return its loss."""
        config, window, batch = self.config, self.config.small_window, self.config.batch
        if self.done >= config.whole_from:
            batch = max(1, batch * window**2 // config.whole_window**2)
            window = config.whole_window
        examples = [pool.draw(self.rng, window) for _ in range(batch)]
        warmth = min(1.0, (self.step + 1) / config.warm_steps)
        fade = min(1.0, max(0.0, 1 - self.done) / (1 - config.decay_from))
        set_learning_rate(self.optimizers, config.learning_rate * warmth * fade)
        weights = [weight for _, weight in self._weights()]
        shares = self.prepare(examples).split(self.workers.count)
        loss = self.workers.backward([partial(self._loss, share) for share in shares], weights)
        nn.utils.clip_grad_norm_(weights, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self.samples += batch
        self._average()
        return loss

    def state(self) -> dict[str, Any]:
        """Everything that an exact continuation needs."""
        return {
            "unet": self.unet.state_dict(),
            "text_encoder": self.text_encoder.state_dict(),
            "averages": self.averages,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "rng": self.rng.bit_generator.state,
            "noise": self.noise.get_state(),
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
        self.rng.bit_generator.state = state["rng"]
        self.noise.set_state(state["noise"].cpu())
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
        lit = _stack([example.lit for example in examples])
        start, t = self._starts_and_steps(examples, lit)
        noise = torch.randn(lit.shape, generator=self.noise)
        share = self.signal[t].view(-1, 1, 1, 1)
        noisy = share.sqrt() * start + (1 - share).sqrt() * noise
        target = (share.sqrt() * noisy - lit) / (1 - share).sqrt()
        ratio = share / (1 - share)
        weight = (self.config.gamma / ratio).clamp(max=1.0)
        tokens, coverage = self._words(examples)
        return Batch(noisy, target, weight, t, tokens, coverage).to(self.config.device)

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

    def _starts_and_steps(self, examples: list[Example], lit: Tensor) -> tuple[Tensor, Tensor]:
        """What is noised, and to which step: (B, 8, h, w) and (B,)."""
        start = lit.clone()
        t = self.rng.integers(TRAIN_STEPS, size=len(examples))
        for index, example in enumerate(examples):
            if self.rng.random() < self.config.from_paste:
                flat = torch.from_numpy(self._pasted_share(example))  # (h, w)
                start[index] += flat * (_stack([example.pasted])[0] - lit[index])
                t[index] = self.rng.integers(*PASTE_STEPS)
        return start, torch.from_numpy(t)

    def _pasted_share(self, example: Example) -> np.ndarray[Any, np.dtype[np.float32]]:
        """How much of the photobash to start from, per latent cell."""
        height, width = example.lit.shape[-2:]
        kind = self.rng.random()
        if kind < 0.6:
            return np.ones((height, width), np.float32)
        if kind < 0.8:
            return np.full((height, width), self.rng.random(), np.float32)
        chosen = self.rng.random(len(example.masks)) < 0.5
        return (example.masks[chosen].sum(axis=0, dtype=np.float32) > 0.02).astype(np.float32)

    def _words(self, examples: list[Example]) -> tuple[Tensor, Tensor]:
        """Token ids (B, 77) and where each may be read, (B, 77, h, w)."""
        ids, coverage = list[Tensor](), list[Tensor]()
        for example in examples:
            words = () if self.rng.random() < self.config.drop_caption else example.words
            masks = example.masks if self.rng.random() < self.config.grounded else None
            row, covered = token_coverage(self.tokenizer, words, masks, example.lit.shape[-2:])
            ids.append(row)
            coverage.append(covered)
        return torch.stack(ids), torch.stack(coverage)

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        for name, weight in self._weights():
            self.averages[name].lerp_(weight.detach(), 1 - keep)


def train(config: TrainConfig, *, resume: bool = False, progress: Progress) -> Trainer:
    """Train until the configured end, saving a checkpoint now and then."""
    pool = ScenePool(config.pool)
    trainer = Trainer(config)
    if resume and config.checkpoint.exists():
        trainer.load_state(torch.load(config.checkpoint, map_location="cpu", weights_only=True))
        progress(f"resumed at step {trainer.step}")
    began, before = time.monotonic(), trainer.elapsed
    saved, losses = began, list[float]()
    while trainer.done < 1.0:
        losses.append(trainer.train_step(pool))
        trainer.elapsed = before + time.monotonic() - began
        if trainer.step % 20 == 0:
            progress(_report(trainer, losses, len(pool)))
            losses.clear()
            pool.refresh()
        if time.monotonic() - saved > 60 * config.save_minutes:
            save_checkpoint(trainer)
            saved = time.monotonic()
    save_checkpoint(trainer)
    trainer.workers.close()
    return trainer


def save_checkpoint(trainer: Trainer) -> None:
    """Write the trainer's state; the file is replaced only by a complete one."""
    path = trainer.config.checkpoint
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    torch.save(trainer.state(), unfinished)
    os.replace(unfinished, path)


def _report(trainer: Trainer, losses: list[float], scenes: int) -> str:
    return (
        f"step {trainer.step}, {trainer.done:.1%}, {trainer.elapsed:.0f} s, "
        f"{trainer.samples} samples of {scenes} scenes, loss {np.mean(losses):.4f}"
    )


def _stack(latents: list[np.ndarray[Any, np.dtype[np.float16]]]) -> Tensor:
    return torch.from_numpy(np.stack(latents).astype(np.float32))
