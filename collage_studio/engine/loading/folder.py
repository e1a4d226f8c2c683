"""Loads a folder in diffusers layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.families.base import Family
from collage_studio.engine.loading.pipelines import (
    LIBRARY_FAILURES,
    UNREADABLE,
    family_class,
    family_of,
    is_transformer,
    quiet,
    typed,
)
from collage_studio.engine.loading.placing import Target, dtypes_of
from collage_studio.formats.checkpoint import check_folder, read_json
from collage_studio.formats.errors import FormatError


def load_folder(folder: Path, name: str, target: Target) -> Family:
    """The family of the model in `folder`.

    Raises:
        ModelUnavailable: it is not complete, damaged, a pickle or of a family that does not run.
    """
    pipe = load_pipeline(folder, name, target)
    return family_of(pipe, target)


def load_pipeline(folder: Path, name: str, target: Target, **given: Any) -> Any:
    """The stock pipeline in `folder`.

    Args:
        given: parts to use instead of the folder's own; None leaves a part out.
    """
    try:
        pipeline = check_folder(folder, without=given)
    except FormatError as error:
        raise ModelUnavailable(str(error)) from error
    family = family_class(pipeline, name)
    index = read_json(folder / "model_index.json") or {}
    names = {key: value for key, value in index.items() if isinstance(value, list)}
    quiet()
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    left_out = dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder"))
    kept = {key: value for key, value in left_out.items() if key in names}
    if "safety_checker" in names:
        kept["requires_safety_checker"] = False
    try:
        return DiffusionPipeline.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            variant=_variant(folder),
            **typed(dtypes_of(names, target.dtype(is_transformer=is_transformer(family)))),
            **(kept | given),
        )
    except LIBRARY_FAILURES as error:
        raise ModelUnavailable(UNREADABLE.format(name=name)) from error


def _variant(folder: Path) -> str | None:
    """The kind of weights a folder has where it lacks the plain ones: "fp16"."""
    network = folder / "unet" if (folder / "unet").is_dir() else folder / "transformer"
    weights = [file.name for file in network.glob("*.safetensors")]
    halves = [name for name in weights if ".fp16" in name]
    return "fp16" if halves and len(halves) == len(weights) else None
