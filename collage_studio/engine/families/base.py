"""What the engine asks of a model family: text, latents, schedule and one prediction.

Tensors are (B, C, h, w) latents or (B, 3, H, W) pictures in [-1, 1]; the loop works in float32.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from collage_studio.engine.attention import AttentionEdit
from collage_studio.engine.schedule import Schedule


@dataclass(frozen=True, slots=True)
class ReadText:
    """What a model made of one text.

    Args:
        rows: (1, T, d) what the network attends to.
        offsets: for each of the T tokens the characters [start, end) of the text it stands for;
            (0, 0) for special tokens and padding.
        skipped: the end of the text that did not fit; empty if all was read.
    """

    rows: Tensor
    offsets: tuple[tuple[int, int], ...]
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture in latent space: mean and, for a KL autoencoder, deviation (1, C, h, w), scaled."""

    mean: Tensor
    deviation: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The clean estimate and the noise estimate, each (B, C, h, w)."""

    x0: Tensor
    noise: Tensor


@dataclass(frozen=True, slots=True)
class Guide:
    """The texts of a run: positive and negative rows (1, T, d), and the guidance scale."""

    positive: Tensor
    negative: Tensor
    scale: float


class Family(Protocol):
    """One loaded checkpoint."""

    name: str
    device: torch.device
    native_px: int
    factor: int
    latent_channels: int
    alignment: int

    @property
    def weight_bytes(self) -> int:
        """Memory of all weights."""
        ...

    @property
    def text_limit(self) -> int:
        """Tokens of one text, without begin and end."""
        ...

    def read_text(self, text: str) -> ReadText:
        """Encode `text`; what does not fit is left out and reported."""
        ...

    def encode(self, picture: Tensor) -> Encoded:
        """Latent of one picture (1, 3, H, W); H and W are multiples of `factor`."""
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), about [-1, 1], of latents (B, C, h, w)."""
        ...

    def schedule(self, sampler: str, steps: int) -> Schedule:
        """The noise levels of `steps` full steps."""
        ...

    def predict(self, x: Tensor, schedule: Schedule, index: int, guide: Guide) -> Prediction:
        """Estimate what is clean in x (B, C, h, w) at level `schedule.before[index]`."""
        ...

    def attending(self, edit: AttentionEdit) -> AbstractContextManager[None]:
        """Apply `edit` in every attention layer that reads the text, within a with block."""
        ...

    def watched_modules(self) -> tuple[nn.Module, ...]:
        """Parts that a long forward pass goes through, where a cancel may take effect."""
        ...
