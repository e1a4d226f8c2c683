"""Latents of training pictures, kept on disk where the same view comes back."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from safetensors.torch import load_file, save_file

from collage_studio.engine.families.base import Encoded
from collage_studio.training.rich_context.base import FrozenModel
from collage_studio.training.rich_context.examples import Example


class LatentCache:
    """Encodes pictures, and keeps those that have a name; they belong to one model."""

    def __init__(self, model: FrozenModel, folder: Path) -> None:
        self._model = model
        self._folder = folder

    def of(self, example: Example) -> Encoded:
        """The latent of an example's picture."""
        if not example.cached_as:
            return self._model.encoded(example.content)
        name = sha256(f"{example.cached_as} {self._model.side}".encode()).hexdigest()[:24]
        path = self._folder / f"{name}.safetensors"
        if path.is_file():
            known = load_file(path)
            return Encoded(known["mean"], known.get("deviation"))
        made = self._model.encoded(example.content)
        self._folder.mkdir(parents=True, exist_ok=True)
        tensors = {"mean": made.mean.cpu().contiguous()}
        if made.deviation is not None:
            tensors["deviation"] = made.deviation.cpu().contiguous()
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        save_file(tensors, unfinished)
        os.replace(unfinished, path)
        return made
