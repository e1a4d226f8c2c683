"""A model of Stable Diffusion 1.5's size with random weights, for measuring speed and memory."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from collage_studio.engine.families.stable_diffusion import StableDiffusion
from collage_studio.engine.loading.pipelines import clip_tokenizer

_BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


_CHANNELS = (320, 640, 1280, 1280)


def random_sd15(device: torch.device, thinner: int = 1) -> StableDiffusion:
    """The networks of SD 1.5 by their configurations; autoencoder and text encoder are small.

    Args:
        thinner: divides the channels, for a slow machine: 5 takes about a twentieth of the time.
    """
    words = clip_tokenizer("<|endoftext|>")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        # Their signatures name tuples of one length only.
        unet_class: Any = UNet2DConditionModel
        vae_class: Any = AutoencoderKL
        unet = unet_class(
            sample_size=64,
            cross_attention_dim=768,
            block_out_channels=tuple(channels // thinner for channels in _CHANNELS),
        )
        vae = vae_class(
            block_out_channels=(8, 8, 16, 16),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=1,
            norm_num_groups=8,
        )
        encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(words),
                num_hidden_layers=1,
                hidden_size=768,
                intermediate_size=768,
                num_attention_heads=12,
            )
        )
    return StableDiffusion(
        unet=unet,
        vae=vae,
        text_encoder=encoder,
        tokenizer=words,
        scheduler_config=_BETAS,
        device=device,
    )
