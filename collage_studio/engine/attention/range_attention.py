"""DenseDiffusion's attention (arXiv 2308.12964): logits pulled to the ends of their own range.

With L = Q K^T / sqrt(d), row maxima mx_i and minima mn_i, R_ij = 1 where query i and key j belong
together and one strength s_i per query:
    L'_ij = L_ij + s_i (mx_i - L_ij) where R_ij = 1,  L_ij - s_i (L_ij - mn_i) elsewhere,
which is (1 - s_i) L_ij + s_i (R_ij ? mx_i : mn_i). For s_i in [0, 1] no logit leaves its row's
range. Worked out for some queries at a time, so the whole matrix never exists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from collage_studio.engine.attention.edits import Block, Site

_LEAST_SCRATCH = 2**20
_GPU_SCRATCH = 2**28
_COPIES = 3
"""Blocks of logits that are alive at once: logits, targets, softmax."""

Members = Callable[[int, int], Tensor]
"""(first query, end) -> (m, K) bool, R of those queries."""


def lerp_attention(
    query: Tensor,
    blocks: Sequence[Block],
    strengths: Sequence[Tensor | None],
    members: Sequence[Members],
) -> Tensor:
    """softmax(L') V over all keys together, the range taken within each block of keys.

    Args:
        query: (B, heads, n, d).
        blocks: keys and values (B, heads, K, d); UNets have one, joint attention words and pixels.
        strengths: (n,) s_i by block; None leaves the block's logits as they are.
    """
    out = torch.empty_like(query)
    scale = 1.0 / math.sqrt(query.shape[-1])
    keys = [block.key.transpose(-1, -2) for block in blocks]
    for start, end in _chunks(query, sum(key.shape[-1] for key in keys)):
        logits = list[Tensor]()
        for key, strength, member in zip(keys, strengths, members, strict=True):
            part = (query[:, :, start:end] @ key).float() * scale  # (B, heads, m, K)
            if strength is not None:
                part = _lerped(part, strength[start:end], member(start, end))
            logits.append(part)
        weights = (logits[0] if len(logits) == 1 else torch.cat(logits, dim=-1)).softmax(-1)
        weights = weights.to(query.dtype)
        place = 0
        total: Tensor | None = None
        for block in blocks:
            count = block.value.shape[2]
            part = weights[..., place : place + count] @ block.value
            total, place = part if total is None else total + part, place + count
        assert total is not None
        out[:, :, start:end] = total
    return out


def _lerped(logits: Tensor, strength: Tensor, member: Tensor) -> Tensor:
    """(B, heads, m, K) in place."""
    high, low = logits.amax(-1, keepdim=True), logits.amin(-1, keepdim=True)
    return logits.lerp_(torch.where(member, high, low), strength[:, None])


def _chunks(query: Tensor, keys: int) -> list[tuple[int, int]]:
    """Ranges of queries whose logits fit into a part of the memory that the layer takes anyway."""
    count = query.shape[2]
    if query.is_cuda:
        scratch = _GPU_SCRATCH
    else:
        scratch = max(_LEAST_SCRATCH, query.numel() * query.element_size())
    rows = max(1, scratch // (_COPIES * 4 * query.shape[0] * query.shape[1] * keys))
    return [(start, min(count, start + rows)) for start in range(0, count, rows)]


@dataclass(frozen=True, slots=True, eq=False)
class LayoutLevel:
    """The layout at one resolution.

    Args:
        segments: (n,) int64, the segment each pixel belongs to.
        areas: (S,) part of the canvas that each segment is.
    """

    segments: Tensor
    areas: Tensor

    def strengths(self, weight: float, area_term: float) -> Tensor:
        """(n,) s_i = weight (1 - area_term S_i), between 0 and 1."""
        return (weight * (1.0 - area_term * self.areas[self.segments])).clamp(0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class RangeControl:
    """The attention edit of one step of DenseDiffusion.

    Args:
        level: the layout of a site.
        owners: (T,) int64, the segment each column of the text belongs to; -1 for none.
        words, neighbours: w_c and w_s times the schedule of this step.
        area: how much less a large segment is pushed.
        rows: how many rows at the end of the batch read the caption.
    """

    level: Callable[[Site], LayoutLevel]
    owners: Tensor
    words: float
    neighbours: float
    area: float
    rows: int

    def text_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        """Nothing is added: `attended` works the layer out."""
        del site, query, key
        return None

    def pixel_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        """Nothing is added: `attended` works the layer out."""
        del site, query, key
        return None

    def attended(self, site: Site, query: Tensor, blocks: Sequence[Block]) -> Tensor | None:
        """(B, heads, n, d) for pixels that ask; rows that do not read the caption as always."""
        layout = self.level(site)
        strengths = [self._strength(layout, block) for block in blocks]
        if all(strength is None for strength in strengths):
            return None
        members = [self._members(layout, block) for block in blocks]
        first = query.shape[0] - self.rows
        own = [block.rows(first) for block in blocks]
        steered = lerp_attention(query[first:], own, strengths, members)
        if first == 0:
            return steered
        key = torch.cat([block.key[:first] for block in blocks], dim=2)
        value = torch.cat([block.value[:first] for block in blocks], dim=2)
        plain = scaled_dot_product_attention(query[:first], key, value)
        return torch.cat([plain, steered])

    def _strength(self, layout: LayoutLevel, block: Block) -> Tensor | None:
        weight = self.words if block.is_text else self.neighbours
        return layout.strengths(weight, self.area) if weight > 0 else None

    def _members(self, layout: LayoutLevel, block: Block) -> Members:
        keys = self.owners if block.is_text else layout.segments

        def member(start: int, end: int) -> Tensor:
            return layout.segments[start:end, None] == keys[None]

        return member
