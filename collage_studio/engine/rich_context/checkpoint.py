"""Adapters as files: weights by their published names, and in the header what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from collage_studio.engine.rich_context.adapter import RichContextAdapter
from collage_studio.engine.rich_context.config import AdapterConfig
from collage_studio.formats.atomic import replacing
from collage_studio.formats.checkpoint import check_file, read_header
from collage_studio.formats.errors import FormatError

KIND = "rich-context adapter"
VERSION = "1"
_HEADER_BYTES = 100_000


def save_adapter(
    adapter: RichContextAdapter, path: Path, metadata: Mapping[str, str], *, half: bool = True
) -> None:
    """Write an adapter in one step; `metadata` says more about it, such as its training.

    Args:
        half: in half precision.

    Raises:
        FormatError: the folder cannot be written to, or the disk is full.
    """
    dtype = torch.float16 if half else None
    tensors = {name: value.to("cpu", dtype) for name, value in adapter.state_dict().items()}
    write_tensors(tensors, adapter.config, path, metadata)


def write_tensors(
    tensors: Mapping[str, Tensor], config: AdapterConfig, path: Path, metadata: Mapping[str, str]
) -> None:
    """Write an adapter's tensors by their published names."""
    own = {"kind": KIND, "version": VERSION, "config": config.to_json()}
    whole = {name: value.detach().contiguous() for name, value in tensors.items()}
    needed = sum(value.numel() * value.element_size() for value in whole.values())
    with replacing(path, needed + _HEADER_BYTES) as file:
        try:
            save_file(whole, file.name, metadata={**metadata, **own})
        except SafetensorError as error:
            raise OSError(str(error)) from error


def load_adapter(
    path: Path | str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> RichContextAdapter:
    """An adapter with its weights; what its file says beside them is in `metadata`.

    Raises:
        FormatError: it is gone, damaged, or no adapter that this program wrote.
    """
    path = Path(path).expanduser()
    config = read_config(path)
    try:
        # A run may be in inference mode, whose weights could never be trained.
        with torch.inference_mode(False), torch.no_grad():
            state = load_file(str(path))
            with torch.device("meta"):
                adapter = RichContextAdapter(config)
            adapter = adapter.to(dtype).to_empty(device=device)
            adapter.load_state_dict(state)
    except (SafetensorError, OSError, RuntimeError) as error:
        raise FormatError(_DAMAGED.format(name=path.name)) from error
    adapter.metadata = dict(read_header(path).facts)
    return adapter.eval().requires_grad_(False)


def read_config(path: Path) -> AdapterConfig:
    """What an adapter's header says it is made of; its weights are not read.

    Raises:
        FormatError: it is gone, damaged, or no adapter that this program wrote.
    """
    check_file(path)
    header = read_header(path)
    if header.facts.get("kind") != KIND:
        if any(".fuser." in name for name in header.shapes):
            raise FormatError(_UNCONVERTED.format(name=path.name))
        raise FormatError(f"{path.name} is no rich-context adapter. Choose another file.")
    if header.facts.get("version") != VERSION:
        raise FormatError(
            f"{path.name} was made by a newer version of Collage Studio. Update the program."
        )
    try:
        return AdapterConfig.from_json(header.facts.get("config", ""))
    except ValueError as error:
        raise FormatError(_DAMAGED.format(name=path.name)) from error


_DAMAGED = "{name} is damaged or not complete. Fetch it again or choose another."
_UNCONVERTED = (
    "{name} is a rich-context checkpoint as it was published. "
    "Convert it first: collage-studio rich-context convert {name} adapter.safetensors"
)
