"""Loads one .safetensors file: weights alone, with shapes and tokenizers of our own.

Files of FLUX.1, and of Stable Diffusion 3 without text encoders, hold no whole model. The rest
is taken from the diffusers folder the file lies in, as it does in the published repositories.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.families.base import Family
from collage_studio.engine.loading.folder import load_pipeline
from collage_studio.engine.loading.pipelines import (
    LIBRARY_FAILURES,
    UNREADABLE,
    beside,
    clip_tokenizer,
    family_of,
    quiet,
    typed,
)
from collage_studio.engine.loading.placing import Target
from collage_studio.formats.checkpoint import SingleFile, check_file, identify, read_header
from collage_studio.formats.errors import FormatError
from collage_studio.resources_dir import resources_path


def load_file(path: Path, target: Target) -> Family:
    """The family of the model in `path`.

    Raises:
        ModelUnavailable: it is damaged, a pickle, unknown, or lacks parts.
    """
    kind = recognised(path)
    quiet()
    try:
        pipe = _pipeline(path, kind, target)
    except LIBRARY_FAILURES as error:
        raise ModelUnavailable(UNREADABLE.format(name=path.name)) from error
    return family_of(pipe, target)


def recognised(path: Path) -> SingleFile:
    """What the file is; raise `ModelUnavailable` with a sentence if it cannot run."""
    try:
        check_file(path)
        kind = identify(read_header(path), path.stem)
    except FormatError as error:
        raise ModelUnavailable(str(error)) from error
    if kind.why_not:
        raise ModelUnavailable(kind.why_not.format(name=path.name))
    if not kind.has_texts and beside(path) is None:
        raise ModelUnavailable(incomplete(path, kind))
    return kind


def incomplete(path: Path, kind: SingleFile) -> str:
    """What a file lacks that holds the transformer only."""
    return (
        f"{path.name} holds the transformer of {kind.family} only. Put it into that model's folder "
        "in diffusers layout, which has text encoders and autoencoder, or choose the folder."
    )


def _pipeline(path: Path, kind: SingleFile, target: Target) -> Any:
    if kind.config.startswith("flux"):
        return _flux(path, kind, target)
    if kind.config.startswith("sd3"):
        return _sd3(path, kind, target)
    return _unet(path, kind, target)


def _unet(path: Path, kind: SingleFile, target: Target) -> Any:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import (
        StableDiffusionPipeline,
    )
    from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
        StableDiffusionXLPipeline,
    )

    padding = "!" if kind.config == "sd2" else "<|endoftext|>"
    more: dict[str, Any] = {"safety_checker": None}
    pipeline: Any = StableDiffusionPipeline
    if kind.config == "sdxl":
        pipeline = StableDiffusionXLPipeline
        more = {"tokenizer_2": clip_tokenizer("!"), "add_watermarker": False}
    pipe = pipeline.from_single_file(
        str(path),
        config=_config(kind),
        tokenizer=clip_tokenizer(padding),
        local_files_only=True,
        **typed(target.dtype(is_transformer=False)),
        **more,
    )
    pipe.unet.register_to_config(sample_size=kind.native_cells)
    pipe.scheduler.register_to_config(prediction_type=kind.prediction)
    return pipe


def _sd3(path: Path, kind: SingleFile, target: Target) -> Any:
    """The whole model, or its transformer in the folder around it.

    T5 has no tokenizer of ours; it is used where the folder around the file has one.
    """
    dtype = target.dtype(is_transformer=True)
    folder = beside(path)
    if folder is not None:
        return load_pipeline(folder, folder.name, target, transformer=_network(path, kind, dtype))
    from diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3 import (
        StableDiffusion3Pipeline,
    )

    return StableDiffusion3Pipeline.from_single_file(
        str(path),
        config=_config(kind),
        tokenizer=clip_tokenizer("<|endoftext|>"),
        tokenizer_2=clip_tokenizer("!"),
        text_encoder_3=None,
        tokenizer_3=None,
        local_files_only=True,
        **typed(dtype),
    )


def _flux(path: Path, kind: SingleFile, target: Target) -> Any:
    folder = beside(path)
    if folder is None:
        raise ModelUnavailable(incomplete(path, kind))
    dtype = target.dtype(is_transformer=True)
    return load_pipeline(folder, folder.name, target, transformer=_network(path, kind, dtype))


def _network(path: Path, kind: SingleFile, dtype: torch.dtype) -> Any:
    """The transformer alone."""
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

    network: Any = FluxTransformer2DModel
    if kind.config.startswith("sd3"):
        network = SD3Transformer2DModel
    return network.from_single_file(
        str(path),
        config=_config(kind),
        subfolder="transformer",
        local_files_only=True,
        **typed(dtype),
    )


def _config(kind: SingleFile) -> str:
    return str(resources_path("model_configs", kind.config))
