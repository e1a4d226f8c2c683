"""Random numbers of a run: drawn on the CPU for the whole canvas, then cropped to the window.

The order of draws per seed is that of diffusers' img2img: encoder sample, start noise, one per
ancestral step. A crop sees the canvas's noise, so neither device, batch nor crop changes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from collage_studio.document.geometry import Rect, Size


def keyed_generator(seed: int, *key: object) -> torch.Generator:
    """A generator for one purpose of a seed: draws do not depend on the order of others."""
    digest = hashlib.sha256(repr((seed, *key)).encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:8], "big") >> 1)


class CanvasNoise:
    """One generator per seed; `window` is cut out of each draw, in latent cells."""

    def __init__(
        self,
        seeds: Sequence[int],
        channels: int,
        grid: Size,
        window: Rect,
        device: torch.device | None = None,
    ) -> None:
        self._generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        self.seeds = len(seeds)
        self._shape = (1, channels, *grid.shape)
        self._window = window.slices
        self._device = device or torch.device("cpu")

    def draw(self) -> Tensor:
        """The next Gaussian noise of each seed, (len(seeds), C, h, w) of the window."""
        rows, columns = self._window
        drawn = [torch.randn(self._shape, generator=g) for g in self._generators]
        return torch.cat(drawn)[:, :, rows, columns].contiguous().to(self._device)
