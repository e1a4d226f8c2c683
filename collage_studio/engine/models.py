"""Finds and loads models: the bundled starter, a folder, one .safetensors file or a hub id."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.families.base import Family
from collage_studio.engine.families.stable_diffusion import StableDiffusion, check_channels
from collage_studio.resources_dir import resources_path

PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
PICKLE_REFUSED = "This model is a pickle, which can run code. Use its .safetensors version."
_UNREADABLE = "The model {name} cannot be read. Choose another model or fetch this one again."
_WIDEST_HEADER = 100 * 2**20


def load_model(name: str, device: torch.device, *, allow_download: bool = False) -> Family:
    """Load the model a document names; raise `ModelUnavailable` with a sentence if that fails."""
    if name == "starter":
        folder = resources_path("starter", "model")
        if not folder.is_dir():
            raise ModelUnavailable("The bundled starter model is missing. Install the app again.")
        return _from_folder(folder, "the starter model", device)
    path = Path(name).expanduser()
    if path.suffix.lower() in PICKLES:
        raise ModelUnavailable(PICKLE_REFUSED)
    if path.is_dir():
        return _from_folder(path, path.name, device)
    if path.suffix.lower() == ".safetensors":
        return _from_file(path, device)
    if path.is_absolute() or name.count("/") != 1 or name.startswith((".", "~")):
        raise ModelUnavailable(f"There is no model at {name}. Choose it again.")
    return _from_hub(name, device, allow_download=allow_download)


def _from_folder(folder: Path, name: str, device: torch.device) -> Family:
    index = folder / "model_index.json"
    try:
        pipeline = json.loads(index.read_text("utf-8"))["_class_name"]
    except FileNotFoundError as error:
        raise ModelUnavailable(
            f"The folder {name} holds no model: model_index.json is missing."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(_UNREADABLE.format(name=name)) from error
    if not str(pipeline).startswith("StableDiffusion") or "XL" in str(pipeline):
        raise ModelUnavailable(
            f"{name} is a {pipeline}; so far only Stable Diffusion 1.x and 2.x models run here."
        )
    unet = folder / "unet"
    if not list(unet.glob("*.safetensors")) and list(unet.glob("*.bin")):
        raise ModelUnavailable(PICKLE_REFUSED)
    return _family(_pipeline(str(folder), name, local_files_only=True), device)


def _from_hub(name: str, device: torch.device, *, allow_download: bool) -> Family:
    return _family(_pipeline(name, name, local_files_only=not allow_download), device)


def _pipeline(source: str, name: str, *, local_files_only: bool) -> Any:
    try:
        return _pipeline_class().from_pretrained(
            source,
            local_files_only=local_files_only,
            use_safetensors=True,
            safety_checker=None,
            requires_safety_checker=False,
            feature_extractor=None,
            image_encoder=None,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelUnavailable(_UNREADABLE.format(name=name)) from error


def _from_file(path: Path, device: torch.device) -> Family:
    if not path.is_file():
        raise ModelUnavailable(f"There is no model at {path}. Choose it again.")
    kind = detect_single_file(path)
    try:
        pipe = _pipeline_class().from_single_file(
            str(path),
            config=str(resources_path("model_configs", kind.config)),
            tokenizer=clip_tokenizer(kind.padding),
            local_files_only=True,
            safety_checker=None,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelUnavailable(_UNREADABLE.format(name=path.name)) from error
    pipe.unet.register_to_config(sample_size=kind.native_cells)
    pipe.scheduler.register_to_config(prediction_type=kind.prediction)
    return _family(pipe, device)


@dataclass(frozen=True, slots=True)
class SingleFile:
    """What a weights-only file does not say but its layout tells: see `detect_single_file`."""

    config: str
    padding: str
    native_cells: int
    prediction: str


_SD1 = SingleFile("sd1", "<|endoftext|>", 64, "epsilon")
_SD2_BASE = SingleFile("sd2", "!", 64, "epsilon")
_SD2 = SingleFile("sd2", "!", 96, "v_prediction")


def detect_single_file(path: Path) -> SingleFile:
    """The layout of a single file, told by the shapes and the metadata in its header.

    Whether a 2.x model predicts noise or v is in no weight: its metadata tells, or its name,
    as the 512 px models are called "base".
    """
    header = _header(path)
    width = _second_side(header, "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight")
    check_channels(_second_side(header, "input_blocks.0.0.weight"), 4)
    if width not in (768, 1024):
        raise ModelUnavailable(
            f"{path.name} is no Stable Diffusion 1.x or 2.x model; so far only those run here."
        )
    facts: dict[str, str] = header.get("__metadata__", {})
    said = facts.get("modelspec.prediction_type", "")
    is_base = "base" in path.stem.lower() or "512" in path.stem
    kind = _SD1 if width == 768 else _SD2_BASE if is_base else _SD2
    prediction = {"v": "v_prediction", "epsilon": "epsilon"}.get(said, kind.prediction)
    return replace(kind, prediction=prediction)


def _second_side(header: dict[str, Any], key: str) -> int:
    entry = header.get(f"model.diffusion_model.{key}")
    return int(entry["shape"][1]) if entry else 0


def clip_tokenizer(padding: str) -> Any:
    """CLIP's own tokenizer, padding with the given token: "<|endoftext|>", or "!" in 2.x."""
    from transformers import CLIPTokenizer

    folder = str(resources_path("model_configs", "clip_tokenizer"))
    return CLIPTokenizer.from_pretrained(folder, pad_token=padding, local_files_only=True)


def _header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _WIDEST_HEADER:
                raise ValueError(length)
            return json.loads(file.read(length))
    except (OSError, ValueError, struct.error) as error:
        raise ModelUnavailable(_UNREADABLE.format(name=path.name)) from error


def _family(pipe: Any, device: torch.device) -> Family:
    return StableDiffusion(
        unet=pipe.unet,
        vae=pipe.vae,
        text_encoder=pipe.text_encoder,
        tokenizer=pipe.tokenizer,
        scheduler_config=dict(pipe.scheduler.config),
        device=device,
    )


def _pipeline_class() -> Any:
    """The stock pipeline, imported once its hints and progress bars are off."""
    for log in (diffusers_logging, transformers_logging):
        log.disable_progress_bar()
        log.set_verbosity_error()
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import (
        StableDiffusionPipeline,
    )

    return StableDiffusionPipeline
