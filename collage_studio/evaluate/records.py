"""What is already known of each collage, on disk: an interrupted evaluation goes on from there.

One JSON file per seed in `collages/`, one PNG per picture in `pictures/`; both appear complete or
not at all. An entry remembers what made it, so another model or setting is never mistaken for it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import Picture

Entry = dict[str, Any]
"""Scores as plain data."""

READ_SETTINGS = (
    "model", "method", "sampler", "steps", "guidance", "noise_scale", "avoid", "softness",
    "detail", "resolution", "ca_schedule",
)  # fmt: skip
READ_EXTRAS = ("control_model", "control_kind", "reference_model", "loras")
"""What every run reads, whatever its method."""

NO_METHOD = (
    "MethodSettings(noise_collage=NoiseCollage(background_weight=0.1, outside='drop', "
    "drop_rate=0.75, ring=0.25, shape='box', in_front=False, crops=True, context=0.125), "
    "multi_diffusion=MultiDiffusion(window_cells=0, stride_cells=0, wrap=False, gaussian=False, "
    "regions=True, bootstrap=0.2, batch=0), dense_diffusion=DenseDiffusion(words=1.0, "
    "neighbours=0.3, area=1.0, until=0.3, separate=True))"
)
"""Stands in a fingerprint for the settings of methods that a run does not use.

Spelled as the first records spelled it, so that they stay valid whatever methods come and change.
"""


class Records:
    """The folder of one evaluation.

    Args:
        made_by: by configuration key, a fingerprint of everything its outcome depends on.
    """

    def __init__(self, folder: Path, made_by: Mapping[str, str]) -> None:
        self.folder = folder
        self._made_by = made_by

    @property
    def is_empty(self) -> bool:
        return not any(self._files())

    def read(self, seed: int) -> dict[str, Entry]:
        """The entries of one seed that are still valid, by configuration key.

        A file that cannot be read counts as missing: what it held is made again.
        """
        return {
            key: entry
            for key, entry in self._entries(seed).items()
            if key in self._made_by and entry.get("made_by") == self._made_by[key]
        }

    def _entries(self, seed: int) -> dict[str, Entry]:
        """Whatever the file of one seed holds, valid here or not."""
        try:
            found = json.loads(self._file(seed).read_text("utf-8"))
            return {str(key): dict(entry) for key, entry in found.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def add(self, seed: int, key: str, entry: Entry) -> None:
        """Keep one outcome beside the others; those of keys not asked for now are left alone."""
        known = self._entries(seed) | {key: {**entry, "made_by": self._made_by[key]}}
        self._file(seed).parent.mkdir(parents=True, exist_ok=True)
        _replace(self._file(seed), json.dumps(known, indent=1, allow_nan=False).encode())

    def picture(self, seed: int, key: str) -> Picture | None:
        """(H, W, 3) as it was kept; None if there is none."""
        try:
            data = self._picture_file(seed, key).read_bytes()
        except OSError:
            return None
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        return None if found is None else np.asarray(found, np.uint8)

    def keep_picture(self, seed: int, key: str, picture: Picture) -> None:
        """Keep (H, W, 3) as PNG."""
        done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        if not done:
            raise OSError(f"The picture {key} of collage {seed} cannot be written as PNG.")
        path = self._picture_file(seed, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data.tobytes())

    def _files(self) -> Iterable[Path]:
        return (self.folder / "collages").glob("*.json")

    def _file(self, seed: int) -> Path:
        return self.folder / "collages" / f"{seed}.json"

    def _picture_file(self, seed: int, key: str) -> Path:
        return self.folder / "pictures" / f"{seed}-{key}.png"


@dataclass(frozen=True, slots=True)
class Spelled:
    """Facts as the text that stands for them in a fingerprint."""

    text: str

    def __repr__(self) -> str:
        return self.text


def settings_read(settings: RunSettings) -> Spelled:
    """What a run depends on: its settings and its own method's, not those of other methods."""
    own = getattr(settings.methods, settings.method, None)
    parts = [f"{name}={getattr(settings, name)!r}" for name in READ_SETTINGS]
    parts.append(f"methods={NO_METHOD if own is None else repr(own)}")
    extras = ", ".join(f"{name}={getattr(settings.extras, name)!r}" for name in READ_EXTRAS)
    parts.append(f"extras=RunExtras({extras})")
    return Spelled(f"RunSettings({', '.join(parts)})")


def fingerprint(*facts: object) -> str:
    """A short name for plain facts: equal facts, equal names."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def model_fingerprint(model: str, folder: Path | None) -> str:
    """What tells a model from another one of the same name: the weights' sizes and content."""
    if folder is None or not folder.exists():
        return fingerprint(model)
    files = sorted(folder.rglob("*.safetensors")) if folder.is_dir() else [folder]
    return fingerprint(
        model, [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    )


def _replace(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    unfinished.write_bytes(data)
    os.replace(unfinished, path)
