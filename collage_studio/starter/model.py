"""The starter model's networks and its folder, an ordinary `StableDiffusionPipeline` layout."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from collage_studio.resources_dir import resources_path
from collage_studio.starter.autoencoder import LATENT_CHANNELS
from collage_studio.starter.tokenizer import MAX_TOKENS

MODEL_FOLDER = resources_path("starter", "model")

TRAIN_STEPS = 1000
BETA_START = 0.00085
BETA_END = 0.012


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The sizes of the denoiser and the text encoder."""

    channels: tuple[int, int, int] = (48, 96, 192)
    layers: int = 1
    heads: int = 4
    groups: int = 16
    text_width: int = 192
    text_layers: int = 2
    sample_size: int = 32


def build_unet(config: NetworkConfig) -> UNet2DConditionModel:
    """Convolutions at full latent size, self- and cross-attention at a half and a quarter."""
    return UNet2DConditionModel(
        sample_size=config.sample_size,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=config.channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=config.layers,
        cross_attention_dim=config.text_width,
        attention_head_dim=config.heads,  # diffusers reads this as the number of heads
        norm_num_groups=config.groups,
    )


def build_text_encoder(config: NetworkConfig, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.text_width,
            intermediate_size=2 * config.text_width,
            num_hidden_layers=config.text_layers,
            num_attention_heads=config.heads,
            max_position_embeddings=MAX_TOKENS,
            bos_token_id=token_id(tokenizer, tokenizer.bos_token),
            eos_token_id=token_id(tokenizer, tokenizer.eos_token),
            pad_token_id=token_id(tokenizer, tokenizer.pad_token),
        )
    )


def token_id(tokenizer: CLIPTokenizer, token: Any) -> int:
    """The number of one special token."""
    return int(tokenizer.get_vocab()[str(token)])


def build_scheduler() -> EulerAncestralDiscreteScheduler:
    return EulerAncestralDiscreteScheduler(
        num_train_timesteps=TRAIN_STEPS,
        beta_start=BETA_START,
        beta_end=BETA_END,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="linspace",
    )


def alphas_cumprod() -> torch.Tensor:
    """The share of signal left in x_t, squared, for each training step: (1000,)."""
    roots = torch.linspace(BETA_START**0.5, BETA_END**0.5, TRAIN_STEPS, dtype=torch.float64)
    return torch.cumprod(1 - roots.square(), dim=0).float()


def save_model(
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    vae: AutoencoderTiny,
    folder: Path = MODEL_FOLDER,
) -> None:
    """Write the whole pipeline in half precision, replacing the folder in one step."""
    # Stock pipelines take these parts, but their annotations name fewer classes.
    parts: dict[str, Any] = {
        "vae": vae,
        "scheduler": build_scheduler(),
        "safety_checker": None,
        "feature_extractor": None,
    }
    pipeline = StableDiffusionPipeline(
        **parts,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        requires_safety_checker=False,
    ).to(dtype=torch.float16)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".model-", dir=folder.parent))
    fresh.chmod(0o755)
    pipeline.save_pretrained(fresh, safe_serialization=True)
    _forget_derived_setting(fresh / "vae" / "config.json")
    replace_folder(fresh, folder)


def _forget_derived_setting(config: Path) -> None:
    """Drop what `AutoencoderTiny` saves but warns about, and sets itself, when it is loaded."""
    settings = json.loads(config.read_text("utf-8"))
    settings.pop("block_out_channels", None)
    config.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


def replace_folder(fresh: Path, folder: Path) -> None:
    """Put a finished folder in the place of `folder`."""
    old = fresh.with_name(fresh.name + "-old")
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)
