"""Tells a checkpoint's family from file headers alone: no torch, nothing is executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PICKLE_SUFFIXES = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"})
RUNNABLE_FAMILIES = frozenset({"Stable Diffusion 1", "Stable Diffusion 2", "Starter"})
UNKNOWN = "Unknown"

_HEADER_LIMIT = 100_000_000
_PIPELINES = {
    "StableDiffusionPipeline": "Stable Diffusion 1",
    "StableDiffusionImg2ImgPipeline": "Stable Diffusion 1",
    "StableDiffusionXLPipeline": "SDXL",
    "StableDiffusionXLImg2ImgPipeline": "SDXL",
    "StableDiffusion3Pipeline": "Stable Diffusion 3",
    "FluxPipeline": "FLUX.1",
    "Flux2Pipeline": "FLUX.2",
    "ChromaPipeline": "Chroma",
    "QwenImagePipeline": "Qwen-Image",
    "ZImagePipeline": "Z-Image",
}
_SD_ATTENTION = "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
_SDXL_ENCODER = "conditioner.embedders.1.model.transformer.resblocks.9."
_FIRST_CONVOLUTION = "input_blocks.0.0.weight"
_PREFIX = "model.diffusion_model."
_SD2_WIDTH = 1024

Shapes = Mapping[str, tuple[int, ...]]


class ModelRefused(Exception):
    """A model cannot be used; `str(error)` is one or two sentences for the user."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What could be found out about a model without loading it."""

    family: str
    bytes: int

    @property
    def is_runnable(self) -> bool:
        return self.family in RUNNABLE_FAMILIES


def inspect(path: Path) -> Checkpoint:
    """Family and size of a diffusers folder or one .safetensors file.

    Raises:
        ModelRefused: it is a pickle, damaged or no model.
    """
    if path.is_dir():
        return _inspect_folder(path)
    if not path.is_file():
        raise ModelRefused(f"The file of {path.name} is gone. Find it or choose another model.")
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise ModelRefused(
            "This model is a pickle, which can run code. Use its .safetensors version."
        )
    if path.suffix != ".safetensors":
        raise ModelRefused(f"{path.name} is no model. Choose a .safetensors file or a folder.")
    return Checkpoint(family_of_shapes(read_shapes(path)), path.stat().st_size)


def read_shapes(path: Path) -> Shapes:
    """Names and shapes of the tensors in a .safetensors file, from its header.

    Raises:
        ModelRefused: the header is damaged or cut off.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_HEADER_LIMIT, path.stat().st_size):
                raise ValueError(f"header of {length} bytes")
            header: Any = json.loads(file.read(length))
        data_bytes = path.stat().st_size - 8 - length
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        ends = [int(entry["data_offsets"][1]) for entry in tensors.values()]
        if max(ends, default=0) > data_bytes:
            raise ValueError("cut off")
        return {name: tuple(map(int, entry["shape"])) for name, entry in tensors.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelRefused(f"{path.name} is damaged or not complete. Download it again.") from error


def family_of_shapes(shapes: Shapes) -> str:
    """The family whose layers these are; UNKNOWN rather than a guess."""
    shapes = {name.removeprefix(_PREFIX): shape for name, shape in shapes.items()}
    first = shapes.get(_FIRST_CONVOLUTION, (0, 4))
    signs = {
        "FLUX.2": "single_stream_modulation.lin.weight" in shapes,
        "Chroma": "distilled_guidance_layer.in_proj.bias" in shapes,
        "FLUX.1": "double_blocks.0.img_attn.norm.key_norm.scale" in shapes,
        "Stable Diffusion 3": "joint_blocks.0.context_block.adaLN_modulation.1.bias" in shapes,
        "Z-Image": "layers.0.adaLN_modulation.0.weight" in shapes,
        "Qwen-Image": "txt_in.text_norm.weight" in shapes,
        "SDXL": any(name.startswith(_SDXL_ENCODER) for name in shapes),
        "Inpainting or instruct model": _SD_ATTENTION in shapes and first[1] != 4,
        "Stable Diffusion 2": shapes.get(_SD_ATTENTION, (0, 0))[1] == _SD2_WIDTH,
        "Stable Diffusion 1": _SD_ATTENTION in shapes,
    }
    return next((family for family, is_it in signs.items() if is_it), UNKNOWN)


def _inspect_folder(path: Path) -> Checkpoint:
    index = _json(path / "model_index.json")
    if not index:
        raise ModelRefused(
            f"{path.name} has no model_index.json. Choose a model folder in diffusers layout."
        )
    weights = [*path.glob("*/*.safetensors"), *path.glob("*.safetensors")]
    if not weights:
        pickled = any(file.suffix in PICKLE_SUFFIXES for file in path.glob("*/*"))
        raise ModelRefused(
            "This model is a pickle, which can run code. Use its .safetensors version."
            if pickled
            else f"{path.name} holds no .safetensors weights. Download the folder again."
        )
    family = _PIPELINES.get(str(index.get("_class_name", "")), UNKNOWN)
    width = _json(path / "unet" / "config.json").get("cross_attention_dim")
    if family == "Stable Diffusion 1" and width == _SD2_WIDTH:
        family = "Stable Diffusion 2"
    return Checkpoint(family, sum(file.stat().st_size for file in weights))


def _json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if there is none."""
    try:
        data: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
