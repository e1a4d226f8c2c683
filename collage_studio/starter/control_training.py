"""Training of the starter model's control: a small ControlNet that follows edges.

The starter's networks stay as they are. The control begins as a copy of the denoiser's first half,
with convolutions of zero where it meets the denoiser, so that at the start it changes nothing.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel

from collage_studio.resources_dir import resources_path
from collage_studio.starter.autoencoder import SHRINK
from collage_studio.starter.batches import Batch, Batches, BatchSettings
from collage_studio.starter.edge_pictures import EdgePool
from collage_studio.starter.grounding import ground_attention
from collage_studio.starter.model import MODEL_FOLDER, replace_folder
from collage_studio.starter.optim import build_optimizers, set_learning_rate
from collage_studio.starter.pace import rate_at, share_done, window_and_batch
from collage_studio.starter.parallel import Workers
from collage_studio.starter.pool import Example, ScenePool
from collage_studio.starter.train import Progress, run_training

CONTROL_FOLDER = resources_path("starter", "control")

HINT_CHANNELS = (8, 16, 32, 64)
"""Of the convolutions that shrink the control picture to the latents' size, 8 times."""


@dataclass(frozen=True, slots=True)
class ControlConfig:
    """What to train, on what, and until when: `steps` if given, otherwise `minutes`."""

    pool: Path
    checkpoint: Path
    model: Path = MODEL_FOLDER
    minutes: float = 45.0
    steps: int | None = None
    batch: int = 16
    """Windows of `small_window` per step; whole canvases come in batches of the same area."""
    small_window: int = 16
    whole_window: int = 32
    whole_from: float = 0.6
    """Share of the training after which whole canvases are shown."""
    learning_rate: float = 1e-3
    warm_steps: int = 50
    decay_from: float = 0.6
    ema_decay: float = 0.995
    drawn: BatchSettings = field(
        default_factory=lambda: BatchSettings(from_paste=0.5, first_step=150)
    )
    without_backdrop: float = 0.25
    """Share of examples whose picture has no lines of the backdrop."""
    objects_only: float = 0.25
    """Share of batches in which the control is felt on objects alone."""
    on_objects: float = 1.0
    """How much more an error counts where an object shows."""
    save_minutes: float = 3.0
    seed: int = 0
    device: str = "cpu"


def build_control(unet: UNet2DConditionModel) -> ControlNetModel:
    """A control that begins with the weights of the denoiser's first half and changes nothing.

    Its middle has no attention, which halves its size.
    """
    config = unet.config
    control = ControlNetModel(
        in_channels=config["in_channels"],
        down_block_types=tuple(config["down_block_types"]),
        mid_block_type="UNetMidBlock2D",
        block_out_channels=tuple(config["block_out_channels"]),
        layers_per_block=config["layers_per_block"],
        cross_attention_dim=config["cross_attention_dim"],
        attention_head_dim=config["attention_head_dim"],
        norm_num_groups=config["norm_num_groups"],
        conditioning_embedding_out_channels=HINT_CHANNELS,
    )
    shared = control.state_dict().keys() & unet.state_dict().keys()
    known = {name: weight for name, weight in unet.state_dict().items() if name in shared}
    control.load_state_dict(known, strict=False)
    return control


