"""Published rich-context checkpoints to adapter files.

Four containers hold the same tensors: a pipeline's folder, a whole UNet ("unet." before each
name), a Lightning or DeepSpeed state ("module" or "state_dict", "_forward_module." before each
name) and the adapter alone. Pickles are read by torch's restricted unpickler, which makes tensors
and plain containers and nothing else.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from collage_studio.engine.rich_context.bases import TEXT_WIDTHS, published, shapes_of
from collage_studio.engine.rich_context.checkpoint import write_tensors
from collage_studio.formats.checkpoint import PICKLES, read_header, read_json
from collage_studio.formats.errors import FormatError, read_failure

Shape = tuple[int, ...]
_UNET = "unet."
_AVERAGE = "ema_unet.module."
_WRAPPERS = ("module", "state_dict")
_PREFIXES = ("_forward_module.", "module.")
_PARTS = ("position_net.", "down_blocks.", "mid_block.", "up_blocks.")
_GLIGEN = (".fuser.linear.", ".fuser.alpha_", "position_net.null_position_feature")
_WEIGHTS = "diffusion_pytorch_model"


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written: for which base, how many tensors and numbers."""

    base: str
    tensors: int
    parameters: int


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A tensor that is read when it is asked for."""

    shape: Shape
    read: Callable[[], Tensor]


def convert(source: Path, target: Path, *, average: bool = False, join: str = "fixed") -> Converted:
    """Write the adapter in a published checkpoint or folder as `target`; dtypes are kept.

    Args:
        average: take the averaged weights (EMA) where the checkpoint has them.
        join: "fixed" or "upstream", how texts are joined for these weights; see
            `families.text.joined_tokens`.

    Raises:
        FormatError: it is gone, damaged, asks to run code, or holds no adapter for Stable
            Diffusion 1.5 or SDXL.
    """
    if target.suffix != ".safetensors":
        raise FormatError(f"{target.name} must end in .safetensors.")
    files = _files(source)
    with ExitStack() as stack:
        entries: dict[str, _Entry] = {}
        for file in files:
            is_pickle = file.suffix.lower() in PICKLES
            entries |= _pickled(file) if is_pickle else _stored(file, stack)
        own = _adapter_entries(entries, average=average)
        base = _checked({name: entry.shape for name, entry in own.items()}, source.name)
        tensors = {name: entry.read() for name, entry in own.items()}
        about = {"base": base, "join": join, "source": source.name, "sha256": _hash(files)}
        write_tensors(tensors, published(base), target, about)
    return Converted(base, len(own), sum(prod(entry.shape) for entry in own.values()))


def _files(source: Path) -> list[Path]:
    """The files with the UNet's weights."""
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise FormatError(f"{source.name} is gone. Look for it in another folder.")
    folder = source / "unet" if (source / "unet").is_dir() else source
    for index in sorted(folder.glob("*.safetensors.index.json")):
        names = (read_json(index) or {}).get("weight_map")
        if isinstance(names, dict):
            parts = cast(dict[str, Any], names).values()
            return [folder / name for name in sorted({Path(str(part)).name for part in parts})]
    found = [
        file
        for suffix in (".safetensors", ".bin", ".pt")
        for file in sorted(folder.glob(f"*{suffix}"), key=lambda one: len(one.name))
    ]
    if not found:
        raise FormatError(f"{source.name} has no weights of a UNet. Choose another folder.")
    named = [file for file in found if file.name.startswith(_WEIGHTS)]
    return (named or found)[:1]


def _stored(path: Path, stack: ExitStack) -> dict[str, _Entry]:
    shapes = read_header(path).shapes
    try:
        file = stack.enter_context(safe_open(str(path), framework="pt"))
    except (SafetensorError, OSError) as error:
        raise FormatError(_DAMAGED.format(name=path.name)) from error
    return {name: _Entry(shape, partial(file.get_tensor, name)) for name, shape in shapes.items()}


def _pickled(path: Path) -> dict[str, _Entry]:
    state = _unwrapped(_load(path))
    if state is None:
        raise FormatError(_NONE.format(name=path.name))
    return {
        name: _Entry(tuple(value.shape), lambda value=value: value)
        for name, value in state.items()
        if isinstance(value, Tensor)
    }


