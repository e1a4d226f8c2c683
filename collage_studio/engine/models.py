"""The door to all models: the bundled starter, a folder, one .safetensors file or a hub id."""

from __future__ import annotations

from pathlib import Path

import torch

from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.families.base import Family
from collage_studio.engine.loading.folder import load_folder
from collage_studio.engine.loading.hub import cached_folder, is_hub_id
from collage_studio.engine.loading.placing import Offload, Target
from collage_studio.engine.loading.single_file import load_file
from collage_studio.formats.checkpoint import PICKLE_REFUSED, PICKLES
from collage_studio.resources_dir import resources_path


def load_model(
    name: str,
    device: torch.device,
    *,
    precision: str = "auto",
    offload: Offload | None = None,
) -> Family:
    """Load the model a document names; raise `ModelUnavailable` with a sentence if that fails.

    Args:
        name: "starter", a folder, a .safetensors file or a hub id that was fetched before.
        precision: "auto", "fp32", "fp16" or "bf16". offload: None = as memory allows.
    """
    target = Target(device, precision, offload)
    if name == "starter":
        folder = resources_path("starter", "model")
        if not folder.is_dir():
            raise ModelUnavailable("The bundled starter model is missing. Install the app again.")
        return load_folder(folder, "the starter model", target)
    path = Path(name).expanduser()
    if path.suffix.lower() in PICKLES:
        raise ModelUnavailable(PICKLE_REFUSED)
    if path.is_dir():
        return load_folder(path, path.name, target)
    if is_hub_id(name):
        return load_folder(cached_folder(name), name, target)
    if path.suffix.lower() != ".safetensors" or not path.exists():
        raise ModelUnavailable(f"There is no model at {path}. Choose it again.")
    return load_file(path, target)
