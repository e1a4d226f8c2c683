"""CLIP and SAM folders that say how well a picture shows its layers: told by their index alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from collage_studio.formats.errors import FormatError

CLIP, SAM = "CLIP", "SAM"
_TYPES = {CLIP: "clip", SAM: "sam"}


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
