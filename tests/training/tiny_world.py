"""A tiny random model and a folder of coloured rectangles, made anew for tests and processes."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from PIL import Image

from collage_studio.starter.autoencoder import build_autoencoder, set_linear_encoder
from collage_studio.starter.model import (
    NetworkConfig,
    build_text_encoder,
    save_model,
)
from collage_studio.starter.tokenizer import build_tokenizer
from collage_studio.training.rich_context.config import TrainConfig
from collage_studio.training.rich_context.items import Item, ItemObject, write_manifest
from collage_studio.training.rich_context.loop import train
from collage_studio.training.rich_context.opening import manifest_of

NETWORKS = NetworkConfig(
    (32, 32, 32), heads=2, groups=8, text_width=32, text_layers=1, sample_size=8
)
SIZE = 64
COLOURS = {"red apple": (220, 40, 40), "tree": (40, 160, 60), "car": (60, 80, 220)}


def write_model(folder: Path) -> Path:
    """A model folder with random weights, but an encoder that keeps what it sees."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    encoder = build_text_encoder(NETWORKS, tokenizer)
    torch.nn.init.normal_(encoder.get_input_embeddings().weight, std=1.0)
    vae = build_autoencoder(8)
    pictures = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    set_linear_encoder(vae, pictures)
    with warnings.catch_warnings():
        # The pipeline takes the starter's plain scheduler for an old one; it is not used here.
        warnings.simplefilter("ignore", FutureWarning)
        save_model(_unet(), encoder, tokenizer, vae, folder)
    return folder


def _unet() -> UNet2DConditionModel:
    """One level with four transformer blocks."""
    network: Any = UNet2DConditionModel  # its signature names tuples of one length only
    return network(
        sample_size=NETWORKS.sample_size,
        in_channels=8,
        out_channels=8,
        block_out_channels=(32,),
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        layers_per_block=1,
        cross_attention_dim=NETWORKS.text_width,
        attention_head_dim=2,
        norm_num_groups=8,
    )


def write_data(folder: Path, count: int = 12) -> Path:
    """Pictures of three overlapping rectangles with long texts, and their manifest."""
    rng = np.random.default_rng(1)
    items = [_item(folder, number, rng) for number in range(count)]
    write_manifest(folder, items)
    return folder


def _item(folder: Path, number: int, rng: np.random.Generator) -> Item:
    folder.mkdir(parents=True, exist_ok=True)
    picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
    objects = list[ItemObject]()
    names = rng.permutation(list(COLOURS))
    for name in names:
        left, top = rng.integers(0, SIZE // 2, 2)
        right, bottom = left + SIZE // 2, top + SIZE // 2
        picture[top:bottom, left:right] = COLOURS[str(name)]
        box = (float(left), float(top), float(right), float(bottom))
        objects.append(ItemObject(box, f"{name} {name}, on the left."))
    Image.fromarray(picture).save(folder / f"{number}.png")
    return Item(f"{number}.png", "a picture", tuple(objects), "test", str(number))


def tiny_config(model: Path, out: Path, steps: int) -> TrainConfig:
    """A configuration that learns within seconds."""
    return TrainConfig(
        out, str(model), steps=steps, batch=2, learning_rate=3e-3, warm_steps=5, ema=0.9,
        views=1, held_out=0, save_every=10, check_every=1000, sample_every=1000,
    )  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = tiny_config(Path(sys.argv[1]), Path(sys.argv[3]), int(sys.argv[4]))
    train(wanted, manifest_of(Path(sys.argv[2]), wanted), resume="resume" in sys.argv)
