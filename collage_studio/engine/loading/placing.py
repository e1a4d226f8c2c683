"""Number types of a model's parts, and where their weights wait when memory is short."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import nn

from collage_studio.engine.api import BadRequest
from collage_studio.engine.families.parts import bytes_of
from collage_studio.engine.memory import free_bytes, network_dtype, t5_dtype

_WORKING_BYTES = 3 * 2**30
"""Left free for what a step computes."""

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class Offload(StrEnum):
    """Where weights are while they are not needed.

    NONE: on the device. PARTS: each network comes to the device when it runs. LAYERS: each layer
    does, which needs least and is slowest.
    """

    NONE = "none"
    PARTS = "parts"
    LAYERS = "layers"


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how a model is to run.

    Args:
        precision: "auto", "fp32", "fp16" or "bf16". offload: None = as memory allows.
    """

    device: torch.device
    precision: str = "auto"
    offload: Offload | None = None

    def __post_init__(self) -> None:
        if self.precision not in ("auto", *PRECISIONS):
            known = ", ".join(("auto", *PRECISIONS))
            raise BadRequest(f"There is no precision {self.precision!r}; use one of {known}.")

    def dtype(self, *, is_transformer: bool) -> torch.dtype:
        """The type of the denoising network: float32 on the CPU, else a half precision.

        Joint transformers were trained in bfloat16 and leave the range of float16.
        """
        if self.precision != "auto":
            return PRECISIONS[self.precision]
        return network_dtype(self.device, wide=is_transformer)


def dtypes_of(names: Mapping[str, Any], dtype: torch.dtype) -> dict[str, torch.dtype]:
    """The type of each part of a pipeline: the autoencoder's in full, T5's with a wide range.

    Args:
        names: what the pipeline's index says: (library, class) by part.
    """
    found = {"default": dtype, "vae": torch.float32}
    t5 = [name for name, value in names.items() if list(value)[-1:] == ["T5EncoderModel"]]
    return found | dict.fromkeys(t5, t5_dtype(dtype))


def parts_of(pipe: Any) -> dict[str, nn.Module]:
    """The networks of a pipeline."""
    return {name: part for name, part in pipe.components.items() if isinstance(part, nn.Module)}


def chosen_offload(parts: Mapping[str, nn.Module], target: Target) -> Offload:
    """What memory asks for: all weights, the largest network, or one layer at a time."""
    if target.offload is not None:
        return target.offload
    free = free_bytes(target.device)
    if free is None:
        return Offload.NONE
    sizes = [bytes_of(part) for part in parts.values()]
    if sum(sizes) + _WORKING_BYTES <= free:
        return Offload.NONE
    return Offload.PARTS if max(sizes) + _WORKING_BYTES <= free else Offload.LAYERS


def place(pipe: Any, target: Target) -> Offload:
    """Make the networks of `pipe` wait in main memory if they have to; returns what was done."""
    parts = parts_of(pipe)
    offload = chosen_offload(parts, target)
    match offload:
        case Offload.PARTS:
            _take_turns(parts, target.device)
        case Offload.LAYERS:
            from accelerate import cpu_offload

            for part in parts.values():
                cpu_offload(part, target.device)
        case Offload.NONE:
            pass
    return offload


def _take_turns(parts: Mapping[str, nn.Module], device: torch.device) -> None:
    """Each network comes to the device when it runs and sends the one before it away."""
    from accelerate import cpu_offload_with_hook

    hook: Any = None
    for part in parts.values():
        _, hook = cpu_offload_with_hook(part, device, prev_module_hook=hook)