def _load(path: Path) -> object:
    """What a pickle holds, if that is tensors in plain containers."""
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # files of before 2020 cannot be mapped
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error).lower() and "unsupported" not in str(error).lower():
            raise FormatError(_DAMAGED.format(name=path.name)) from error
        raise FormatError(
            f"{path.name} is a pickle that asks for more than tensors. "
            "Nothing of it was run; do not trust this file."
        ) from error
    except OSError as error:
        raise read_failure(path, error) from error
    except (RuntimeError, ValueError, EOFError, KeyError, TypeError) as error:
        raise FormatError(_DAMAGED.format(name=path.name)) from error


def _unwrapped(data: object) -> dict[str, object] | None:
    """The state inside "module" or "state_dict", however deep."""
    while isinstance(data, dict):
        state = cast(dict[Any, object], data)
        inner = next((state[name] for name in _WRAPPERS if isinstance(state.get(name), dict)), None)
        if inner is None:
            return {name: value for name, value in state.items() if isinstance(name, str)}
        data = inner
    return None


def _adapter_entries(entries: Mapping[str, _Entry], *, average: bool) -> dict[str, _Entry]:
    """The adapter's own tensors by the names that are relative to the UNet."""
    named = {_stripped(name): entry for name, entry in entries.items()}
    start = ""
    if average and any(name.startswith(_AVERAGE) for name in named):
        start = _AVERAGE
    elif any(name.startswith(_UNET) for name in named):
        start = _UNET
    relative = {
        name.removeprefix(start): entry for name, entry in named.items() if name.startswith(start)
    }
    return {
        _current(name): entry
        for name, entry in relative.items()
        if name.startswith(_PARTS) and (name.startswith(_PARTS[0]) or ".fuser." in name)
    }


def _stripped(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _current(name: str) -> str:
    """Checkpoints of before the release call the null features otherwise."""
    new = "null_text_feature" if name.startswith("position_net.") else "null_text_feat"
    return name.replace("null_positive_feature", new)


def _checked(shapes: Mapping[str, Shape], name: str) -> str:
    """The base of an adapter that is complete and has the published shapes."""
    if any(mark in key for key in shapes for mark in _GLIGEN):
        raise FormatError(
            f"{name} is a GLIGEN model. Choose a checkpoint of Rich-Context Layout-to-Image."
        )
    if any(".fuser.self_attn." in key for key in shapes):
        raise FormatError(
            f"{name} is the variant with regional self-attention (casa), which does not run here. "
            "Choose the one with cross-attention alone."
        )
    if not any(".fuser.attn." in key for key in shapes):
        raise FormatError(_NONE.format(name=name))
    width = next((shape[1] for key, shape in shapes.items() if key.endswith(".to_k.weight")), 0)
    base = TEXT_WIDTHS.get(width)
    if base is None:
        raise FormatError(
            f"{name} reads texts of width {width}. Choose an adapter for Stable Diffusion 1.5 "
            "(768) or SDXL (2048)."
        )
    _check_shapes(shapes, shapes_of(published(base)), base, name)
    return base


def _check_shapes(
    found: Mapping[str, Shape], wanted: Mapping[str, Shape], base: str, name: str
) -> None:
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        raise FormatError(
            f"{name} lacks {len(missing)} of {len(wanted)} tensors of an adapter for {base}, "
            f"such as {missing[0]}. Download it again."
        )
    unknown = sorted(found.keys() - wanted.keys())
    if unknown:
        raise FormatError(
            f"{name} has {unknown[0]}, which an adapter for {base} has not. "
            "Choose a checkpoint made from the plain base."
        )
    wrong = next((key for key in sorted(wanted) if tuple(found[key]) != wanted[key]), None)
    if wrong is not None:
        raise FormatError(
            f"{name} has {wrong} of shape {list(found[wrong])} instead of {list(wanted[wrong])}. "
            f"Choose an adapter for {base}."
        )


def _hash(files: list[Path]) -> str:
    """SHA-256 of the files one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as data:
            while block := data.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


_DAMAGED = "{name} is damaged or not complete. Download it again."
_NONE = "{name} holds no rich-context adapter. Choose a checkpoint of Rich-Context Layout-to-Image."
