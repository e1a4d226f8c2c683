"""What one step of the denoiser's training, or of its control's, learns from.

Latents are (B, 8, h, w). A part of a batch does not start from the truth but from the flat
photobash, wholly or for some of its objects, while the target stays the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTokenizer

from collage_studio.starter.grounding import token_coverage
from collage_studio.starter.model import TRAIN_STEPS, alphas_cumprod
from collage_studio.starter.pool import Example
from collage_studio.starter.tokenizer import build_tokenizer

PASTE_STEPS = (100, 850)
"""The noise levels at which examples start from the photobash: those that harmonising uses."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How batches are drawn.

    Args:
        from_paste: share of examples that start from the photobash.
        grounded: share of examples whose words are read only where their layer is visible.
        drop_caption: share of examples without words.
        gamma: signal-to-noise ratio from which a step counts less.
        first_step: the least noise at which examples start from the truth.
    """

    from_paste: float = 0.35
    grounded: float = 0.5
    drop_caption: float = 0.1
    gamma: float = 5.0
    first_step: int = 0


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


@dataclass(slots=True)
class Batches:
    """Draws batches; all that is random about them comes from its two sources.

    Args:
        rng: for starts, steps and words.
        noise: for the noise, on the CPU.
    """

    settings: BatchSettings
    rng: np.random.Generator
    noise: torch.Generator
    tokenizer: CLIPTokenizer = field(default_factory=build_tokenizer)
    signal: Tensor = field(default_factory=alphas_cumprod)

    @classmethod
    def seeded(cls, settings: BatchSettings, seed: int) -> Batches:
        """Batches whose two random sources begin at `seed`."""
        return cls(settings, np.random.default_rng(seed), torch.Generator("cpu").manual_seed(seed))

    def state(self) -> dict[str, Any]:
        """Everything that an exact continuation needs."""
        return {"rng": self.rng.bit_generator.state, "noise": self.noise.get_state()}

    def load_state(self, state: dict[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.noise.set_state(state["noise"].cpu())

    def of(self, examples: list[Example]) -> Batch:
        """Noise over the examples' starts, and the v that leads to their truths."""
        lit = stacked([example.lit for example in examples])
        start, t = self._starts_and_steps(examples, lit)
        noise = torch.randn(lit.shape, generator=self.noise)
        share = self.signal[t].view(-1, 1, 1, 1)
        noisy = share.sqrt() * start + (1 - share).sqrt() * noise
        target = (share.sqrt() * noisy - lit) / (1 - share).sqrt()
        ratio = share / (1 - share)
        weight = (self.settings.gamma / ratio).clamp(max=1.0)
        tokens, coverage = self._words(examples)
        return Batch(noisy, target, weight, t, tokens, coverage)

    def _starts_and_steps(self, examples: list[Example], lit: Tensor) -> tuple[Tensor, Tensor]:
        """What is noised, and to which step: (B, 8, h, w) and (B,)."""
        start = lit.clone()
        t = self.rng.integers(self.settings.first_step, TRAIN_STEPS, size=len(examples))
        for index, example in enumerate(examples):
            if self.rng.random() < self.settings.from_paste:
                flat = torch.from_numpy(self._pasted_share(example))  # (h, w)
                start[index] += flat * (stacked([example.pasted])[0] - lit[index])
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
            words = () if self.rng.random() < self.settings.drop_caption else example.words
            masks = example.masks if self.rng.random() < self.settings.grounded else None
            row, covered = token_coverage(self.tokenizer, words, masks, example.lit.shape[-2:])
            ids.append(row)
            coverage.append(covered)
        return torch.stack(ids), torch.stack(coverage)


def stacked(latents: list[np.ndarray[Any, np.dtype[np.float16]]]) -> Tensor:
    """(B, 8, h, w) float32."""
    return torch.from_numpy(np.stack(latents).astype(np.float32))
