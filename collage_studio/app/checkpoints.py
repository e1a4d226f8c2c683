"""What a model the user points at is, and whether it can run; no torch, nothing is executed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from collage_studio.formats.checkpoint import (
    RUNNABLE,
    RUNNING,
    check_file,
    check_folder,
    family_of_folder,
    identify,
    read_header,
)
from collage_studio.formats.errors import FormatError


class ModelRefused(Exception):
    """A model cannot be used; `str(error)` is one or two sentences for the user."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What could be found out about a model without loading it.

    Args:
        why_not: one or two sentences saying why it cannot run; "" if it can.
    """

    family: str
    bytes: int
    why_not: str = ""

    @property
    def is_runnable(self) -> bool:
        return not self.why_not


def inspect(path: Path) -> Checkpoint:
    """Family and size of a diffusers folder or one .safetensors file.

    Raises:
        ModelRefused: it is a pickle, damaged or no model.
    """
    try:
        return _inspect_folder(path) if path.is_dir() else _inspect_file(path)
    except FormatError as error:
        raise ModelRefused(str(error)) from error


def _inspect_file(path: Path) -> Checkpoint:
    check_file(path)
    kind = identify(read_header(path), path.stem)
    why_not = kind.why_not.format(name=path.name)
    if not kind.why_not and not kind.has_texts and not _lies_in_folder(path):
        why_not = (
            f"{path.name} holds the transformer of {kind.family} only. "
            "Put it into that model's folder in diffusers layout, or add the folder."
        )
    return Checkpoint(kind.family, path.stat().st_size, why_not)


def _lies_in_folder(path: Path) -> bool:
    return (path.parent / "model_index.json").is_file()


def _inspect_folder(path: Path) -> Checkpoint:
    pipeline = check_folder(path)
    family = family_of_folder(path, pipeline)
    weights = [*path.glob("*/*.safetensors"), *path.glob("*.safetensors")]
    why_not = ""
    if family not in RUNNABLE:
        named = f"of the family {family}" if family != "Unknown" else f"a {pipeline or 'model'}"
        why_not = f"{path.name} is {named}, which does not run here. Choose a {RUNNING} model."
    return Checkpoint(family, sum(file.stat().st_size for file in weights), why_not)
