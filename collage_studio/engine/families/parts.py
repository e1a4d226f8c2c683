"""Parts that several families are made of: the autoencoder, and networks made ready to run."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor, nn

from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.families.base import Encoded
from collage_studio.engine.memory import needs_tiles


class Autoencoder:
    """Between pictures (B, 3, H, W) in [-1, 1] and latents (B, C, h, w) as the network sees them.

    z = (v - shift) scale, where v is what the autoencoder itself encodes to.
    """

    def __init__(self, vae: Any, device: torch.device) -> None:
        # The autoencoder stays in float32: some overflow in half precision.
        self.vae = settled(vae, device, torch.float32)
        self._device = device
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self.channels = int(vae.config.latent_channels)
        self._scale, self._shift = self._scale_and_shift()

    def _scale_and_shift(self) -> tuple[Tensor, Tensor]:
        config = self.vae.config
        scale = torch.full((1, 1, 1, 1), float(config.scaling_factor))
        shift = torch.full((1, 1, 1, 1), float(getattr(config, "shift_factor", None) or 0.0))
        mean, deviation = (
            getattr(config, "latents_mean", None),
            getattr(config, "latents_std", None),
        )
        if mean is not None and deviation is not None:
            shift = torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1)
            scale = scale / torch.tensor(deviation, dtype=torch.float32).view(1, -1, 1, 1)
        return scale.to(self._device), shift.to(self._device)

    def encode(self, picture: Tensor) -> Encoded:
        """Latent of one picture (1, 3, H, W)."""
        picture = picture.to(self._device, torch.float32).contiguous()
        with self._in_pieces(picture.shape[-2] * picture.shape[-1]):
            coded = self.vae.encode(picture)
        if isinstance(self.vae, AutoencoderTiny):
            return Encoded((coded.latents - self._shift) * self._scale)
        posterior = coded.latent_dist
        return Encoded((posterior.mean - self._shift) * self._scale, posterior.std * self._scale)

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), one after the other to save memory."""
        latent = latent.float() / self._scale + self._shift
        with self._in_pieces(latent.shape[-2] * latent.shape[-1] * self.factor**2):
            return torch.cat([self.vae.decode(row[None]).sample for row in latent])

    @contextmanager
    def _in_pieces(self, pixels: int) -> Generator[None]:
        """Tiles inside the block, if a picture of that size needs them."""
        if not needs_tiles(self._device, pixels):
            yield
            return
        self.vae.enable_tiling()
        try:
            yield
        finally:
            self.vae.disable_tiling()

    def watched(self) -> list[nn.Module]:
        """Parts that take a while each."""
        found = list[nn.Module]()
        for part in (self.vae.encoder, self.vae.decoder):
            layers = getattr(part, "layers", None)
            found += list(layers if layers is not None else part.children())
        return found


def settled(module: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """Ready to run, with weights at addresses that do not depend on the file they came from.

    A network whose weights wait elsewhere until they are needed stays as it is.
    """
    if hasattr(module, "_hf_hook"):
        return module.eval().requires_grad_(False)
    # The plain method: diffusers' own logs a warning about modules it would keep in float32.
    nn.Module.to(module, device=device, dtype=dtype)
    module.eval().requires_grad_(False)
    for parameter in module.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    return module


def bytes_of(*modules: Any) -> int:
    """Memory of all weights of `modules`; None counts nothing."""
    return sum(
        p.numel() * p.element_size()
        for module in modules
        if module is not None
        for p in module.parameters()
    )


def check_channels(found: int, expected: int) -> None:
    """Raise `ModelUnavailable` for networks that want more than a latent, such as inpainting's."""
    if found > expected:
        raise ModelUnavailable(
            f"This model reads {found} channels instead of {expected}: it is made for "
            "inpainting or instructions. Choose a plain text-to-image model."
        )
