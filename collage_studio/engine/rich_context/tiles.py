"""Regional attention as one call: cells of the same atom in tiles that read the same keys.

Atoms are disjoint, so each cell reads the tokens of one atom only. Cells are sorted by atom and
cut into tiles of T; a tile attends to its atom's tokens, padded to the longest. All tiles of all
rows are the batch of one attention of (L + R T) queries in place of R L, equal to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

_LARGEST = 64
_SMALLEST = 4


class Layout(Protocol):
    """The tensors of `grounding.Grounded` that tell who reads what."""

    bias: Tensor
    valid: Tensor
    atom: Tensor
    atoms: Tensor
    covered: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """How L pixels of B rows attend, n of them covered.

    Args:
        cells: (n,) which pixels of (B L) are covered, sorted by row and atom.
        slots: (n,) where each of them is among the queries of all tiles.
        queries: (t, T) for each slot the number of its cell in `cells`; 0 in unused slots.
        keys: (t, J) tokens of (B K) that each tile reads. bias: (t, J), -inf for padding.
        bare: (B, L, 1) 1 where nothing is read.
    """

    cells: Tensor
    slots: Tensor
    queries: Tensor
    keys: Tensor
    bias: Tensor
    bare: Tensor

    def attend(self, query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
        """(n, inner) for queries (n, inner), keys and values (B, K, inner)."""
        q = self._heads(query[self.queries], heads)  # (t, heads, T, d)
        k = self._heads(key.flatten(0, 1)[self.keys], heads)  # (t, heads, J, d)
        v = self._heads(value.flatten(0, 1)[self.keys], heads)
        bias = self.bias[:, None, None].to(q.dtype).expand(-1, heads, q.shape[2], -1)
        out = scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return out.transpose(1, 2).flatten(0, 1).flatten(1)[self.slots]

    @staticmethod
    def _heads(values: Tensor, heads: int) -> Tensor:
        return values.unflatten(-1, (heads, -1)).transpose(1, 2)


def sides_of(pixels: int, height: int, width: int) -> tuple[int, int]:
    """The sides of a level with so many pixels: h x w halved again and again, rounding up.

    Raises:
        ValueError: no level has that number.
    """
    sides = height, width
    while sides[0] * sides[1] > pixels and sides != (1, 1):
        sides = -(-sides[0] // 2), -(-sides[1] // 2)
    if sides[0] * sides[1] != pixels:
        raise ValueError(f"A layout of {height} x {width} cells has no level of {pixels} pixels.")
    return sides


def shrunk(values: Tensor, pixels: int) -> Tensor:
    """(B, pixels) of values (B, h, w): the nearest cell towards the top left."""
    height, width = sides_of(pixels, *values.shape[-2:])
    rows = torch.arange(height, device=values.device) * values.shape[-2] // height
    columns = torch.arange(width, device=values.device) * values.shape[-1] // width
    return values[:, rows[:, None], columns].flatten(1)


def tiles_of(layout: Layout, pixels: int) -> Tiles:
    """Sort the pixels of a block into tiles."""
    batch, tokens = layout.valid.shape
    table, counts = _tokens_by_atom(layout)  # (B, R, J), (B, R)
    atoms = shrunk(layout.atoms, pixels).long()
    covered = shrunk(layout.covered, pixels) & (counts.gather(1, atoms) > 0)
    bare = (~covered)[..., None]
    rows = torch.arange(batch, device=atoms.device)[:, None]
    groups = (atoms + rows * counts.shape[1]).flatten()  # (B L) row and atom as one number
    cells = covered.flatten().nonzero()[:, 0]
    order = groups[cells].argsort(stable=True)
    cells, group = cells[order], groups[cells][order]
    present, index, sizes = group.unique_consecutive(return_inverse=True, return_counts=True)
    side = _tile(pixels, len(present) // max(batch, 1))
    needed = -(-sizes // side)
    first = needed.cumsum(0) - needed  # (present,) first tile of each group
    place = torch.arange(len(cells), device=cells.device) - (sizes.cumsum(0) - sizes)[index]
    slots = first[index] * side + place
    queries = torch.zeros(int(needed.sum()) * side, dtype=torch.long, device=cells.device)
    queries[slots] = torch.arange(len(cells), device=cells.device)
    owner = present.repeat_interleave(needed)  # (t,) row and atom of each tile
    keys = table.flatten(0, 1)[owner]
    is_real = torch.arange(keys.shape[1], device=keys.device) < counts.flatten()[owner][:, None]
    keys = torch.where(is_real, keys + (owner // counts.shape[1] * tokens)[:, None], 0)
    bias = layout.bias.flatten()[keys].float().masked_fill(~is_real, -torch.inf)
    return Tiles(cells, slots, queries.view(-1, side), keys, bias, bare)


def _tile(pixels: int, groups: int) -> int:
    """Queries per tile: about half of what an average group has, as a power of two."""
    wanted = max(pixels // max(2 * groups, 1), 1)
    return min(_LARGEST, max(_SMALLEST, 1 << (wanted.bit_length() - 1)))


def _tokens_by_atom(layout: Layout) -> tuple[Tensor, Tensor]:
    """The tokens (B, R, J) of each atom, padded with 0, and how many they are (B, R)."""
    valid, batch = layout.valid, layout.valid.shape[0]
    atom = torch.where(valid, layout.atom.long(), 0)
    atoms = int(max(layout.atoms.max(), atom.max() if atom.numel() else 0)) + 1
    counts = torch.zeros(batch, atoms, dtype=torch.long, device=atom.device)
    counts.scatter_add_(1, atom, valid.long())
    longest = max(int(counts.max()), 1)
    table = torch.zeros(batch, atoms * longest, dtype=torch.long, device=atom.device)
    order = torch.where(valid, atom, atoms).argsort(dim=1, stable=True)  # real tokens by atom
    ranked = atom.gather(1, order)
    start = counts.cumsum(1) - counts
    place = torch.arange(atom.shape[1], device=atom.device) - start.gather(1, ranked)
    real = valid.gather(1, order)
    rows = torch.arange(batch, device=atom.device)[:, None].expand_as(order)
    table[rows[real], (ranked * longest + place)[real]] = order[real]
    return table.view(batch, atoms, longest), counts
