"""Masked reading: each pixel of a row reads one of several texts laid end to end.

NoiseCollage's masked cross-attention (arXiv 2403.03485, section 3.3): in the prediction of region
n a pixel p reads only the text a(p) in {own, caption, nothing}:
    out(p) = softmax(Q(p) K_a(p)^T / sqrt(d)) V_a(p).
The texts' keys are joined along the columns and all but a(p)'s are masked, which is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from collage_studio.document.geometry import Rect
from collage_studio.engine.attention.edits import Site
from collage_studio.engine.families.base import ReadText
from collage_studio.engine.noise import keyed_generator
from collage_studio.engine.regions.segments import Levels, hard, picked
from collage_studio.engine.regions.windows import box_of

OWN, CAPTION, NOTHING = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """Which text each pixel of a region's row reads.

    Args:
        name: of the region, the key of its draws.
        grid: (height, width) of the cells that draws are made for; a crop cuts its own out.
        window: the row's cells in that grid.
        own: masks (1, h, w) of the row's window at every resolution, 1 = reads its own text.
        outside: "drop", "ring" or "caption".
        drop_rate: share of the pixels outside that read nothing. ring: in parts of the box.
    """

    name: str
    grid: tuple[int, int]
    window: Rect
    own: Levels
    outside: str
    drop_rate: float = 0.75
    ring: float = 0.25

    def texts_at(self, height: int, width: int, seeds: Sequence[int], index: int) -> Tensor:
        """(seeds, height, width) int64: OWN, CAPTION or NOTHING for each pixel of that level."""
        own = hard(self.own.at(height, width))[0].bool()
        rest = self._rest(own, height, width, seeds, index)
        return torch.where(own, torch.full_like(rest, OWN), rest)

    def _rest(
        self, own: Tensor, height: int, width: int, seeds: Sequence[int], index: int
    ) -> Tensor:
        shape = (len(seeds), height, width)
        match self.outside:
            case "caption":
                return torch.full(shape, CAPTION, device=own.device)
            case "ring":
                around = torch.full((height, width), NOTHING, device=own.device)
                box = box_of(own.float())
                if box is not None:
                    right, down = int(self.ring * box.width), int(self.ring * box.height)
                    rows = slice(max(0, box.top - down), box.bottom + down)
                    columns = slice(max(0, box.left - right), box.right + right)
                    around[rows, columns] = CAPTION
                return around.expand(shape)
            case _:
                drawn = torch.cat([self._draw(seed, index) for seed in seeds])
                drawn = picked(drawn, height, width).to(own.device)
                return torch.where(drawn >= self.drop_rate, CAPTION, NOTHING)

    def _draw(self, seed: int, index: int) -> Tensor:
        """(1, h, w) uniform for the row's cells: the same whatever is cropped or batched."""
        generator = keyed_generator(seed, "drop", self.name, index)
        rows, columns = self.window.slices
        return torch.rand(1, *self.grid, generator=generator)[:, rows, columns]


def joined_text(own: ReadText, *others: ReadText) -> ReadText:
    """`own` with `others` behind it: rows (1, P T, d), everything else that of `own`."""
    rows = torch.cat([own.rows, *(other.rows for other in others)], dim=1)
    blank = ((0, 0),) * (rows.shape[1] - own.rows.shape[1])
    return ReadText(rows, own.offsets + blank, own.skipped, own.pooled)


class MaskedReading:
    """The attention edit of one network call whose rows all have a `Reader`."""

    def __init__(
        self, readers: Sequence[Reader], seeds: Sequence[int], index: int, texts: int
    ) -> None:
        """Args: texts: how many texts lie end to end in each row."""
        self._readers = readers
        self._seeds = seeds
        self._index = index
        self._texts = texts
        self._masks: dict[tuple[int, int, int], Tensor] = {}
        self._biases: dict[tuple[int, int, int], Tensor] = {}

    def text_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        """(B, 1, n, P T): 0 where the pixel reads the column's text, -inf elsewhere."""
        place = (site.height, site.width, key.shape[2])
        if place not in self._biases:
            self._biases[place] = _as_bias(self._reads(site, key.shape[2])).to(query.dtype)
        return self._biases[place]

    def pixel_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        """Pixels see each other as always."""
        del site, query, key
        return None

    def words_bias(self, site: Site, columns: int) -> tuple[Tensor, Tensor]:
        """For words that ask: (B, 1, P T, P T) to words, (B, 1, P T, n) to pixels.

        Where words and pixels attend together a text sees itself and the pixels that read it. A
        text that no pixel reads sees itself alone.
        """
        owner = self._owner(columns)
        same = owner[:, None] == owner[None]
        count = len(self._readers) * len(self._seeds)
        reads = self._reads(site, columns).transpose(1, 2)
        return (
            _as_bias(same.expand(count, -1, -1).to(reads.device)),
            _as_bias(reads),
        )

    def _reads(self, site: Site, columns: int) -> Tensor:
        """(B, n, P T) bool"""
        key = (site.height, site.width, columns)
        if key not in self._masks:
            texts = torch.cat(
                [
                    reader.texts_at(site.height, site.width, self._seeds, self._index)
                    for reader in self._readers
                ]
            ).flatten(1)
            self._masks[key] = texts[..., None] == self._owner(columns).to(texts.device)
        return self._masks[key]

    def _owner(self, columns: int) -> Tensor:
        """(P T,) the text each column belongs to."""
        return torch.arange(columns) // (columns // self._texts)


def _as_bias(reads: Tensor) -> Tensor:
    return torch.where(reads, 0.0, float("-inf"))[:, None]


def read_texts(
    texts: Mapping[str, ReadText], own: ReadText, caption: str, outside: str
) -> ReadText:
    """The texts that a region's row may read, end to end, in the order of OWN, CAPTION, NOTHING."""
    if outside == "caption":
        return joined_text(own, texts[caption])
    return joined_text(own, texts[caption], texts[""])
