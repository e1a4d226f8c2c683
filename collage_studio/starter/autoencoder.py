"""The starter model's autoencoder, an `AutoencoderTiny`: a computed encoder, a trained decoder.

The encoder is linear: it projects each 8 x 8 block on the world's principal components, three
colours first, then slopes and finer detail. Such latents need no training, are smooth in colour,
and keep light a nearly linear matter. The decoder learns to draw sharp edges from them.

Pictures are (B, 3, H, W) in [-1, 1]; latents are (B, 8, H/8, W/8).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from collage_studio.starter.optim import build_optimizers, set_learning_rate
from collage_studio.starter.parallel import Workers
from collage_studio.starter.render import paste_only, render_lit
from collage_studio.starter.world import Scene, refuse_held_out

LATENT_CHANNELS = 8
SHRINK = 8
ENCODER_WIDTH = 48
"""The values of a 4 x 4 block, which the encoder gathers before its last halving."""
DECODER_WIDTH = 32
CHANNEL_SPREAD = (1.0, 1.0, 0.8, 0.7, 0.7, 0.6, 0.6, 0.6)
"""Standard deviation of each latent channel: colour first, so that it is settled first."""
QUARTERS = ((0, 0), (0, 1), (1, 0), (1, 1))

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AutoencoderConfig:
    """How long and on what the autoencoder trains."""

    minutes: float = 12.0
    scenes: int = 900
    crop: int = 64
    batch: int = 8
    learning_rate: float = 2e-3
    latent_noise: float = 0.08
    width: int = DECODER_WIDTH
    seed: int = 7
    threads: int = 2


def build_autoencoder(width: int = DECODER_WIDTH) -> AutoencoderTiny:
    """A factor-8 autoencoder without blocks at full resolution, small enough for a CPU."""
    return AutoencoderTiny(
        encoder_block_out_channels=(ENCODER_WIDTH,) * 4,
        decoder_block_out_channels=(width,) * 4,
        num_encoder_blocks=(0, 0, 0, 0),
        num_decoder_blocks=(3, 2, 1, 0),
        latent_channels=LATENT_CHANNELS,
        scaling_factor=1.0,
    )


@torch.no_grad()
def set_linear_encoder(model: AutoencoderTiny, pictures: NDArray[np.uint8]) -> None:
    """Make the encoder the projection on the principal components of the pictures' blocks."""
    mean, basis = principal_components(pictures)
    first, *halvings, last = (
        layer for layer in model.encoder.layers if isinstance(layer, nn.Conv2d)
    )
    for parameter in model.encoder.parameters():
        nn.init.zeros_(parameter)
    for channel in range(3):
        first.weight[channel, channel, 1, 1] = 1
    _gather_quarters(halvings[0], 3)
    _gather_quarters(halvings[1], 12)
    blocks = basis[:, _order_of_gathering()].reshape(LATENT_CHANNELS, 4, 48)
    for quarter, (row, column) in enumerate(QUARTERS):
        halvings[2].weight[:LATENT_CHANNELS, :, 1 + row, 1 + column] = blocks[:, quarter]
    for channel in range(LATENT_CHANNELS):
        last.weight[channel, channel, 1, 1] = 1
    last.bias = nn.Parameter(-basis @ mean)