class ControlTrainer:
    """The state of one training: the control, its average, its optimizers and random sources."""

    def __init__(self, config: ControlConfig, edges: EdgePool) -> None:
        torch.manual_seed(config.seed)
        self.config, self.edges = config, edges
        self.checkpoint, self.save_minutes = config.checkpoint, config.save_minutes
        self.workers = Workers(1)
        self.batches = Batches.seeded(config.drawn, config.seed)
        self.unet: UNet2DConditionModel = UNet2DConditionModel.from_pretrained(
            config.model / "unet", torch_dtype=torch.float32
        )
        self.text_encoder: CLIPTextModel = CLIPTextModel.from_pretrained(
            config.model / "text_encoder", dtype=torch.float32
        )
        self.control = build_control(self.unet)
        ground_attention(self.unet)
        networks: Any = nn.ModuleList([self.unet, self.text_encoder, self.control])
        networks.to(config.device, memory_format=torch.channels_last)  # not in torch's annotation
        for network in (self.unet, self.text_encoder):
            network.requires_grad_(False)
        self.averages = {
            name: value.detach().clone() for name, value in self.control.named_parameters()
        }
        self.optimizers = self._build_optimizers()
        self.step = self.samples = 0
        self.elapsed = 0.0

    @property
    def done(self) -> float:
        """The share of the training that lies behind, 0..1."""
        return share_done(self.config, self.step, self.elapsed)

    def train_step(self, pool: ScenePool) -> float:
        """Take one step and return its loss."""
        window, batch = window_and_batch(self.config, self.done)
        examples = [pool.draw(self.batches.rng, window) for _ in range(batch)]
        set_learning_rate(self.optimizers, rate_at(self.config, self.step, self.done))
        weights = list(self.control.parameters())
        loss = self.workers.backward([partial(self._loss, *self.prepare(examples))], weights)
        nn.utils.clip_grad_norm_(weights, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self.samples += batch
        self._average()
        return loss

    def prepare(self, examples: list[Example]) -> tuple[Batch, Tensor, Tensor, Tensor | None]:
        """Everything random about a step.

        Returns:
            The batch; pictures (B, 3, 8h, 8w) 0 or 1; how much each cell shows of objects,
            (B, 1, h, w); where the control is felt, the same, or None for everywhere.
        """
        rng, device = self.batches.rng, self.config.device
        batch = self.batches.of(examples)
        pictures = np.stack(
            [
                self.edges.window(
                    example.scene,
                    example.corner,
                    example.lit.shape[-1],
                    objects_only=rng.random() < self.config.without_backdrop,
                )
                for example in examples
            ]
        )
        shown = np.stack([example.masks[:-1].sum(axis=0, dtype=np.float32) for example in examples])
        objects = torch.from_numpy(shown)[:, None].clamp(0, 1).to(device)
        felt = objects if rng.random() < self.config.objects_only else None
        return batch.to(device), torch.from_numpy(pictures).to(device), objects, felt

    def state(self) -> dict[str, Any]:
        """Everything that an exact continuation needs."""
        return {
            "control": self.control.state_dict(),
            "averages": self.averages,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            **self.batches.state(),
            "step": self.step,
            "samples": self.samples,
            "elapsed": self.elapsed,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.control.load_state_dict(state["control"])
        for name, value in state["averages"].items():
            self.averages[name].copy_(value)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.batches.load_state(state)
        self.step, self.samples = state["step"], state["samples"]
        self.elapsed = state["elapsed"]

    def _build_optimizers(self) -> list[torch.optim.Optimizer]:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for weight in self.control.parameters():
            (matrices if weight.ndim > 1 else others).append(weight)
        return build_optimizers(
            matrices, others, lr=self.config.learning_rate, workers=self.workers, iterations=3
        )

    def _loss(self, batch: Batch, pictures: Tensor, objects: Tensor, felt: Tensor | None) -> Tensor:
        """Squared error of v; steps with little noise count less, objects count more."""
        on_gpu = self.config.device.startswith("cuda")
        with torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
            with torch.no_grad():
                rows = self.text_encoder(batch.tokens).last_hidden_state
            down, mid = self.control(
                batch.noisy, batch.t, rows, controlnet_cond=pictures, return_dict=False
            )
            down, [mid] = _felt(list(down), felt), _felt([mid], felt)
            predicted = self.unet(
                batch.noisy,
                batch.t,
                rows,
                cross_attention_kwargs={"coverage": batch.coverage},
                down_block_additional_residuals=down,
                mid_block_additional_residual=mid,
            ).sample
        weight = batch.weight * (1 + self.config.on_objects * objects)
        return (weight * (predicted.float() - batch.target).square()).mean()

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        for name, weight in self.control.named_parameters():
            self.averages[name].lerp_(weight.detach(), 1 - keep)


def _felt(residuals: list[Tensor], where: Tensor | None) -> list[Tensor]:
    """The residuals times the map at their size."""
    if where is None:
        return residuals
    return [r * functional.adaptive_avg_pool2d(where, (r.shape[2], r.shape[3])) for r in residuals]


def train_control(
    config: ControlConfig, *, resume: bool = False, progress: Progress
) -> ControlTrainer:
    """Train until the configured end, saving a checkpoint now and then."""
    pool = ScenePool(config.pool)
    file = config.checkpoint.with_name("edges.npz")
    edges = EdgePool(pool.scenes, file, config.whole_window * SHRINK)
    trainer = ControlTrainer(config, edges)
    if resume and config.checkpoint.exists():
        trainer.load_state(torch.load(config.checkpoint, map_location="cpu", weights_only=True))
        progress(f"resumed at step {trainer.step}")
    run_training(trainer, pool, progress)
    return trainer


def export_control(
    checkpoint: Path, folder: Path = CONTROL_FOLDER, model: Path = MODEL_FOLDER
) -> int:
    """Write the averaged weights of a checkpoint as a folder of diffusers; return its step."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    control = build_control(UNet2DConditionModel.from_pretrained(model / "unet"))
    control.load_state_dict({**control.state_dict(), **state["averages"]})
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".control-", dir=folder.parent))
    fresh.chmod(0o755)
    nn.Module.to(control, dtype=torch.float16)  # diffusers' own `to` warns needlessly
    control.save_pretrained(fresh, safe_serialization=True)
    for file in fresh.iterdir():
        file.chmod(0o644)
    replace_folder(fresh, folder)
    return int(state["step"])
