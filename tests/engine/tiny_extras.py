"""Tiny ControlNets, LoRAs and IP-Adapters of the real classes, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import ControlNetModel, FluxControlNetModel, SD3ControlNetModel
from safetensors.torch import save_file
from torch import Tensor, nn

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.model import Caption, Document, Layer, LayerKind, Raster
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.extras.control_loading import flux_position_warning_ignored
from collage_studio.engine.families.base import Attachment, Conditioning, Family, Frame
from collage_studio.engine.regions.maps import network_of
from tests.engine import tiny_families

WORDS, AVOID = "a cat on a dog", "blurry"
NAMES = ("stable_diffusion", "sdxl", "sd3", "flux")


def shaken(module: nn.Module, seed: int = 1, scale: float = 0.05) -> Any:
    """The module with weights that are nowhere zero, as after training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)
    return module.eval()


def control_net(pipe: Any) -> Any:
    """A ControlNet of the shape that goes with a tiny pipeline."""
    torch.manual_seed(7)
    network = getattr(pipe, "unet", None) or pipe.transformer
    match type(network).__name__:
        case "SD3Transformer2DModel":
            keys = ("sample_size", "patch_size", "in_channels", "out_channels", "qk_norm")
            keys += ("num_attention_heads", "attention_head_dim", "joint_attention_dim")
            keys += ("caption_projection_dim", "pooled_projection_dim", "pos_embed_max_size")
            same = {key: network.config[key] for key in keys}
            net = SD3ControlNetModel(**same, num_layers=2, force_zeros_for_pooled_projection=False)
        case "FluxTransformer2DModel":
            keys = ("in_channels", "num_attention_heads", "attention_head_dim", "axes_dims_rope")
            keys += ("joint_attention_dim", "pooled_projection_dim", "guidance_embeds")
            same = {key: network.config[key] for key in keys}
            with flux_position_warning_ignored():
                net = FluxControlNetModel(**same, num_layers=1, num_single_layers=1)
        case _:
            net = ControlNetModel.from_unet(
                network, conditioning_embedding_out_channels=(8, 8, 16, 16)
            )
    return shaken(net)


def told(
    family: Family,
    *attachments: Attachment,
    frames: tuple[Frame, ...] = (),
    texts: tuple[str, ...] = ("a cat",),
) -> Conditioning:
    """Rows of texts on a canvas of 8 x 8 cells, or in `frames`."""
    read = {text: family.read_text(text) for text in dict.fromkeys(texts)}
    frames = frames or (Frame.whole(8, 8),)
    return Conditioning([read[text] for text in texts], frames, 3.5, attachments)


@torch.inference_mode()
def answer(family: Family, conditioning: Conditioning, seed: int = 0) -> Tensor:
    """The network's raw output for the same noise in every row."""
    window = conditioning.frame(0).window
    schedule = family.schedule("ddim", 4, conditioning.frame(0).grid)
    generator = torch.Generator().manual_seed(seed)
    size = (1, family.latent_channels, window.height, window.width)
    x = torch.randn(size, generator=generator).expand(len(conditioning.texts), -1, -1, -1)
    return family.forward(x.contiguous(), schedule, 1, conditioning)


def crop(left: int, top: int, right: int, bottom: int, side: int = 8) -> Frame:
    """A window of a square canvas, in latent cells."""
    return Frame(Size(side, side), Rect(left, top, right, bottom))


def family_of(name: str) -> Family:
    return tiny_families.FAMILIES[name]()


def state_of(family: Family) -> dict[str, Tensor]:
    """A copy of all weights of the denoising network."""
    return {name: value.clone() for name, value in network_of(family).state_dict().items()}


def saved(net: Any, path: Path) -> Path:
    """The net in a diffusers folder."""
    net.save_pretrained(path, safe_serialization=True)
    return path


def canvas(picture: np.ndarray, noise: float, settings: RunSettings) -> Document:
    """A document that shows `picture` as one layer, with one noise everywhere."""
    height, width = picture.shape[:2]
    layer = Layer("photo", "Photo", raster=Raster.from_rgb(picture), noise=noise)
    ground = Layer("background", "Background", LayerKind.FILL, noise=noise)
    return Document(Size(width, height), (layer,), ground, Caption((WORDS,)), settings)


