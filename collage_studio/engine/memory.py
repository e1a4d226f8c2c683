"""Devices, number types and what to say when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

import torch

from collage_studio.engine.api import BadRequest, OutOfMemory

_BYTES_PER_PIXEL = 2000
"""Measured order of magnitude for one seed with guidance in half precision (SD 1.5)."""

_AUTOENCODER_BYTES_PER_PIXEL = 2600
"""Its widest layers hold 128 channels of float32 for each pixel, several times over."""

_PIXELS_AT_ONCE = 6_000_000
"""The same where free memory is not known: about 16 GB."""


def choose_device(name: str = "auto") -> torch.device:
    """The device for "auto", "cpu", "cuda" (also ROCm), "cuda:1", "mps"."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadRequest(f"{name!r} is no device; use auto, cpu, cuda or mps.") from error
    missing = (device.type == "cuda" and not torch.cuda.is_available()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    )
    if missing:
        raise BadRequest(f"This computer has no {device.type} device; use cpu or auto.")
    return device


def network_dtype(device: torch.device, *, wide: bool = False) -> torch.dtype:
    """The type the denoising network runs in.

    Args:
        wide: its numbers leave the range of float16, as those of joint transformers do.
    """
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if wide else torch.float16


def free_bytes(device: torch.device) -> int | None:
    """Memory that a network call may use; None where that is not known."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return None


def needs_tiles(device: torch.device, pixels: int) -> bool:
    """Whether a picture of so many pixels goes through the autoencoder in pieces.

    Pieces need little memory and change the picture a little, so they are for when it is short.
    """
    free = free_bytes(device)
    if free is None:
        return pixels > _PIXELS_AT_ONCE
    return pixels * _AUTOENCODER_BYTES_PER_PIXEL > free


def t5_dtype(network: torch.dtype) -> torch.dtype:
    """The type T5 runs in: its activations leave the range of float16."""
    return torch.bfloat16 if network == torch.float16 else network


def seeds_at_once(device: torch.device) -> int:
    """One on the CPU, so that the first variation is there early; four on a GPU."""
    return 1 if device.type == "cpu" else 4


def needed_mb(weights_bytes: int, pixels: int, seeds: int) -> int:
    """A rough estimate for a window of `pixels` working pixels."""
    return (weights_bytes + _BYTES_PER_PIXEL * pixels * seeds) // 2**20


@contextmanager
def explained_memory(device: torch.device, estimate_mb: int) -> Generator[None]:
    """Turn every library's out-of-memory failure in the block into `OutOfMemory`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        raise OutOfMemory(_sentence(device, estimate_mb)) from error


def release(device: torch.device) -> None:
    """Hand unused memory back to the system."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text


def _sentence(device: torch.device, estimate_mb: int) -> str:
    kind = "memory" if device.type == "cpu" else "GPU memory"
    needed = f"about {estimate_mb / 1024:.1f} GB needed"
    free = ""
    if device.type == "cuda":
        free = f", {torch.cuda.mem_get_info(device)[0] / 2**30:.1f} GB free"
    return f"Not enough {kind}: {needed}{free}. Your collage is unchanged."
