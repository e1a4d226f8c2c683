"""Tiny Stable Diffusion pipelines of the real classes, with random weights of a fixed seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    PNDMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from collage_studio.engine.families.stable_diffusion import StableDiffusion

CPU = torch.device("cpu")


def tokenizer() -> CLIPTokenizer:
    """A byte-level CLIP tokenizer that knows "cat" and "dog" as one token each."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    symbols = list(bytes_to_unicode().values())
    pieces = [*symbols, *(symbol + "</w>" for symbol in symbols)]
    merges = [("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>")]
    pieces += ["".join(pair) for pair in merges]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def text_encoder(words: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=77,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    ).eval()


def unet(channels: int) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
    ).eval()


def kl_autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
    ).eval()


def tiny_autoencoder() -> AutoencoderTiny:
    return AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
        latent_channels=8,
        scaling_factor=0.7,
    ).eval()


def pipeline(prediction: str = "epsilon", autoencoder: str = "kl") -> StableDiffusionPipeline:
    """A complete pipeline; its scheduler is PNDM, as in published SD 1.5 folders."""
    torch.manual_seed(0)
    words = tokenizer()
    vae = kl_autoencoder() if autoencoder == "kl" else tiny_autoencoder()
    scheduler = PNDMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        skip_prk_steps=True,
        steps_offset=1,
        prediction_type=prediction,
    )
    return StableDiffusionPipeline(
        unet=unet(vae.config.latent_channels),
        vae=vae,
        text_encoder=text_encoder(words),
        tokenizer=words,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def folder(path: Path, prediction: str = "epsilon", autoencoder: str = "kl") -> Path:
    """A saved pipeline in the ordinary folder layout."""
    pipeline(prediction, autoencoder).save_pretrained(path, safe_serialization=True)
    return path


def family(pipe: StableDiffusionPipeline) -> StableDiffusion:
    return StableDiffusion(
        unet=pipe.unet,
        vae=pipe.vae,
        text_encoder=pipe.text_encoder,
        tokenizer=pipe.tokenizer,
        scheduler_config=dict(pipe.scheduler.config),
        device=CPU,
    )


def img2img(pipe: StableDiffusionPipeline, scheduler: object) -> StableDiffusionImg2ImgPipeline:
    """The stock pipeline on the same components with another scheduler."""
    stock = StableDiffusionImg2ImgPipeline(
        vae=pipe.vae,
        text_encoder=pipe.text_encoder,
        tokenizer=pipe.tokenizer,
        unet=pipe.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    stock.set_progress_bar_config(disable=True)
    return stock


def photograph(width: int, height: int, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 with soft shapes and some texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [
        np.sin(x / rng.uniform(5, 20) + rng.uniform(0, 6)) + np.cos(y / rng.uniform(5, 20))
        for _ in range(3)
    ]
    picture = np.stack(waves, axis=2) * 50 + 128 + rng.normal(0, 6, (height, width, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)
