"""Writes the model folder from a training checkpoint, at any time, also while training runs."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

from collage_studio.starter.autoencoder import build_autoencoder
from collage_studio.starter.model import (
    MODEL_FOLDER,
    NetworkConfig,
    build_text_encoder,
    build_unet,
    save_model,
)
from collage_studio.starter.tokenizer import build_tokenizer


def export_model(
    checkpoint: Path,
    autoencoder: Path,
    folder: Path = MODEL_FOLDER,
    networks: NetworkConfig | None = None,
) -> int:
    """Write the averaged weights of a checkpoint as a pipeline folder; return its step."""
    networks = networks or NetworkConfig()
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    tokenizer = build_tokenizer()
    unet, text_encoder = build_unet(networks), build_text_encoder(networks, tokenizer)
    unet.load_state_dict(_part(state["averages"], "unet."), strict=True)
    text_encoder.load_state_dict(
        {**text_encoder.state_dict(), **_part(state["averages"], "text_encoder.")}
    )
    save_model(unet, text_encoder, tokenizer, load_autoencoder(autoencoder), folder)
    return int(state["step"])


def load_autoencoder(path: Path) -> AutoencoderTiny:
    """The trained autoencoder with the scale of its latents."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    model = build_autoencoder(saved["width"])
    model.load_state_dict(saved["weights"])
    model.register_to_config(scaling_factor=float(saved["scaling_factor"]))
    return model.eval()


def _part(averages: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in averages.items()
        if name.startswith(prefix)
    }
