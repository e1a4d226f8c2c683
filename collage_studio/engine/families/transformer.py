"""What the families around a joint transformer share: latents, prediction, attention layers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from collage_studio.document.geometry import Size
from collage_studio.engine.attention.edits import AttentionEdit
from collage_studio.engine.attention.joint_processors import JointSites
from collage_studio.engine.families.base import Prediction
from collage_studio.engine.families.flow_schedule import flow_estimates, flow_schedule
from collage_studio.engine.families.latent import LatentFamily
from collage_studio.engine.families.parts import settled
from collage_studio.engine.schedule import Schedule

PATCH = 2
"""Cells along each side of what the network takes as one token of the picture."""


class TransformerFamily(LatentFamily):
    """A joint transformer trained on straight paths, with its autoencoder."""

    alignment = PATCH
    takes_one_frame = False
    ends_at_step = False
    """See `flow_schedule`."""

    def __init__(
        self,
        *,
        transformer: Any,
        vae: Any,
        scheduler_config: Mapping[str, Any],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(vae=vae, scheduler_config=scheduler_config, device=device, dtype=dtype)
        self.transformer = settled(transformer, device, dtype)
        self._sites = JointSites(self.transformer)

    def schedule(self, sampler: str, steps: int, grid: Size) -> Schedule:
        """Levels of the flow scheduler, which some checkpoints shift by the size of the canvas."""
        size = tokens_of(grid)
        return flow_schedule(
            sampler,
            steps,
            self.scheduler_config,
            self.device,
            tokens=size.width * size.height,
            ends_at_step=self.ends_at_step,
        )

    def interpret(self, out: Tensor, x: Tensor, schedule: Schedule, index: int) -> Prediction:
        """The clean and the noise estimate behind the network's velocity."""
        return flow_estimates(out, x, schedule.before[index])

    def attending(self, edit: AttentionEdit) -> AbstractContextManager[None]:
        """Apply `edit` in all attention layers, within a with block."""
        return self._sites.attending(edit)

    def watched_modules(self) -> tuple[nn.Module, ...]:
        """Blocks of the network and the autoencoder, each a fraction of a forward pass."""
        blocks = (
            *self.transformer.transformer_blocks,
            *getattr(self.transformer, "single_transformer_blocks", ()),
        )
        return (*blocks, *self._autoencoder.watched())


def tokens_of(grid: Size) -> Size:
    """The tokens of a picture of so many latent cells; an odd side has one that is half empty."""
    return Size(-(-grid.width // PATCH), -(-grid.height // PATCH))


def padded(x: Tensor) -> Tensor:
    """x (B, C, h, w) with even sides, its last row or column repeated where they are odd."""
    height, width = x.shape[-2:]
    if height % PATCH == 0 and width % PATCH == 0:
        return x
    return functional.pad(x, (0, width % PATCH, 0, height % PATCH), mode="replicate")
