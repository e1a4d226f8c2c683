"""Regional attention without training: each pixel reads the texts of the regions it lies in.

Text 0 is the caption, texts 1 to P are those of a region plan's objects, all laid end to end. For
a pixel in objects I the logits of text i get log((1 - c) p_i), those of the caption log c, with
p_i = softmax over I of s (A_min / A_i - 1), the smaller object first; all other texts get -inf.
Were all texts the same, the pixel would read exactly what it reads without. A pixel in no object
reads the caption alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from collage_studio.document.region_plan import RegionPlan
from collage_studio.engine.attention.edits import Site
from collage_studio.engine.regions.segments import Levels, hard

CAPTION = 0


@dataclass(frozen=True, slots=True, eq=False)
class RegionTexts:
    """Which texts the pixels of a window read, at every resolution of a network.

    Args:
        levels: (P, h, w) the cells of each object.
        areas: (P,) cells of each whole object.
        caption: c in [0, 1]. prior: s >= 0.
    """

    levels: Levels
    areas: Tensor
    caption: float
    prior: float
    _found: dict[tuple[int, int], Tensor] = field(default_factory=dict[tuple[int, int], Tensor])

    @classmethod
    def of_plan(
        cls, plan: RegionPlan, device: torch.device, *, caption: float, prior: float = 1.0
    ) -> RegionTexts:
        """What a plan with at least one object says, cut to the window it is for."""
        members = np.zeros((len(plan.members), len(plan.objects)), np.bool_)
        for atom, inside in enumerate(plan.members):
            members[atom, list(inside)] = True
        masks = torch.from_numpy(members[plan.atoms]).permute(2, 0, 1).float().to(device)
        areas = masks.sum((1, 2)).clamp_min(1.0)
        return cls(Levels(masks), areas, caption, prior)

    def inside(self, height: int, width: int) -> Tensor:
        """(P, n) bool: the objects that each pixel of a level lies in."""
        return hard(self.levels.at(height, width)).bool().flatten(1)

    def weights(self, height: int, width: int) -> Tensor:
        """(1 + P, n): what is added to the logits of each text, -inf for those not read."""
        key = (height, width)
        if key not in self._found:
            inside = self.inside(height, width)
            shares = (1.0 / self.areas)[:, None].expand_as(inside)
            least = shares.masked_fill(~inside, 0.0).amax(0)  # 1 / A_min of each pixel
            prior = self.prior * (shares / least.clamp_min(1e-9) - 1.0)
            own = prior.masked_fill(~inside, -math.inf)
            own = own - own.logsumexp(0).nan_to_num(neginf=0.0) + _log(1.0 - self.caption)
            caption = torch.where(inside.any(0), _log(self.caption), 0.0)
            self._found[key] = torch.cat([caption[None], own])
        return self._found[key]


@dataclass(frozen=True, slots=True, eq=False)
class RegionalReading:
    """The attention edit of one network call.

    Args:
        texts: how many texts lie end to end in each row: the caption, and as many as there are
            objects; 1 = the caption alone.
        rows: how many rows at the end of the batch have a layout; those before read text 0 alone.
        tied: the caption's columns that pixels of one object alone may read, by object.
    """

    regions: RegionTexts
    texts: int
    rows: int
    tied: Mapping[int, Sequence[int]] = field(default_factory=dict[int, Sequence[int]])
    _biases: dict[tuple[int, ...], Tensor] = field(default_factory=dict[tuple[int, ...], Tensor])

    def text_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        """(B, 1, n, (1 + P) T): the weights of the texts, -inf for words of other objects."""
        batch, columns = query.shape[0], key.shape[2]
        place = (batch, site.height, site.width, columns)
        if place not in self._biases:
            told = self._told(site, columns)
            plain = torch.full_like(told, -math.inf)
            plain[:, : columns // self.texts] = 0.0
            rows = [plain] * (batch - self.rows) + [told] * self.rows
            self._biases[place] = torch.stack(rows)[:, None].to(query.dtype)
        return self._biases[place]

    def pixel_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        """Pixels see each other as always."""
        del site, query, key
        return None

    def words_bias(self, site: Site, columns: int) -> tuple[Tensor, Tensor]:
        """For words that ask: (1, 1, T, T) to words, (1, 1, T, n) to pixels.

        A text sees itself; the caption sees all pixels, the others those that read them.
        """
        owner = self._owner(columns)
        same = owner[:, None] == owner[None]
        inside = self.regions.inside(site.height, site.width)
        seen = torch.cat([torch.ones_like(inside[:1]), inside])[: self.texts]
        return _as_bias(same.to(seen.device)), _as_bias(seen[owner.to(seen.device)])

    def _told(self, site: Site, columns: int) -> Tensor:
        """(n, columns) for a row that has a layout."""
        if self.texts > 1:
            weights = self.regions.weights(site.height, site.width)
        else:
            weights = torch.zeros(1, site.pixels, device=self.regions.areas.device)
        bias = weights[self._owner(columns).to(weights.device)].T.contiguous()
        if self.tied:
            inside = self.regions.inside(site.height, site.width)
            for number, tokens in self.tied.items():
                outside = torch.where(inside[number], 0.0, -math.inf)
                bias[:, list(tokens)] += outside[:, None]
        return bias

    def _owner(self, columns: int) -> Tensor:
        """(columns,) the text each column belongs to."""
        return torch.arange(columns) // (columns // self.texts)


def _as_bias(reads: Tensor) -> Tensor:
    return torch.where(reads, 0.0, -math.inf)[None, None]


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