def principal_components(pictures: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """The mean block (192,) and the scaled basis (8, 192); blocks are (8, 8, 3) in [0, 1]."""
    count, height, width = pictures.shape[:3]
    grid = pictures.reshape(count, height // SHRINK, SHRINK, width // SHRINK, SHRINK, 3)
    blocks = grid.transpose(0, 1, 3, 2, 4, 5).reshape(-1, SHRINK * SHRINK * 3) / np.float32(255)
    mean = blocks.mean(axis=0)
    spread, vectors = np.linalg.eigh(np.cov((blocks - mean).T))
    chosen = np.argsort(spread)[::-1][:LATENT_CHANNELS]
    scale = np.asarray(CHANNEL_SPREAD) / np.sqrt(spread[chosen])
    basis = (vectors[:, chosen] * scale).T
    return torch.from_numpy(mean).float(), torch.from_numpy(basis.copy()).float()


def _gather_quarters(layer: nn.Conv2d, channels: int) -> None:
    """Make a stride-2 convolution collect each 2 x 2 square into its channels."""
    for quarter, (row, column) in enumerate(QUARTERS):
        for channel in range(channels):
            layer.weight[quarter * channels + channel, channel, 1 + row, 1 + column] = 1


def _order_of_gathering() -> Tensor:
    """Where the 192 values of a block stand after three gatherings, (192,)."""
    index = torch.arange(SHRINK * SHRINK * 3).reshape(SHRINK, SHRINK, 3)
    while index.shape[0] > 1:
        index = torch.cat([index[row::2, column::2] for row, column in QUARTERS], dim=2)
    return index.flatten()


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) bytes -> (B, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def render_pool(seeds: range) -> NDArray[np.uint8]:
    """Training pictures: the lit truth and, for every second seed, the photobash."""
    refuse_held_out(seeds)
    pictures: list[NDArray[np.uint8]] = []
    for seed in seeds:
        scene = Scene.from_seed(seed)
        pictures.append(render_lit(scene))
        if seed % 2:
            pictures.append(paste_only(scene))
    return np.stack(pictures)


def train_autoencoder(config: AutoencoderConfig, path: Path, progress: Progress) -> AutoencoderTiny:
    """Train from scratch for a given time and save the weights to `path`."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    model = build_autoencoder(config.width).train()
    pool = render_pool(range(config.scenes))
    progress(f"rendered {len(pool)} pictures")
    set_linear_encoder(model, pool[:: max(1, len(pool) // 300)])
    save_autoencoder(model, pool, config, path)
    workers = Workers(config.threads)
    weights = list(model.decoder.parameters())
    optimizers = build_optimizers(
        [weight for weight in weights if weight.ndim > 1],
        [weight for weight in weights if weight.ndim <= 1],
        lr=config.learning_rate,
        workers=workers,
    )
    start, step, done = time.monotonic(), 0, 0.0
    while done < 1.0:
        done = min((time.monotonic() - start) / (60 * config.minutes), 1.0)
        warmth = min(1.0, (step + 1) / 100)
        set_learning_rate(optimizers, config.learning_rate * warmth * _decay(done))
        crops = to_tensor(random_crops(rng, pool, config)).chunk(workers.count)
        loss = workers.backward([partial(_loss, model, crop, config) for crop in crops], weights)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        if step % 100 == 0:
            progress(f"autoencoder step {step} {done:.0%}: loss {loss:.4f}")
        if step % 500 == 0 or done >= 1.0:
            save_autoencoder(model, pool, config, path)
    workers.close()
    return model.eval()


@torch.inference_mode()
def save_autoencoder(
    model: AutoencoderTiny, pool: NDArray[np.uint8], config: AutoencoderConfig, path: Path
) -> None:
    """Write the weights, and the scale that gives latents unit variance."""
    latents = model.encoder(to_tensor(pool[:64]))
    scale = 1 / float(latents.std())
    content = {"weights": model.state_dict(), "scaling_factor": scale, "width": config.width}
    unfinished = path.with_suffix(".part")
    torch.save(content, unfinished)
    os.replace(unfinished, path)


def random_crops(
    rng: np.random.Generator, pool: NDArray[np.uint8], config: AutoencoderConfig
) -> NDArray[np.uint8]:
    """(B, crop, crop, 3), half of them mirrored."""
    span = pool.shape[1] - config.crop + 1
    crops: list[NDArray[np.uint8]] = []
    for index in rng.integers(len(pool), size=config.batch):
        top, left = rng.integers(span, size=2)
        crop = pool[index, top : top + config.crop, left : left + config.crop]
        crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return np.stack(crops)


def psnr(mean_square_error: float) -> float:
    """For pictures in [-1, 1]."""
    return float(10 * np.log10(4 / max(mean_square_error, 1e-12)))


def _decay(done: float) -> float:
    """Flat, then a straight line to zero over the last 40 percent."""
    return min(1.0, max(0.0, 1 - done) / 0.4)


def _loss(model: AutoencoderTiny, pictures: Tensor, config: AutoencoderConfig) -> Tensor:
    with torch.no_grad():
        latents = model.encoder(pictures)
    noisy = latents + config.latent_noise * torch.randn_like(latents)
    decoded = model.decoder(noisy)
    square = functional.mse_loss(decoded, pictures)
    return functional.l1_loss(decoded, pictures) + 2 * square + _edge_loss(decoded, pictures)


def _edge_loss(decoded: Tensor, pictures: Tensor) -> Tensor:
    """L1 between horizontal and vertical differences of neighbours."""
    across = functional.l1_loss(decoded.diff(dim=3), pictures.diff(dim=3))
    return across + functional.l1_loss(decoded.diff(dim=2), pictures.diff(dim=2))
