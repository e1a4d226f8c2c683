"""From a diffusers pipeline to one of our families, with the libraries' own voices turned down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.utils import deprecation_utils
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.families.base import Family
from collage_studio.engine.families.flux import Flux
from collage_studio.engine.families.sd3 import StableDiffusion3
from collage_studio.engine.families.sdxl import StableDiffusionXL
from collage_studio.engine.families.stable_diffusion import StableDiffusion
from collage_studio.engine.loading.placing import Target, place
from collage_studio.formats.checkpoint import RUNNING
from collage_studio.resources_dir import resources_path

FAMILIES: dict[str, Any] = {
    "StableDiffusionPipeline": StableDiffusion,
    "StableDiffusionImg2ImgPipeline": StableDiffusion,
    "StableDiffusionXLPipeline": StableDiffusionXL,
    "StableDiffusionXLImg2ImgPipeline": StableDiffusionXL,
    "StableDiffusion3Pipeline": StableDiffusion3,
    "StableDiffusion3Img2ImgPipeline": StableDiffusion3,
    "FluxPipeline": Flux,
    "FluxImg2ImgPipeline": Flux,
}
"""By what model_index.json calls the pipeline."""

UNREADABLE = "The model {name} cannot be read. Choose another model or fetch this one again."
LIBRARY_FAILURES = (OSError, ValueError, KeyError, TypeError, RuntimeError, NotImplementedError)
"""What diffusers and transformers raise at weights and configurations they cannot use."""


def family_class(pipeline: str, name: str) -> Any:
    """The family that runs such a pipeline.

    Raises:
        ModelUnavailable: none does.
    """
    if pipeline not in FAMILIES:
        raise ModelUnavailable(
            f"{name} is a {pipeline}, which does not run here. Choose a {RUNNING} model."
        )
    return FAMILIES[pipeline]


def is_transformer(family: Any) -> bool:
    """Whether the family's network is a joint transformer."""
    return family in (StableDiffusion3, Flux)


def family_of(pipe: Any, target: Target) -> Family:
    """The family around the networks of `pipe`, placed where memory allows."""
    family = FAMILIES[type(pipe).__name__]
    place(pipe, target)
    dtype = target.dtype(is_transformer=is_transformer(family))
    return family.of_pipeline(pipe, target.device, dtype)


def quiet() -> None:
    """Turn off hints and progress bars of the libraries."""
    for log in (diffusers_logging, transformers_logging):
        log.disable_progress_bar()
        log.set_verbosity_error()


def typed(dtype: torch.dtype | dict[str, torch.dtype]) -> dict[str, Any]:
    """The argument by which diffusers is told a number type; it was renamed."""
    name = "dtype" if hasattr(deprecation_utils, "_resolve_dtype") else "torch_dtype"
    return {name: dtype}


def clip_tokenizer(padding: str) -> Any:
    """CLIP's own tokenizer, padding with "<|endoftext|>", or "!" as the larger encoders do."""
    from transformers import CLIPTokenizer

    folder = str(resources_path("model_configs", "clip_tokenizer"))
    return CLIPTokenizer.from_pretrained(folder, pad_token=padding, local_files_only=True)


def beside(path: Path) -> Path | None:
    """The diffusers folder that a single file lies in, as in the published repositories."""
    folder = path.parent
    return folder if (folder / "model_index.json").is_file() else None
