"""The grounding encoder, and what it hands to the regional attention of every block.

Letters: B rows of the network call, K packed tokens, C text width, R atoms, h x w latent cells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from collage_studio.engine.rich_context.tiles import Tiles, tiles_of

FREQUENCIES = 8
FOURIER = FREQUENCIES * 2 * 4
_KEPT = 16
"""Layouts whose keys and values are kept at a time."""


def fourier(boxes: Tensor) -> Tensor:
    """(B, K, 64) of boxes (B, K, 4) = (left, top, right, bottom): sin and cos of 100^(k/8) x.

    By frequency: four sines, then four cosines. Computed in float32, no factor 2 pi; -1 stands
    for "no box" and is coded like any number.
    """
    scales = 100.0 ** (torch.arange(FREQUENCIES, device=boxes.device) / FREQUENCIES)
    angles = boxes.float()[..., None, :] * scales[:, None]  # (B, K, 8, 4)
    return torch.stack((angles.sin(), angles.cos()), dim=-2).flatten(-3)


@dataclass(slots=True, eq=False)
class Grounded:
    """A layout as the blocks read it.

    Args:
        text: (B, K, C) grounded tokens.
        bias, valid, atom: (B, K). atoms: (B, h, w). covered: (B, h, w) False where no token is
            read and the null feature is added instead.
        keeps: whether keys and values of one call serve the next.
    """

    text: Tensor
    bias: Tensor
    valid: Tensor
    atom: Tensor
    atoms: Tensor
    covered: Tensor
    keeps: bool
    _tiles: dict[int, Tiles] = field(default_factory=dict[int, Tiles])
    _pairs: dict[int, tuple[Tensor, Tensor]] = field(
        default_factory=dict[int, tuple[Tensor, Tensor]]
    )

    def tiles(self, pixels: int) -> Tiles:
        """How a block of so many pixels attends, worked out once per size."""
        found = self._tiles.get(pixels)
        if found is None:
            found = self._tiles[pixels] = tiles_of(self, pixels)
        return found

    def pair(self, to_k: nn.Linear, to_v: nn.Linear) -> tuple[Tensor, Tensor]:
        """Keys and values (B, K, inner), kept by the layer that makes the keys."""
        found = self._pairs.get(id(to_k))
        if found is None:
            found = to_k(self.text), to_v(self.text)
            if self.keeps:
                self._pairs[id(to_k)] = found
        return found


class GroundingEncoder(nn.Module):
    """Mixes each token with the box of its object; published as TextEmbeddingNetV2.

    z = [text ; fourier(box)], then Linear, SiLU, Linear, SiLU, Linear back to the text's width.
    `null_text_feature` stands for padding, which no cell reads: it is published, and dead.
    """

    def __init__(self, width: int, hidden: int = 512, *, residual: bool = False) -> None:
        super().__init__()
        self.null_text_feature = nn.Parameter(torch.zeros(width + FOURIER))
        self.linears = nn.Sequential(
            nn.Linear(width + FOURIER, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, width),
        )
        self.residual = residual
        self._known: dict[tuple[int, ...], tuple[tuple[Tensor, ...], Grounded]] = {}

    def forward(
        self,
        tokens: Tensor,
        boxes: Tensor,
        atom: Tensor,
        bias: Tensor,
        valid: Tensor,
        atoms: Tensor,
        covered: Tensor,
    ) -> Grounded:
        """Ground a layout; the arguments are the tensors of `encode.LayoutTokens`.

        Without gradients the outcome is kept for further calls with the same tensors, together
        with the keys and values that the blocks make of it.
        """
        if torch.is_grad_enabled():
            self.forget()
            text = self.ground(tokens, boxes, valid)
            return Grounded(text, bias, valid, atom, atoms, covered, keeps=False)
        weight: Any = self.linears[0].weight
        version = 0 if weight.is_inference() else weight._version
        key = (id(tokens), id(atoms), id(bias), version)
        found = self._known.get(key)
        if found is None:
            text = self.ground(tokens, boxes, valid)
            grounded = Grounded(text, bias, valid, atom, atoms, covered, keeps=True)
            while len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            # The tensors are kept as well: an id may otherwise come back as another tensor's.
            found = self._known[key] = ((tokens, atoms, bias), grounded)
        return found[1]

    def ground(self, tokens: Tensor, boxes: Tensor, valid: Tensor) -> Tensor:
        """(B, K, C) of tokens (B, K, C), boxes (B, K, 4) and valid (B, K)."""
        dtype = self.null_text_feature.dtype
        text = tokens.to(dtype)
        z = torch.cat([text, fourier(boxes).to(dtype)], dim=-1)
        out = self.linears(torch.where(valid[..., None], z, self.null_text_feature))
        return text + out if self.residual else out

    def forget(self) -> None:
        """Drop everything kept from earlier calls."""
        self._known.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Copies start without what is kept."""
        return self.__dict__ | {"_known": {}}
