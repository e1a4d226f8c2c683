"""Cheap pictures of a clean estimate: a linear map from latent cells to pixel blocks.

Each block of pixels is a linear function of its cell and the eight around it, fitted to the
model's own encoder by least squares. It costs a thousandth of the decoder and needs no weights.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from collage_studio.engine.families.base import Family

_RIDGE = 1e-3
_LONGEST_PX = 256
_FLAT = 0.02
_COLOUR_CELLS = 32


class LinearPreview:
    """(1, C, h, w) latent to (1, 3, h * factor, w * factor) in [-1, 1]."""

    def __init__(self, family: Family, picture: Tensor) -> None:
        """Fit on recoloured copies of `picture` (1, 3, H, W) in [-1, 1]."""
        self._factor = family.factor
        if float(picture.std(dim=(2, 3)).max()) < _FLAT:
            picture = _colours(family.factor)
        features, blocks = zip(
            *(self._pair(family, example) for example in _examples(picture, family.factor)),
            strict=True,
        )
        x, y = torch.cat(features).double(), torch.cat(blocks).double()
        gram = x.T @ x
        ridge = _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64)
        self._weights = torch.linalg.solve(gram + ridge, x.T @ y).float()

    def _pair(self, family: Family, picture: Tensor) -> tuple[Tensor, Tensor]:
        latent = family.encode(picture).mean.float().cpu()
        blocks = functional.unfold(picture, self._factor, stride=self._factor)
        return _neighbourhoods(latent), blocks[0].T

    def picture(self, latent: Tensor) -> Tensor:
        """(1, 3, H, W) float32 on the CPU, about [-1, 1]."""
        latent = latent.float().cpu()
        height, width = (side * self._factor for side in latent.shape[-2:])
        blocks = (_neighbourhoods(latent) @ self._weights).T[None]
        return functional.fold(blocks, (height, width), self._factor, stride=self._factor)


def _neighbourhoods(latent: Tensor) -> Tensor:
    """(1, C, h, w) to (h w, 9 C + 1): each cell with its neighbours and a constant."""
    around = functional.unfold(functional.pad(latent, (1, 1, 1, 1), mode="replicate"), 3)[0].T
    return torch.cat([around, torch.ones(len(around), 1)], dim=1)


def _colours(factor: int) -> Tensor:
    """(1, 3, H, W) soft colours, for canvases that show nothing to learn colours from."""
    generator = torch.Generator("cpu").manual_seed(0)
    coarse = torch.rand(1, 3, 8, 8, generator=generator) * 2.0 - 1.0
    side = _COLOUR_CELLS * factor
    return functional.interpolate(coarse, (side, side), mode="bicubic").clamp(-1.0, 1.0)


def _examples(picture: Tensor, factor: int) -> list[Tensor]:
    """The picture small, in other colours, darker and lighter, so that all hues are covered."""
    longest = max(picture.shape[-2:])
    scale = min(1.0, _LONGEST_PX / longest)
    size = [max(1, int(side * scale) // factor) * factor for side in picture.shape[-2:]]
    small = functional.interpolate(picture.cpu(), size, mode="area")
    turned = [small, small[:, [1, 2, 0]], small[:, [2, 0, 1]]]
    return [*turned, -small, 0.4 * small - 0.5, 0.4 * small + 0.5]
