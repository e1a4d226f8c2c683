"""The names that published single files of Stable Diffusion have for a tiny pipeline's weights."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def unet_name(name: str, layers: int, attends: tuple[bool, ...]) -> str:
    """The published name of one tensor of a UNet.

    Args:
        layers: per block. attends: whether each block going up has attention.
    """
    for ours, theirs in _UNET_ENDS.items():
        if name.startswith(ours + "."):
            return theirs + name.removeprefix(ours)
    part, rest = name.split(".", 1)
    if part == "mid_block":
        kind, number, rest = rest.split(".", 2)
        place = 1 if kind == "attentions" else 2 * int(number)
        return f"middle_block.{place}.{_inside(kind, rest)}"
    block, kind, number, rest = rest.split(".", 3)
    if part == "down_blocks":
        if kind == "downsamplers":
            return f"input_blocks.{(int(block) + 1) * (layers + 1)}.0.op.{rest.split('.')[-1]}"
        index = int(block) * (layers + 1) + int(number) + 1
        return f"input_blocks.{index}.{int(kind == 'attentions')}.{_inside(kind, rest)}"
    if kind == "upsamplers":
        place = 2 if attends[int(block)] else 1
        return f"output_blocks.{int(block) * (layers + 1) + layers}.{place}.{rest}"
    index = int(block) * (layers + 1) + int(number)
    return f"output_blocks.{index}.{int(kind == 'attentions')}.{_inside(kind, rest)}"


def _inside(kind: str, rest: str) -> str:
    if kind == "attentions":
        return rest
    head, tail = rest.split(".", 1)
    return f"{_RESNET[head]}.{tail}"


def autoencoder_name(name: str, blocks: int) -> str:
    """The published name of one tensor of an AutoencoderKL with so many blocks."""
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = name.replace("mid_block.attentions.0.", "mid.attn_1.")
    for ours, theirs in {
        "group_norm": "norm",
        "to_q": "q",
        "to_k": "k",
        "to_v": "v",
        "to_out.0": "proj_out",
    }.items():
        name = name.replace(f"attn_1.{ours}.", f"attn_1.{theirs}.")
    name = re.sub(r"down_blocks\.(\d)\.resnets\.", r"down.\1.block.", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    up = re.compile(r"up_blocks\.(\d)\.(resnets|upsamplers\.0)")

    def turned(match: re.Match[str]) -> str:
        kind = "block" if match[2] == "resnets" else "upsample"
        return f"up.{blocks - 1 - int(match[1])}.{kind}"

    return up.sub(turned, name)


def published(pipe: Any) -> dict[str, Tensor]:
    """All weights of a tiny StableDiffusionPipeline by their published names."""
    config = pipe.unet.config
    attends = tuple("CrossAttn" in kind for kind in config.up_block_types)
    found = {
        f"model.diffusion_model.{unet_name(name, config.layers_per_block, attends)}": weight
        for name, weight in pipe.unet.state_dict().items()
    }
    blocks = len(pipe.vae.config.block_out_channels)
    for name, weight in pipe.vae.state_dict().items():
        key = autoencoder_name(name, blocks)
        is_attention = ".attn_1." in key and key.endswith("weight") and weight.ndim == 2
        found[f"first_stage_model.{key}"] = weight[:, :, None, None] if is_attention else weight
    for name, weight in pipe.text_encoder.state_dict().items():
        inner = name.removeprefix("text_model.")
        found[f"cond_stage_model.transformer.text_model.{inner}"] = weight
    return {name: weight.contiguous() for name, weight in found.items()}
