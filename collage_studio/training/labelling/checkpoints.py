"""Detectors and captioners from folders that a person has: local, safetensors only, nothing run.

Image processors are those that work with Pillow alone, so torchvision is not needed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.loading.pipelines import quiet

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)


def kind_of(folder: Path, role: str) -> str:
    """The architecture a checkpoint's configuration names, such as "detr".

    Args:
        role: what the folder is wanted for, such as "detector".

    Raises:
        ModelUnavailable: there is no configuration, or it names nothing.
    """
    try:
        said: Any = json.loads((folder / "config.json").read_text("utf-8"))
        return str(said["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(
            f"The folder {folder} holds no {role} of transformers: name another one."
        ) from error


def load_network(auto: Any, folder: Path, role: str, device: torch.device, dtype: Any) -> Any:
    """The network of a folder, ready to be asked.

    Args:
        auto: an Auto class of transformers.

    Raises:
        ModelUnavailable: it cannot be read, lacks weights, or needs a package that is missing.
    """
    quiet()
    try:
        network, loaded = auto.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=dtype,
            output_loading_info=True,
        )
    except ImportError as error:
        raise ModelUnavailable(_needs(folder, role, error)) from error
    except _UNREADABLE as error:
        raise ModelUnavailable(
            f"The {role} in {folder} cannot be read: fetch it again, with its safetensors."
        ) from error
    if loaded["missing_keys"]:
        raise ModelUnavailable(
            f"The {role} in {folder} lacks {len(loaded['missing_keys'])} of its weights: it was "
            "made for something else, so name another one."
        )
    return network.to(device).eval()


def load_processor(auto: Any, folder: Path, role: str) -> Any:
    """What prepares pictures and texts for the network of a folder.

    Args:
        auto: AutoProcessor or AutoImageProcessor.

    Raises:
        ModelUnavailable: its files are missing or damaged.
    """
    quiet()
    try:
        return auto.from_pretrained(folder, local_files_only=True, backend="pil")
    except ImportError as error:
        raise ModelUnavailable(_needs(folder, role, error)) from error
    except _UNREADABLE as error:
        raise ModelUnavailable(
            f"The {role} in {folder} comes without its processor or tokenizer: "
            "fetch all of its JSON and text files."
        ) from error


def _needs(folder: Path, role: str, error: ImportError) -> str:
    first = " ".join(str(error).split("\n", 1)[0].split()).rstrip(".")
    return f"The {role} in {folder} needs a package that is not installed: {first}."
