"""Models that say how well a picture shows its layers: told by their names and index alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from collage_studio.formats.errors import FormatError

CLIP, SAM = "CLIP", "SAM"
_TYPES = {CLIP: "clip", SAM: "sam"}

ENCODERS = (
    "CLIPModel", "CLIPVisionModel", "CLIPVisionModelWithProjection", "SiglipModel",
    "SiglipVisionModel", "Dinov2Model", "Dinov2WithRegistersModel", "DINOv3ViTModel",
)  # fmt: skip
"""Classes of transformers that give a picture an embedding."""


def check_quality_model(folder: Path, kind: str) -> None:
    """Raise `FormatError` with a sentence unless `folder` holds a model of transformers.

    Args:
        kind: `CLIP` or `SAM`.
    """
    try:
        config: Any = json.loads((folder / "config.json").read_text("utf-8"))
        found = str(config.get("model_type", ""))
    except (OSError, ValueError, AttributeError):
        found = ""
    if found != _TYPES[kind]:
        raise FormatError(f"The folder {folder.name} holds no {kind} model. Choose another one.")
    if not list(folder.glob("*.safetensors")):
        raise FormatError(f"The {kind} model in {folder.name} has no .safetensors file. Fetch one.")


def check_identity_model(path: Path) -> None:
    """Raise `FormatError` with a sentence unless `path` is an image encoder.

    That is an .onnx file, or a folder of transformers with one of `ENCODERS`. What is in the file
    shows when a run first reads it.
    """
    if path.is_file():
        if path.suffix.lower() != ".onnx":
            raise FormatError(f"{path.name} is no .onnx file. Choose an ONNX file or a folder.")
        return
    if named_class(path) not in ENCODERS:
        raise FormatError(
            f"{path.name} holds no image encoder such as CLIP or DINO. Choose another model."
        )
    if not list(path.glob("*.safetensors")):
        raise FormatError(f"The image encoder in {path.name} has no .safetensors file. Fetch one.")


def named_class(folder: Path) -> str:
    """The class of transformers that the folder's index names; empty if it names none."""
    try:
        config: Any = json.loads((folder / "config.json").read_text("utf-8"))
        return str(config["architectures"][0])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
