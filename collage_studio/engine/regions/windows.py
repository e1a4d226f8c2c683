"""Boxes of latent cells: overlapping windows over a canvas, and crops around regions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from collage_studio.document.geometry import Rect, Size

_GAUSSIAN_VARIANCE = 0.01
"""Of a window of side 1, as in Mixture of Diffusers (arXiv 2302.02412)."""
_ALMOST_ALL = 0.9


def views(grid: Size, side: int, stride: int, *, wrap: bool = False) -> list[Rect]:
    """Windows of `side` cells every `stride` cells, row by row, that cover all of `grid`.

    A side of the grid that is no larger than the window has one. The last window is moved inwards
    where it would reach over the edge, so that no cell is left out. With `wrap` windows go round
    the right edge; the grid's width should then be a multiple of the stride.
    """
    width, height = min(side, grid.width), min(side, grid.height)
    return [
        Rect(left, top, left + width, top + height)
        for top in _starts(grid.height, height, stride)
        for left in (
            range(0, grid.width, stride)
            if wrap and grid.width > side
            else _starts(grid.width, width, stride)
        )
    ]


def _starts(length: int, side: int, stride: int) -> list[int]:
    starts = list(range(0, length - side + 1, stride))
    if starts[-1] != length - side:
        starts.append(length - side)
    return starts


def gaussian(height: int, width: int) -> Tensor:
    """(h, w) Gaussian weights of a window, largest in the middle, never 0."""

    def along(count: int) -> Tensor:
        place = (torch.arange(count) - (count - 1) / 2) / count
        return torch.exp(-(place**2) / (2 * _GAUSSIAN_VARIANCE)) + 1e-6

    return along(height)[:, None] * along(width)[None]


def surrounded(box: Rect, context: float, least: int, step: int, grid: Size) -> Rect:
    """`box` with surroundings, inside `grid`.

    Args:
        context: surroundings on each side as a part of the box's size.
        least: smallest side of the answer; sides are multiples of `step` cells or all of `grid`'s.

    Returns:
        All of `grid` where the answer would be almost that.
    """
    left, right = _span(box.left, box.right, context, least, step, grid.width)
    top, bottom = _span(box.top, box.bottom, context, least, step, grid.height)
    crop = Rect(left, top, right, bottom)
    if crop.width * crop.height > _ALMOST_ALL * grid.width * grid.height:
        return Rect.of_size(grid)
    return crop


def _span(
    start: int, end: int, context: float, least: int, step: int, limit: int
) -> tuple[int, int]:
    # Networks that see two by two cells as one need an even begin.
    start -= start % 2
    length = max(least, math.ceil((end - start) * (1 + 2 * context)))
    length = min(-(-length // step) * step, limit)
    first, least_first = (start + end - length) // 2, end - length
    first = max(first - first % 2, least_first + least_first % 2)
    first = max(0, min(first, limit - length))
    return first, first + length


def box_of(mask: Tensor) -> Rect | None:
    """The smallest box around what is above 0 in mask (h, w); None if nothing is."""
    rows, columns = torch.nonzero(mask.amax(1) > 0), torch.nonzero(mask.amax(0) > 0)
    if not len(rows):
        return None
    return Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