def lora(pipe: Any, *, seed: int = 3, rank: int = 2, texts: bool = False) -> dict[str, Tensor]:
    """A LoRA in the diffusers layout for every projection of the network's attention."""
    network = getattr(pipe, "unet", None) or pipe.transformer
    start = "unet" if hasattr(network, "down_blocks") else "transformer"
    ends = ("to_q", "to_k", "to_v", "to_out.0", "add_k_proj", "add_v_proj", "proj_mlp", "conv1")
    found = _products(network, start, ends, seed, rank)
    if texts:
        encoder_ends = ("q_proj", "k_proj", "v_proj", "out_proj")
        found |= _products(pipe.text_encoder, "text_encoder", encoder_ends, seed + 1, rank)
    return found


def _products(
    module: nn.Module, start: str, ends: tuple[str, ...], seed: int, rank: int
) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    found = dict[str, Tensor]()
    for name, part in module.named_modules():
        if name.endswith(ends) and isinstance(part, nn.Linear | nn.Conv2d):
            weight = part.weight
            down = torch.randn(rank, *weight.shape[1:], generator=generator) * 0.3
            up = torch.randn(weight.shape[0], rank, *(1,) * (weight.ndim - 2), generator=generator)
            found[f"{start}.{name}.lora_A.weight"] = down
            found[f"{start}.{name}.lora_B.weight"] = up * 0.3
    return found


def kohya(state: dict[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """The same LoRA with the names that kohya's trainer writes, of strength alpha / rank."""
    found = dict[str, Tensor]()
    for key, value in state.items():
        name, _, end = key.removesuffix(".weight").rpartition(".")
        name = name.replace("text_encoder.", "lora_te_text_model_").replace("unet.", "lora_unet_")
        name = name.replace(".", "_").replace("text_model_text_model", "text_model")
        way = "lora_down" if end == "lora_A" else "lora_up"
        found[f"{name}.{way}.weight"] = value
        found[f"{name}.alpha"] = torch.tensor(alpha)
    return found


def ip_adapter(pipe: Any, folder: Path) -> Path:
    """A plain IP-Adapter file with its image encoder beside it."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(11)
    unet, width = pipe.unet, 16
    encoder = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=16,
            intermediate_size=32,
            projection_dim=width,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
        )
    )
    encoder.save_pretrained(folder / "image_encoder", safe_serialization=True)
    reads = int(unet.config.cross_attention_dim)
    state = {
        "image_proj.proj.weight": torch.randn(4 * reads, width),
        "image_proj.proj.bias": torch.randn(4 * reads),
        "image_proj.norm.weight": torch.ones(reads),
        "image_proj.norm.bias": torch.zeros(reads),
    }
    sites = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for index, site in enumerate(sites):
        inner = unet.get_submodule(site.removesuffix(".processor")).to_q.weight.shape[0]
        for part in "kv":
            state[f"ip_adapter.{2 * index + 1}.to_{part}_ip.weight"] = torch.randn(inner, reads)
    save_file(state, folder / "ip.safetensors")
    return folder / "ip.safetensors"


_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


def original_layout(net: ControlNetModel) -> dict[str, Tensor]:
    """A tiny ControlNet's weights by the names of the first published files."""
    return {f"control_model.{_original_name(k)}": v for k, v in net.state_dict().items()}


def _original_name(key: str) -> str:
    parts = key.split(".")
    match parts:
        case ["conv_in", end]:
            return f"input_blocks.0.0.{end}"
        case ["time_embedding", linear, end]:
            return f"time_embed.{0 if linear == 'linear_1' else 2}.{end}"
        case ["controlnet_cond_embedding", "conv_in", end]:
            return f"input_hint_block.0.{end}"
        case ["controlnet_cond_embedding", "conv_out", end]:
            return f"input_hint_block.14.{end}"
        case ["controlnet_cond_embedding", "blocks", index, end]:
            return f"input_hint_block.{2 * int(index) + 2}.{end}"
        case ["controlnet_down_blocks", index, end]:
            return f"zero_convs.{index}.0.{end}"
        case ["controlnet_mid_block", end]:
            return f"middle_block_out.0.{end}"
        case ["mid_block", "attentions", _, *rest]:
            return f"middle_block.1.{'.'.join(rest)}"
        case ["mid_block", "resnets", index, part, end]:
            return f"middle_block.{2 * int(index)}.{_RESNET[part]}.{end}"
        case ["down_blocks", block, "downsamplers", _, _, end]:
            return f"input_blocks.{2 * int(block) + 2}.0.op.{end}"
        case ["down_blocks", block, "resnets", _, part, end]:
            return f"input_blocks.{2 * int(block) + 1}.0.{_RESNET[part]}.{end}"
        case ["down_blocks", block, "attentions", _, *rest]:
            return f"input_blocks.{2 * int(block) + 1}.1.{'.'.join(rest)}"
        case _:
            raise ValueError(key)
