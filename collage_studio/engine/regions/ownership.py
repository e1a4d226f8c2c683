"""Which pixels and which tokens belong to which layer, at every resolution of the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from collage_studio.document.model import CaptionSpan

SMALL_OBJECT_PEAK = 0.5
"""At coarse resolutions the strongest cell of a layer keeps this part of its full-size maximum."""


@dataclass(frozen=True, slots=True)
class Region:
    """A layer as the attention sees it.

    Args:
        tokens: columns of the text that are its words.
        mask: (h, w) latent-size visible mask [0, 1], 1 = belongs to the layer.
        peak: maximum of the mask at full size, (0, 1].
        inside: w+. outside: w-.
    """

    layer_id: str
    tokens: tuple[int, ...]
    mask: Tensor
    peak: float
    inside: float
    outside: float


def layer_tokens(
    spans: Iterable[CaptionSpan], offsets: Sequence[tuple[int, int]]
) -> dict[str, tuple[int, ...]]:
    """The tokens of each layer: those whose characters overlap its spans of the caption.

    A token that two neighbours share belongs to the first of them.
    """
    found: dict[str, list[int]] = {}
    taken = set[int]()
    for span in spans:
        own = found.setdefault(span.layer_id, [])
        for index, (start, end) in enumerate(offsets):
            overlaps = start < min(end, span.end) and max(start, span.start) < min(end, span.end)
            if overlaps and index not in taken:
                taken.add(index)
                own.append(index)
    return {layer_id: tuple(sorted(tokens)) for layer_id, tokens in found.items()}


def halved(mask: Tensor) -> Tensor:
    """Area average (R, h, w) -> (R, ceil(h / 2), ceil(w / 2)), cell by cell as the network does."""
    return functional.avg_pool2d(
        mask[:, None], 2, stride=2, ceil_mode=True, count_include_pad=False
    )[:, 0]


def keep_small(masks: Tensor, peaks: Tensor) -> Tensor:
    """Scale up masks (R, h, w) whose strongest cell fell below its share of `peaks` (R,)."""
    strongest = masks.amax(dim=(1, 2)).clamp_min(1e-12)
    factor = (SMALL_OBJECT_PEAK * peaks / strongest).clamp_min(1.0)
    return (masks * factor[:, None, None]).clamp_max(1.0)


class RegionWeights:
    """w+ M - w- (1 - M) for each token of each region, at every resolution of the network."""

    def __init__(self, regions: Sequence[Region], device: torch.device | None = None) -> None:
        self._owner = torch.tensor(
            [i for i, region in enumerate(regions) for _ in region.tokens], device=device
        )
        self.tokens = torch.tensor(
            [token for region in regions for token in region.tokens], device=device
        )
        self._inside = torch.tensor([region.inside for region in regions], device=device)
        self._outside = torch.tensor([region.outside for region in regions], device=device)
        masks = torch.stack([region.mask for region in regions]).to(device)
        peaks = torch.tensor([region.peak for region in regions], device=device)
        self._levels = self._pyramid(masks, peaks)
        self._weights: dict[tuple[int, int], Tensor] = {}
        self._bias: dict[tuple[int, ...], Tensor] = {}

    @staticmethod
    def _pyramid(masks: Tensor, peaks: Tensor) -> Mapping[int, Tensor]:
        levels: dict[int, Tensor] = {}
        while True:
            levels.setdefault(masks[0].numel(), keep_small(masks, peaks))
            if masks[0].numel() == 1:
                return levels
            masks = halved(masks)

    def mask_at(self, pixels: int) -> Tensor:
        """(R, h', w') masks of the resolution with that many pixels."""
        if pixels not in self._levels:
            raise ValueError(
                f"An attention layer has {pixels} pixels; the window has levels of "
                f"{sorted(self._levels, reverse=True)}."
            )
        return self._levels[pixels]

    def at(self, pixels: int, columns: int) -> Tensor:
        """(pixels, columns) weights of the text's columns; 0 for tokens of no layer."""
        key = (pixels, columns)
        if key not in self._weights:
            masks = self.mask_at(pixels).flatten(1).T  # (n, R)
            weights = self._inside * masks - self._outside * (1.0 - masks)
            spread = torch.zeros(pixels, columns, device=weights.device)
            spread[:, self.tokens] = weights[:, self._owner]
            self._weights[key] = spread
        return self._weights[key]

    def bias_of(self, peaks: Tensor, pixels: int, batch: int) -> Tensor:
        """(batch, 1, pixels, T): peaks (rows, T) times weights, zeros in the rows before them.

        The same memory is used for every layer of that size, as one bias is read before the next
        is made.
        """
        key = (batch, pixels, *peaks.shape)
        if key not in self._bias:
            shape = (batch, 1, pixels, peaks.shape[1])
            self._bias[key] = torch.zeros(shape, device=peaks.device)
        weights = self.at(pixels, peaks.shape[1])
        torch.mul(peaks[:, None, None], weights, out=self._bias[key][-len(peaks) :])
        return self._bias[key]
