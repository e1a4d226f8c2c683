"""A genuine, very small engine for tests of jobs and app: fades the collage to a seed's tint.

Some seeds stand for accidents. `settings.guidance` is the pause per step in milliseconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import numpy as np

from collage_studio.document.compositing import composite_picture
from collage_studio.document.recipe import Recipe
from collage_studio.engine.api import (
    Cancelled,
    Event,
    Finished,
    HarmoniseRequest,
    OutOfMemory,
    Picture,
    Previewed,
    Produced,
    Request,
    Started,
    Stepped,
)

DIES, RAISES, TOO_BIG, DEAF = 90_001, 90_002, 90_003, 90_004
IMPORT_STRING = "tiny_engine:TinyEngine"


class TinyEngine:
    """The smallest thing that keeps the engine's protocol."""

    def __init__(self, device: str) -> None:
        self.device = device

    def run(self, request: Request, is_cancelled: Callable[[], bool]) -> Iterator[Event]:
        steps = request.settings.steps
        collage = composite_picture(request.document)
        yield Started(request.seeds, steps, tuple(_warnings(request)))
        for seed in request.seeds:
            for step in range(1, steps + 1):
                time.sleep(request.settings.guidance / 1000)
                if is_cancelled() and seed != DEAF:
                    yield Cancelled()
                    return
                _accident(seed, step)
                yield Stepped((seed,), step, steps)
                yield Previewed(seed, step, tinted(collage, seed, step / steps))
            kind = "harmonise" if isinstance(request, HarmoniseRequest) else "reroll"
            recipe = Recipe(kind, seed, request.settings, request.document.written_caption()[0])
            yield Produced(seed, tinted(collage, seed, 1.0), recipe)
        yield Finished()


class NeverThere:
    """An engine whose library is broken."""

    def __init__(self, device: str) -> None:
        raise ImportError(f"libtiny is missing on {device}")


class DiesAtBirth:
    """An engine that takes its process along before it is ready."""

    def __init__(self, _device: str) -> None:
        os._exit(7)


def tinted(collage: Picture, seed: int, share: float) -> Picture:
    """(H, W, 3): `share` of the way to the seed's colour."""
    tint = np.random.default_rng(seed).integers(0, 256, 3)
    return (collage * (1 - share / 2) + tint * (share / 2)).astype(np.uint8)


def _warnings(request: Request) -> Iterator[str]:
    for layer in request.document.walk():
        if not layer.text:
            yield f"{layer.name} has no text. It follows the caption only."


def _accident(seed: int, step: int) -> None:
    if step < 2:
        return
    if seed == DIES:
        os._exit(3)
    if seed == RAISES:
        raise ZeroDivisionError("a bug of the engine")
    if seed == TOO_BIG:
        raise OutOfMemory("Not enough GPU memory: 12 GB needed, 8 GB free.")
