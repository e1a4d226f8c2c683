"""The bases that adapters were published for: their blocks, and with them every published key."""

from __future__ import annotations

import torch

from collage_studio.engine.rich_context.adapter import RichContextAdapter
from collage_studio.engine.rich_context.config import AdapterConfig

SD15 = "Stable Diffusion 1"
SDXL = "SDXL"
TEXT_WIDTHS = {768: SD15, 2048: SDXL}

Level = tuple[str, int, int, int, int]
"""Where, how many attentions, transformer blocks in each, width, heads."""

_LEVELS: dict[str, tuple[Level, ...]] = {
    SD15: (
        ("down_blocks.0", 2, 1, 320, 8),
        ("down_blocks.1", 2, 1, 640, 8),
        ("down_blocks.2", 2, 1, 1280, 8),
        ("mid_block", 1, 1, 1280, 8),
        ("up_blocks.1", 3, 1, 1280, 8),
        ("up_blocks.2", 3, 1, 640, 8),
        ("up_blocks.3", 3, 1, 320, 8),
    ),
    SDXL: (
        ("down_blocks.1", 2, 2, 640, 10),
        ("down_blocks.2", 2, 10, 1280, 20),
        ("mid_block", 1, 10, 1280, 20),
        ("up_blocks.0", 3, 10, 1280, 20),
        ("up_blocks.1", 3, 2, 640, 10),
    ),
}


def published(base: str) -> AdapterConfig:
    """The published adapter of `SD15` or `SDXL`."""
    blocks = {
        f"{level}.attentions.{j}.transformer_blocks.{k}": (width, heads)
        for level, attentions, count, width, heads in _LEVELS[base]
        for j in range(attentions)
        for k in range(count)
    }
    text_width = next(width for width, name in TEXT_WIDTHS.items() if name == base)
    return AdapterConfig(text_width, blocks)


def shapes_of(config: AdapterConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of an adapter; no memory is taken."""
    with torch.device("meta"):
        adapter = RichContextAdapter(config)
    return {name: tuple(value.shape) for name, value in adapter.state_dict().items()}
