"""Maps over the canvas, cut to the frames of a network call and averaged to each of its sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from collage_studio.document.geometry import Rect
from collage_studio.engine.families.base import Family, Frame
from collage_studio.engine.regions.ownership import halved


def network_of(family: Family) -> Any:
    """The network that denoises: a UNet or a transformer."""
    return getattr(family, "unet", None) or getattr(family, "transformer")  # noqa: B009


def cut(values: Tensor, window: Rect, factor: int = 1) -> Tensor:
    """The window (in cells) of values (..., H, W) with `factor` pixels per cell.

    What lies beyond the right or lower edge wraps around.
    """
    height, width = values.shape[-2:]
    rows = torch.arange(window.top * factor, window.bottom * factor, device=values.device)
    columns = torch.arange(window.left * factor, window.right * factor, device=values.device)
    return values[..., rows[:, None] % height, columns % width]


class MapLevels:
    """One map for the rows of a call, at every size of the network: halved, rounding up.

    Args:
        values: (B or 1, h, w) latent cells.
    """

    def __init__(self, values: Tensor) -> None:
        self._levels = {tuple(values.shape[-2:]): values}
        while values[0].numel() > 1:
            values = halved(values)
            self._levels[tuple(values.shape[-2:])] = values

    @classmethod
    def of(cls, values: Tensor, frames: Sequence[Frame]) -> MapLevels:
        """The map of the whole grid (h, w) for these frames, one for all rows or one each."""
        same = len(set(frames)) == 1
        return cls(torch.stack([cut(values, f.window) for f in (frames[:1] if same else frames)]))

    def planes(self, height: int, width: int) -> Tensor | None:
        """(B or 1, 1, h', w') for feature maps; None for a size that no level has."""
        found = self._levels.get((height, width))
        return None if found is None else found[:, None]

    def tokens(self, count: int) -> Tensor | None:
        """(B or 1, n, 1) for tokens, row by row; None for a number that no level has."""
        for values in self._levels.values():
            if values[0].numel() == count:
                return values.flatten(1)[..., None]
        return None

    @property
    def any(self) -> bool:
        """Whether the map is above 0 anywhere."""
        return bool(next(iter(self._levels.values())).any())

    @property
    def share(self) -> Tensor:
        """(B or 1, 1, 1) the mean of the map: what holds for things without a place."""
        return next(iter(self._levels.values())).mean((1, 2), keepdim=True)
