"""What the families around a UNet share: latents, schedule, prediction and attention layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from collage_studio.document.geometry import Size
from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.attention.edits import AttentionEdit
from collage_studio.engine.attention.processors import UNetSites
from collage_studio.engine.families.base import Conditioning, LearnedWords, Prediction
from collage_studio.engine.families.diffusion_schedule import (
    diffusion_estimates,
    diffusion_schedule,
)
from collage_studio.engine.families.latent import LatentFamily
from collage_studio.engine.families.parts import check_channels, settled
from collage_studio.engine.schedule import Schedule


class UNetFamily(LatentFamily, ABC):
    """A denoising UNet with its autoencoder; texts are the families' own."""

    guidance_is_input = False
    takes_one_frame = False

    def __init__(
        self,
        *,
        unet: Any,
        vae: Any,
        scheduler_config: Mapping[str, Any],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        _check_parts(unet, int(vae.config.latent_channels))
        super().__init__(vae=vae, scheduler_config=scheduler_config, device=device, dtype=dtype)
        self.unet = settled(unet, device, dtype)
        self._sites = UNetSites(self.unet)
        self.alignment = 2 ** (len(unet.config.block_out_channels) - 1)
        sample = unet.config.sample_size
        self.native_px = self.factor * int(sample if isinstance(sample, int) else min(sample))

    @abstractmethod
    def read_joined(
        self,
        texts: Sequence[str],
        *,
        upstream: bool = False,
        learned: Sequence[Sequence[LearnedWords]] = (),
    ) -> tuple[Tensor, Tensor]:
        """Encode texts as one sequence: rows (T, d) and the number of each row's text (T,).

        Args:
            upstream: join the texts as the published code does.
            learned: looks inside each text, which take the place of their placeholders; () = none.
        """

    def schedule(self, sampler: str, steps: int, grid: Size) -> Schedule:
        """Levels of a fresh diffusers scheduler with this checkpoint's betas and spacing."""
        return diffusion_schedule(sampler, steps, self.scheduler_config, self.device)

    def forward(
        self, x: Tensor, schedule: Schedule, index: int, conditioning: Conditioning
    ) -> Tensor:
        """One call of the UNet: noise, v or the sample, as the checkpoint was trained."""
        given = {
            "sample": x.to(self.dtype),
            "timestep": schedule.timesteps[index],
            "encoder_hidden_states": conditioning.rows.to(self.dtype),
            **self._more_inputs(conditioning),
        }
        for attachment in conditioning.attachments:
            given |= attachment.inputs(given)
        self._sites.see(*x.shape[-2:])
        return self.unet(**given, return_dict=False)[0].float()

    def _more_inputs(self, conditioning: Conditioning) -> Mapping[str, Any]:
        """What this family's network is told beside the rows."""
        del conditioning
        return {}

    def interpret(self, out: Tensor, x: Tensor, schedule: Schedule, index: int) -> Prediction:
        """The clean and the noise estimate behind the network's output."""
        kind = str(self.scheduler_config.get("prediction_type", "epsilon"))
        return diffusion_estimates(kind, out, x, schedule.before[index])

    def attending(self, edit: AttentionEdit) -> AbstractContextManager[None]:
        """Apply `edit` in all attention layers, within a with block."""
        return self._sites.attending(edit)

    def watched_modules(self) -> tuple[nn.Module, ...]:
        """Blocks of the network and the autoencoder, each a fraction of a forward pass."""
        found = list[nn.Module]()
        for block in (*self.unet.down_blocks, self.unet.mid_block, *self.unet.up_blocks):
            found += [*getattr(block, "resnets", ()), *getattr(block, "attentions", ())]
        return (*found, *self._autoencoder.watched())


def _check_parts(unet: Any, latent_channels: int) -> None:
    check_channels(int(unet.config.in_channels), latent_channels)
    if getattr(unet.config, "time_cond_proj_dim", None) is not None:
        raise ModelUnavailable(
            "This model has guidance distilled into it, which is not supported. "
            "Choose one that is not distilled."
        )
