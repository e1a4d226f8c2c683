"""What every family shares: where it computes, and the way from pictures to latents and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from collage_studio.engine.families.base import Encoded
from collage_studio.engine.families.parts import Autoencoder


class LatentFamily:
    """A network on latents, given its autoencoder; network and texts are the families' own."""

    def __init__(
        self,
        *,
        vae: Any,
        scheduler_config: Mapping[str, Any],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self._autoencoder = Autoencoder(vae, device)
        self.scheduler_config = dict(scheduler_config)
        self.factor = self._autoencoder.factor
        self.latent_channels = self._autoencoder.channels

    @property
    def vae(self) -> Any:
        return self._autoencoder.vae

    def encode(self, picture: Tensor) -> Encoded:
        """Latent of one picture (1, 3, H, W) in [-1, 1], scaled as the network expects it."""
        return self._autoencoder.encode(picture)

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), about [-1, 1], one after the other to save memory."""
        return self._autoencoder.decode(latent)


def parts_of(pipe: Any, *names: str) -> dict[str, Any]:
    """Parts of a diffusers pipeline by name, and its scheduler's values: what a family takes."""
    return {name: getattr(pipe, name) for name in names} | {
        "scheduler_config": dict(pipe.scheduler.config)
    }
