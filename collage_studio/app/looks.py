"""Learned looks as the app handles them: what may be learned, and the personal library."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from collage_studio.app.settings import config_dir
from collage_studio.document.edits import change_layers
from collage_studio.document.looks import MAX_BYTES, BadLook, Look
from collage_studio.document.model import Document, Layer, LayerKind
from collage_studio.engine.api import LearnRequest, LearnSettings
from collage_studio.formats.atomic import replacing
from collage_studio.formats.errors import FormatError

LEAST_PX = 16
_SUFFIX = ".safetensors"


class LookRefused(Exception):
    """A file cannot be used as a look; the text is one sentence for the user."""


def reason_against_learning(layers: Sequence[Layer]) -> str:
    """Why these layers' looks cannot be learned, one sentence; empty if they can."""
    for layer in layers:
        if layer.kind is not LayerKind.PICTURE or layer.raster is None:
            return f"“{layer.name}” has no picture to learn from. Choose a picture layer."
        if not layer.text.strip():
            return f"“{layer.name}” has no text. Write in a few words what it shows first."
        if min(layer.raster.size.shape) < LEAST_PX:
            return f"“{layer.name}” is too small to learn from. Use a larger picture."
    return "" if layers else "No layer is selected. Select one with a picture."


def learn_request(
    document: Document,
    layer_ids: Sequence[str],
    learning: LearnSettings | None = None,
    *,
    goes_on: bool = False,
) -> LearnRequest:
    """What *Learn look* does; variations are of no use to it and stay behind."""
    lean = replace(document, variations=(), accepted=None)
    chosen = learning or LearnSettings()
    return LearnRequest(lean, tuple(layer_ids), document.settings, chosen, goes_on)


def with_looks(document: Document, looks: dict[str, Look | None]) -> Document:
    """The document with these looks by layer id; None takes a look off."""
    for layer_id, look in looks.items():
        document = change_layers(
            document, (layer_id,), lambda layer, look=look: replace(layer, look=look)
        )
    return document


def is_of_this_picture(look: Look, layer: Layer) -> bool:
    """Whether the look was learned from the layer's pixels and mask as they are now."""
    return look.recipe.picture == layer.picture_key


@dataclass(frozen=True, slots=True)
class Shelved:
    """A look of the library. `name` is what its layer was called; `stored` seconds since 1970."""

    look: Look
    name: str
    stored: float


class LookLibrary:
    """The person's own looks: one safetensors file each, named by its content."""

    def __init__(self, folder: Path | None = None) -> None:
        self._given = folder
        self._read: dict[Path, tuple[float, Shelved]] = {}

    @property
    def folder(self) -> Path:
        return self._given or config_dir() / "looks"

    def add(self, look: Look) -> bool:
        """Keep a look; a shorter lesson of the same kind gives way. False if it failed."""
        path = self._path(look)
        older = [other for other in self.looks() if _replaces(look, other.look)]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                with replacing(path, len(look.data)) as file:
                    file.write(look.data)
        except (OSError, FormatError):
            return False
        for other in older:
            self.remove(other.look)
        return True

    def looks(self) -> tuple[Shelved, ...]:
        """Every readable look, newest first."""
        found = list[Shelved]()
        with contextlib.suppress(OSError):
            for path in self.folder.glob(f"*{_SUFFIX}"):
                shelved = self._shelved(path)
                if shelved is not None:
                    found.append(shelved)
        return tuple(sorted(found, key=lambda shelved: -shelved.stored))

    def for_picture(self, layer: Layer, model: str) -> Look | None:
        """The newest finished look that was learned from this very cutout with this model."""
        return next(
            (
                shelved.look
                for shelved in self.looks()
                if is_of_this_picture(shelved.look, layer)
                and shelved.look.recipe.model == model
                and shelved.look.recipe.finished
            ),
            None,
        )

    def find(self, key: str) -> Look | None:
        """The look with this content key."""
        return next((item.look for item in self.looks() if item.look.key == key), None)

    def remove(self, look: Look) -> None:
        """Take a look off the shelf; documents that hold it keep it."""
        self._path(look).unlink(missing_ok=True)

    def take_in(self, path: Path) -> Look:
        """Add somebody else's file, also one from another tool.

        Raises:
            LookRefused: with what is wrong.
        """
        if path.suffix.lower() != _SUFFIX:
            raise LookRefused(
                f"{path.name} is no safetensors file. Pickled looks can run code and are refused."
            )
        try:
            look = Look(_bytes_of(path))
        except (OSError, BadLook) as error:
            raise LookRefused(f"{path.name} is no learned look, or it is damaged.") from error
        if not look.recipe.name:
            look = Look.of(look.vectors, replace(look.recipe, name=path.stem))
        if not self.add(look):
            raise LookRefused(f"{path.name} could not be kept: the disk refuses to store it.")
        return look

    def _path(self, look: Look) -> Path:
        return self.folder / f"{look.key}{_SUFFIX}"

    def _shelved(self, path: Path) -> Shelved | None:
        try:
            stored = path.stat().st_mtime
            known = self._read.get(path)
            if known is not None and known[0] == stored:
                return known[1]
            look = Look(_bytes_of(path))
        except (OSError, BadLook, json.JSONDecodeError):
            return None
        shelved = Shelved(look, look.recipe.name or path.stem[:8], stored)
        self._read[path] = (stored, shelved)
        return shelved


def _replaces(look: Look, other: Look) -> bool:
    mine, theirs = look.recipe, other.recipe
    return (
        bool(mine.picture)
        and look != other
        and (mine.picture, mine.model, mine.text) == (theirs.picture, theirs.model, theirs.text)
        and look.count == other.count
        and theirs.steps <= mine.steps
    )


def _bytes_of(path: Path) -> bytes:
    """At most as many bytes as a look may have, and one more to tell."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
