"""UNets with the blocks of Stable Diffusion 1.5 and SDXL, but narrow, and layouts for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from collage_studio.document.geometry import Size
from collage_studio.document.region_plan import Box, LayoutObject, RegionPlan, build_plan
from collage_studio.engine.families.text import joined_tokens
from collage_studio.engine.loading.pipelines import clip_tokenizer
from collage_studio.engine.rich_context.adapter import RichContextAdapter

WIDTH = 24
LENGTH = 77
OVERLAPPING: tuple[Box, ...] = (
    (0.0, 0.0, 1.0, 0.6),
    (0.1, 0.1, 0.6, 0.9),
    (0.5, 0.4, 0.8, 0.8),
)
TEXTS = ("a long wall of stones.", "a red cat", 'a "dog"')


@cache
def sd15_unet() -> UNet2DConditionModel:
    """All 16 transformer blocks of Stable Diffusion 1.5."""
    torch.manual_seed(0)
    unet_class: Any = UNet2DConditionModel
    return (
        unet_class(
            sample_size=16,
            block_out_channels=(16, 32, 48, 48),
            cross_attention_dim=WIDTH,
            norm_num_groups=8,
            attention_head_dim=8,
        )
        .eval()
        .requires_grad_(False)
    )


@cache
def sdxl_unet() -> UNet2DConditionModel:
    """All 70 transformer blocks of SDXL."""
    torch.manual_seed(0)
    unet_class: Any = UNet2DConditionModel
    return (
        unet_class(
            sample_size=16,
            block_out_channels=(16, 32, 64),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(2, 4, 8),
            use_linear_projection=True,
            cross_attention_dim=WIDTH,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=64,
            norm_num_groups=8,
        )
        .eval()
        .requires_grad_(False)
    )


def randomised(adapter: RichContextAdapter, scale: float = 1.0) -> RichContextAdapter:
    """All weights random, also those that begin at 0."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in adapter.parameters():
            fan = weight.shape[-1] if weight.ndim > 1 else 4
            weight.copy_(torch.randn(weight.shape, generator=generator) * scale / fan**0.5)
    return adapter


def called(unet: Any, x: Tensor, **more: Any) -> Tensor:
    """One prediction of either UNet for x (B, 4, h, w), with fixed words."""
    generator = torch.Generator().manual_seed(2)
    rows = torch.randn(len(x), 7, WIDTH, generator=generator)
    added = {"text_embeds": torch.zeros(len(x), 16), "time_ids": torch.ones(len(x), 6)}
    if unet.config.addition_embed_type is not None:
        more["added_cond_kwargs"] = added
    return unet(x, torch.tensor(500), rows, **more).sample


def noise(batch: int, height: int = 16, width: int = 16) -> Tensor:
    return torch.randn(batch, 4, height, width, generator=torch.Generator().manual_seed(3))


@cache
def words() -> Any:
    return clip_tokenizer("<|endoftext|>")


def reader(objects: Sequence[LayoutObject]) -> tuple[Tensor, Tensor]:
    """A random row for each token of CLIP's own tokenizer at its place; no encoder is needed."""
    joined = joined_tokens(words(), [one.text for one in objects], LENGTH)
    generator = torch.Generator().manual_seed(int(joined.ids.sum()))
    return torch.randn(LENGTH, WIDTH, generator=generator), joined.owner


def plan_of(
    boxes: Sequence[Box] = OVERLAPPING, texts: Sequence[str] = TEXTS, grid: Size | None = None
) -> RegionPlan:
    size = grid or Size(16, 16)
    objects = [LayoutObject.from_box(t, b, size) for t, b in zip(texts, boxes, strict=True)]
    return build_plan(objects, size)
