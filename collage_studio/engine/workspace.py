"""The grid a run works on: canvas pixels, working pixels, latent cells, a crop's window."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from collage_studio.document.geometry import Rect, Size

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Workspace:
    """How the canvas is seen by the model.

    Args:
        canvas: size of the document.
        work: canvas scaled to working size, never larger than the canvas.
        grid: latent cells of the working size padded to whole cells.
        window: part of `grid` the run computes.
        factor: working pixels per latent cell.
    """

    canvas: Size
    work: Size
    grid: Size
    window: Rect
    factor: int

    @classmethod
    def of(cls, canvas: Size, short_side: int, factor: int) -> Workspace:
        """The whole canvas, its short side reduced to `short_side` px where it is longer."""
        scale = min(1.0, short_side / min(canvas.shape))
        work = Size(
            max(1, round(canvas.width * scale)),
            max(1, round(canvas.height * scale)),
        )
        grid = Size(-(-work.width // factor), -(-work.height // factor))
        return cls(canvas, work, grid, Rect.of_size(grid), factor)

    @property
    def is_scaled(self) -> bool:
        return self.work != self.canvas

    @property
    def pixels(self) -> Rect:
        """The window in padded working pixels."""
        f, w = self.factor, self.window
        return Rect(w.left * f, w.top * f, w.right * f, w.bottom * f)

    @property
    def canvas_box(self) -> Rect:
        """The window on the canvas."""
        x, y = self.canvas.width / self.work.width, self.canvas.height / self.work.height
        p = self.pixels
        box = Rect(round(p.left * x), round(p.top * y), round(p.right * x), round(p.bottom * y))
        return box.intersect(Rect.of_size(self.canvas))

    def around(self, cells: Rect, *, margin_px: int, least_px: int, alignment: int) -> Workspace:
        """The same grid with a window around `cells`.

        It has at least `margin_px` or half of the cells' size around them, is at least
        `least_px` wide and high, and begins and ends at multiples of `alignment` cells.
        """
        least = -(-least_px // self.factor)

        def span(start: int, end: int, limit: int) -> tuple[int, int]:
            margin = max(-(-margin_px // self.factor), -(-(end - start) // 2))
            start, end = start - margin, end + margin
            spare = max(0, least - (end - start))
            start, end = start - spare // 2, end + spare - spare // 2
            # At the border of the canvas the window moves inwards instead of shrinking.
            start, end = (0, end - start) if start < 0 else (start, end)
            start, end = (start - (end - limit), limit) if end > limit else (start, end)
            start = max(0, start) // alignment * alignment
            return start, min(limit, -(-end // alignment) * alignment)

        left, right = span(cells.left, cells.right, self.grid.width)
        top, bottom = span(cells.top, cells.bottom, self.grid.height)
        return replace(self, window=Rect(left, top, right, bottom))

    def shrink(self, values: Floats) -> Floats:
        """Canvas (H, W[, C]) to padded working pixels; unchanged values where sizes agree."""
        if self.is_scaled:
            size = (self.work.width, self.work.height)
            values = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
        return self.pad(values)

    def pad(self, values: Floats) -> Floats:
        """Working (h, w[, C]) to padded working pixels, the border repeated."""
        bottom = self.grid.height * self.factor - values.shape[0]
        right = self.grid.width * self.factor - values.shape[1]
        if not bottom and not right:
            return values
        padding = ((0, bottom), (0, right), *(((0, 0),) * (values.ndim - 2)))
        return np.pad(values, padding, mode="edge")

    def enlarge(self, values: Floats) -> Floats:
        """Padded working pixels (h, w, C) to canvas (H, W, C)."""
        values = values[: self.work.height, : self.work.width]
        if not self.is_scaled:
            return values
        size = (self.canvas.width, self.canvas.height)
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_CUBIC), np.float32)

    def cells(self, values: Floats) -> Tensor:
        """Padded working pixels (h, w) to latent cells of the whole grid, by area average."""
        rows, columns = self.grid.shape
        blocks = values.reshape(rows, self.factor, columns, self.factor)
        return torch.from_numpy(blocks.mean(axis=(1, 3), dtype=np.float64).astype(np.float32))
