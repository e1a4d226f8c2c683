"""Attention control as data: an additive bias before the softmax, the same for every network.

A method gives an `AttentionEdit`; a family applies it inside `Family.attending`. How a bias gets
into a network is the business of `processors`, and nothing is left behind.

`CrossAttentionControl` is that of Collage Diffusion (arXiv 2303.00262): S = Q K^T / sqrt(d); for
a token j of a layer with mask M, S[:, :, j] += f(sigma) m_j (w+ M - w- (1 - M)), m_j the maximum
of S[:, :, j] over all heads and pixels of that picture, f(sigma) = log(log(sigma + 1.01) + 1).
Only rows that read the caption are changed, never those that read the words to avoid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

_MANY_COLUMNS = 128
"""Longer texts than CLIP's: scores of the layers' own tokens alone are then cheaper."""


def paper_strength(sigma: float) -> float:
    """f(sigma) of the paper; sigma >= 0 is the scheduler's own level of this step."""
    return math.log(math.log(sigma + 1.01) + 1.0)


class Site(NamedTuple):
    """One attention layer: its path in the network and the grid of its pixels."""

    name: str
    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.height * self.width


class AttentionEdit(Protocol):
    """What is added to the logits q k^T / sqrt(d) of each attention layer, before the softmax.

    B rows of the network call, n = site.pixels, T rows of the text. None adds nothing.
    """

    def text_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        """(B, 1 | heads, n, T) for pixels that read the text.

        In UNets these are the attn2 layers, in Stable Diffusion 3 and FLUX the block of the joint
        attention where pixels ask and words answer. Positions are part of `query` and `key`.

        Args:
            query: (B, heads, n, d). key: (B, heads, T, d).
        """
        ...

    def pixel_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        """(B, 1 | heads, n, n) for pixels that read pixels.

        Args:
            query: (B, heads, n, d). key: (B, heads, n, d).
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What pixels may read in a layer: words or pixels, each (B, heads, K, d)."""

    key: Tensor
    value: Tensor
    is_text: bool

    def rows(self, first: int) -> Block:
        """The rows of the batch from `first` on."""
        return Block(self.key[first:], self.value[first:], self.is_text)


@runtime_checkable
class OwnAttention(Protocol):
    """An edit that works layers out itself, where a bias would be as large as all logits."""

    def attended(self, site: Site, query: Tensor, blocks: Sequence[Block]) -> Tensor | None:
        """(B, heads, n, d) for pixels that ask; None leaves the layer to the network.

        Args:
            blocks: what is read: one in UNets; words, then pixels, in joint attention.
        """
        ...


@runtime_checkable
class WordsControl(Protocol):
    """An edit that also says what words may read where words and pixels attend together."""

    def words_bias(self, site: Site, columns: int) -> tuple[Tensor, Tensor]:
        """For words that ask: (B, 1, T, T) to the words, (B, 1, T, n) to the pixels."""
        ...


def attended(
    edit: AttentionEdit, site: Site, query: Tensor, blocks: Sequence[Block]
) -> Tensor | None:
    """What an edit that works layers out itself makes of this one; None for all others."""
    return edit.attended(site, query, blocks) if isinstance(edit, OwnAttention) else None


class SiteWeights(Protocol):
    """w+ M - w- (1 - M) for the tokens of all layers; `regions.RegionWeights` is one."""

    @property
    def tokens(self) -> Tensor: ...

    def bias_of(self, peaks: Tensor, pixels: int, batch: int) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class CrossAttentionControl:
    """The bias of one step.

    Args:
        weights: what each pixel is given for each token of a layer.
        strength: f(sigma) of this step.
        rows: how many rows at the end of the batch read the caption.
    """

    weights: SiteWeights
    strength: float
    rows: int

    def text_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        """f(sigma) m_j (w+ M - w- (1 - M)); rows that do not read the caption get zeros."""
        peaks = self._peaks(query[-self.rows :], key[-self.rows :])
        return self.weights.bias_of(peaks, site.pixels, query.shape[0])

    def pixel_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        """The paper leaves the attention among pixels as it is."""
        del site, query, key
        return None

    def _peaks(self, query: Tensor, key: Tensor) -> Tensor:
        """(rows, T) f(sigma) m_j; what tokens of no layer get does not matter."""
        scale = self.strength / math.sqrt(query.shape[-1])
        if key.shape[2] <= _MANY_COLUMNS:
            return (query @ key.transpose(-1, -2)).amax(dim=(1, 2)).float() * scale
        own = self.weights.tokens
        peaks = torch.zeros(self.rows, key.shape[2], device=key.device)
        found = (query @ key[:, :, own].transpose(-1, -2)).amax(dim=(1, 2))
        peaks[:, own] = found.float() * scale
        return peaks
