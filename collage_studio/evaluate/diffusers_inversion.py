"""The textual-inversion training loop of diffusers' examples, written out to be measured against.

After its public description: every step encodes the picture again, the whole matrix of word
embeddings has gradients and moments and all but the new rows are put back, timesteps are uniform,
and the error is the plain mean over the whole picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor
from torch.nn import functional

from collage_studio.engine.api import Picture

TEMPLATES = (
    "a photo of a {}",
    "a rendering of a {}",
    "a cropped photo of the {}",
    "the photo of a {}",
    "a photo of a clean {}",
    "a close-up photo of a {}",
    "a good photo of the {}",
    "a photo of one {}",
)
"""Some of the script's 27 for objects; the rest are of the same kind."""


@dataclass(frozen=True, slots=True)
class ScriptSettings:
    """The script's own advice: 5e-4 with `--scale_lr`, which multiplies it by the batch of 4."""

    vectors: int
    batch: int = 4
    rate: float = 5e-4
    initializer: str = "a"
    seed: int = 0


def train(
    pipeline: Any, picture: Picture, text: str, settings: ScriptSettings, side: int
) -> Iterator[Tensor]:
    """Yield the learned vectors (n, width) after each step.

    Args:
        pipeline: a diffusers StableDiffusionPipeline; its text encoder gets new words.
        picture: (H, W, 3) uint8, the training picture.
        text: words behind the new ones, as Collage Diffusion has it.
    """
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    tokenizer, encoder = pipeline.tokenizer, pipeline.text_encoder
    names = [f"<new{i}>" for i in range(settings.vectors)]
    tokenizer.add_tokens(names)
    new_ids = tokenizer.convert_tokens_to_ids(names)
    [first_id] = tokenizer(settings.initializer, add_special_tokens=False).input_ids[:1]
    encoder.resize_token_embeddings(len(tokenizer))
    table: Tensor = encoder.get_input_embeddings().weight
    with torch.no_grad():
        table[new_ids] = table[first_id].clone()
    _freeze(pipeline)
    table.requires_grad_(True)
    original = table.detach().clone()
    kept = torch.ones(len(tokenizer), dtype=torch.bool)
    kept[new_ids] = False
    optimiser = torch.optim.AdamW([table], lr=settings.rate * settings.batch, weight_decay=1e-2)
    scheduler: Any = DDPMScheduler.from_config(pipeline.scheduler.config)
    for _ in itertools.count():
        pixels = torch.cat([_example(picture, side, rng) for _ in range(settings.batch)])
        prompts = [
            str(rng.choice(TEMPLATES)).format(" ".join((*names, text)))
            for _ in range(settings.batch)
        ]
        loss = _loss(pipeline, scheduler, pixels, prompts)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        with torch.no_grad():
            table[kept] = original[kept]
        yield table.detach()[new_ids].clone()


def _loss(pipeline: Any, scheduler: Any, pixels: Tensor, prompts: list[str]) -> Tensor:
    latents = _encode(pipeline.vae, pixels)
    noise = torch.randn_like(latents)
    times = torch.randint(0, scheduler.config.num_train_timesteps, (len(latents),)).long()
    noisy = scheduler.add_noise(latents, noise, times)
    coded = pipeline.tokenizer(
        prompts,
        padding="max_length",
        truncation=True,
        max_length=pipeline.tokenizer.model_max_length,
        return_tensors="pt",
    )
    states = pipeline.text_encoder(coded.input_ids)[0]
    out = pipeline.unet(noisy, times, states).sample
    is_v = scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(latents, noise, times) if is_v else noise
    return functional.mse_loss(out.float(), target.float(), reduction="mean")


def _encode(vae: Any, pixels: Tensor) -> Tensor:
    with torch.no_grad():
        coded = vae.encode(pixels)
    latents = coded.latents if isinstance(vae, AutoencoderTiny) else coded.latent_dist.sample()
    return latents * float(vae.config["scaling_factor"])


def _example(picture: Picture, side: int, rng: np.random.Generator) -> Tensor:
    """(1, 3, side, side) in [-1, 1]; mirrored half of the time."""
    pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1.0
    pixels = functional.interpolate(pixels, (side, side), mode="bicubic", antialias=True)
    return pixels.flip(-1) if rng.random() < 0.5 else pixels


def _freeze(pipeline: Any) -> None:
    for module in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        module.requires_grad_(False)


def load(folder: Path) -> Any:
    """The pipeline in `folder`, in full precision."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import (
        StableDiffusionPipeline,
    )

    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    return pipeline.to("cpu")
