"""What a model on disk is, told from file headers alone: nothing is loaded, nothing executed.

Single files are told apart by the names and shapes of their tensors, folders by their index.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collage_studio.formats.errors import FormatError

PICKLES = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"})
PICKLE_REFUSED = "This model is a pickle, which can run code. Use its .safetensors version."
UNKNOWN = "Unknown"
RUNNING = "Stable Diffusion, SDXL, Stable Diffusion 3 or FLUX.1"

PIPELINES = {
    "StableDiffusionPipeline": "Stable Diffusion 1",
    "StableDiffusionImg2ImgPipeline": "Stable Diffusion 1",
    "StableDiffusionXLPipeline": "SDXL",
    "StableDiffusionXLImg2ImgPipeline": "SDXL",
    "StableDiffusion3Pipeline": "Stable Diffusion 3",
    "StableDiffusion3Img2ImgPipeline": "Stable Diffusion 3",
    "FluxPipeline": "FLUX.1",
    "FluxImg2ImgPipeline": "FLUX.1",
    "Flux2Pipeline": "FLUX.2",
    "ChromaPipeline": "Chroma",
    "QwenImagePipeline": "Qwen-Image",
    "ZImagePipeline": "Z-Image",
}
"""Families by what model_index.json calls the pipeline."""

RUNNABLE = frozenset(
    {"Stable Diffusion 1", "Stable Diffusion 2", "SDXL", "Stable Diffusion 3", "FLUX.1", "Starter"}
)

_HEADER_LIMIT = 100_000_000
_PREFIX = "model.diffusion_model."
_SD_TEXT = "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
_FIRST = "input_blocks.0.0.weight"
_XL_TEXT = "conditioner.embedders.1.model.transformer.resblocks.9."
_REFINER_TEXT = "conditioner.embedders.0.model.transformer.resblocks.9."
_FLUX = "double_blocks.0.img_attn.norm.key_norm.scale"
_SD3 = "joint_blocks.0.context_block.adaLN_modulation.1.bias"
_NOT_LOADED = frozenset({"safety_checker", "feature_extractor", "image_encoder", "scheduler"})

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Header:
    """Names and shapes of the tensors of one .safetensors file, and what it says of itself."""

    shapes: Shapes
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class SingleFile:
    """What a weights-only file is.

    Args:
        family: as people call it; UNKNOWN rather than a guess.
        config: folder of its shapes under resources/model_configs; "" if it cannot run.
        prediction: "epsilon" or "v_prediction" for the families with a UNet.
        native_cells: latent cells along a side at its native size; 0 = as the config says.
        has_texts: CLIP encoders are inside. has_t5: T5 is.
        why_not: a sentence with {name} in it, saying why it cannot run; "" if it can.
    """

    family: str
    config: str = ""
    prediction: str = "epsilon"
    native_cells: int = 0
    has_texts: bool = True
    has_t5: bool = False
    why_not: str = ""


def read_header(path: Path) -> Header:
    """The header of a .safetensors file.

    Raises:
        FormatError: it is damaged, cut off, or no such file.
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
        shapes = {name: tuple(map(int, entry["shape"])) for name, entry in tensors.items()}
        return Header(shapes, dict(header.get("__metadata__") or {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FormatError(f"{path.name} is damaged or not complete. Download it again.") from error


def check_file(path: Path) -> None:
    """Raise `FormatError` unless `path` is there and ends in .safetensors."""
    if path.suffix.lower() in PICKLES:
        raise FormatError(PICKLE_REFUSED)
    if not path.is_file():
        raise FormatError(f"The file of {path.name} is gone. Find it or choose another model.")
    if path.suffix != ".safetensors":
        raise FormatError(f"{path.name} is no model. Choose a .safetensors file or a folder.")


def identify(header: Header, stem: str = "") -> SingleFile:
    """Which model these layers make up.

    Args:
        stem: the file's name, which is where 2.x models say whether they are for 512 px.
    """
    shapes = {name.removeprefix(_PREFIX): shape for name, shape in header.shapes.items()}
    for find in (_other_families, _joint_families, _unet_families, _parts):
        found = find(shapes, header, stem.lower())
        if found is not None:
            return found
    return SingleFile(
        UNKNOWN, why_not=f"{{name}} is no model known here. Choose a {RUNNING} model."
    )


def _other_families(shapes: Shapes, header: Header, stem: str) -> SingleFile | None:
    del header, stem
    signs = {
        "FLUX.2": "single_stream_modulation.lin.weight",
        "Chroma": "distilled_guidance_layer.in_proj.bias",
        "Z-Image": "layers.0.adaLN_modulation.0.weight",
        "Qwen-Image": "txt_in.text_norm.weight",
    }
    family = next((name for name, key in signs.items() if key in shapes), None)
    return None if family is None else SingleFile(family, why_not=_unable(family))


def _joint_families(shapes: Shapes, header: Header, stem: str) -> SingleFile | None:
    del header, stem
    has_texts = any(name.startswith("text_encoders.clip_l.") for name in shapes)
    has_t5 = any(name.startswith("text_encoders.t5xxl.") for name in shapes)
    if _FLUX in shapes:
        kind = "flux_dev" if "guidance_in.in_layer.bias" in shapes else "flux_schnell"
        read = _at(shapes, "img_in.weight", 1)
        if read not in (0, 64):
            return SingleFile("FLUX.1 fill or control", why_not=_INPAINTING)
        return SingleFile("FLUX.1", kind, has_texts=False)
    if _SD3 in shapes:
        positions = _at(shapes, "pos_embed", 1)
        large = "joint_blocks.37.x_block.attn.qkv.weight" in shapes
        kind = "sd35_large" if large else "sd35_medium" if positions == 147456 else "sd3"
        return SingleFile("Stable Diffusion 3", kind, has_texts=has_texts, has_t5=has_t5)
    return None


def _unet_families(shapes: Shapes, header: Header, stem: str) -> SingleFile | None:
    first = _at(shapes, _FIRST, 1)
    has = {key: any(n.startswith(key) for n in shapes) for key in (_XL_TEXT, _REFINER_TEXT)}
    if has[_REFINER_TEXT] and not has[_XL_TEXT]:
        return SingleFile("SDXL refiner", why_not=_REFINER)
    if first not in (0, 4) and (has[_XL_TEXT] or _SD_TEXT in shapes):
        return SingleFile("Inpainting or instruct model", why_not=_INPAINTING)
    says_v = header.facts.get("modelspec.prediction_type") == "v" or "v_pred" in shapes
    if has[_XL_TEXT]:
        return SingleFile("SDXL", "sdxl", "v_prediction" if says_v else "epsilon", 128)
    width = _at(shapes, _SD_TEXT, 1)
    if width == 768:
        return SingleFile("Stable Diffusion 1", "sd1", "v_prediction" if says_v else "epsilon", 64)
    if width == 1024:
        is_base = "base" in stem or "512" in stem
        said = header.facts.get("modelspec.prediction_type")
        prediction = said == "v" or (said is None and not is_base)
        return SingleFile(
            "Stable Diffusion 2",
            "sd2",
            "v_prediction" if prediction else "epsilon",
            64 if is_base else 96,
        )
    return None


def _parts(shapes: Shapes, header: Header, stem: str) -> SingleFile | None:
    """Files that are no whole model, by what their names look like."""
    del header, stem
    signs = {
        "LoRA": ("lora_", ".lora_A.", ".lora_B.", ".lora.down"),
        "ControlNet": ("control_model.", "controlnet_cond_embedding.", "controlnet_"),
        "IP-Adapter": ("ip_adapter.", "image_proj."),
        "learned word": ("emb_params", "clip_l", "clip_g"),
    }
    for kind, marks in signs.items():
        if any(mark in name for name in shapes for mark in marks):
            return SingleFile(kind, why_not=f"{{name}} is a {kind}, not a model that draws alone.")
    parts = ("transformer_blocks.", "single_transformer_blocks.", "down_blocks.", "encoder.")
    if any(name.startswith(parts) for name in shapes):
        return SingleFile("Part of a model", why_not=_PART)
    return None


def check_folder(path: Path, without: Iterable[str] = ()) -> str:
    """The pipeline's class as the folder's index names it; all its weights are there.

    Args:
        without: parts that need not be there.

    Raises:
        FormatError: there is no index, a part is missing or damaged, or weights are pickles.
    """
    index = read_json(path / "model_index.json")
    if index is None:
        raise FormatError(
            f"{path.name} has no readable model_index.json. "
            "Choose a model folder in diffusers layout."
        )
    parts = set(_parts_of(index)) or {folder.parent.name for folder in path.glob("*/*.*")}
    for name in sorted(parts - set(without)):
        _check_part(path, name)
    return str(index.get("_class_name", ""))


def _check_part(path: Path, name: str) -> None:
    folder = path / name
    missing = f"{path.name} is not complete: {name} has no weights. Download the folder again."
    if "tokenizer" in name:
        if not any(folder.glob("*")):
            raise FormatError(missing.replace("weights", "files"))
        return
    weights = list(folder.glob("*.safetensors"))
    if not weights:
        pickled = any(file.suffix.lower() in PICKLES for file in folder.glob("*"))
        raise FormatError(PICKLE_REFUSED if pickled else missing)
    for file in weights:
        read_header(file)


def family_of_folder(path: Path, pipeline: str) -> str:
    """The family of a folder whose index names that pipeline."""
    family = PIPELINES.get(pipeline, UNKNOWN)
    unet = read_json(path / "unet" / "config.json") or {}
    if family == "Stable Diffusion 1" and unet.get("cross_attention_dim") == 1024:
        return "Stable Diffusion 2"
    return family


def _parts_of(index: Mapping[str, Any]) -> Iterable[str]:
    """Folders that a pipeline loads, by its index."""
    for name, value in index.items():
        if isinstance(value, list) and value and value[0] and name not in _NOT_LOADED:
            yield name


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is none."""
    try:
        data: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def _at(shapes: Shapes, name: str, side: int) -> int:
    shape = shapes.get(name, ())
    return shape[side] if len(shape) > side else 0


def _unable(family: str) -> str:
    return f"{{name}} is of the family {family}, which does not run here. Choose a {RUNNING} model."


_INPAINTING = "{name} is made for inpainting or instructions. Choose a plain text-to-image model."
_REFINER = (
    "{name} is the SDXL refiner, which draws no pictures of its own. Choose an SDXL base model."
)
_PART = "{name} holds one part of a model. Choose the whole folder in diffusers layout."
