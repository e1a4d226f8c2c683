"""Several predictions merged into one: rows of network calls, each with its share of the answer.

Every merging method is a list of branches (a part of the window, a text, a weight). Guidance and
merging are both linear, so the merged output is one weighted sum over rows:
    out(p) = sum_b W_b(p) [negative_b + g (positive_b - negative_b)](p),  sum_b W_b(p) = 1,
a positive row counts g W_b, a negative row (1 - g) W_b, and rows that ask the network the same
thing are asked once: a shared unconditional row is what is left of many equal ones.

Outputs are merged, never latents after a step. For samplers without fresh noise both are the same
(arXiv 2302.08113 in its least-squares form); with fresh noise only this keeps its variance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from collage_studio.document.geometry import Rect, Size
from collage_studio.engine.extras.lora import RowLoras, adapter_rows
from collage_studio.engine.families.base import (
    Attachment,
    Conditioning,
    Family,
    Frame,
    ReadText,
)
from collage_studio.engine.guidance import true_scale
from collage_studio.engine.memory import free_bytes, release
from collage_studio.engine.schedule import Schedule

Seen = Callable[[Tensor, int], Tensor]
"""(x (B, C, h, w) in a row's window, step) -> what the network sees instead."""

_BYTES_PER_ROW_PIXEL = 1000
_CPU_CANVASES = 4
_SPARE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row of a network call.

    Args:
        window: cells of the run's window; what lies beyond its right or lower edge wraps around.
        share: (h, w) of the window, or (1, 1): what the answer counts, guidance included.
        frame: where the network is told that the window lies.
        seen: None = the latent as it is.
        focus: what steers the row's attention; None = nothing does.
        loras: whose LoRAs the row has; None = no layer has any.
    """

    text: ReadText
    window: Rect
    share: Tensor
    frame: Frame
    seen: Seen | None = None
    focus: Any = None
    loras: RowLoras | None = None

    @property
    def question(self) -> tuple[object, ...]:
        """Rows with the same one get the same answer."""
        return (
            id(self.text), self.window, self.frame, id(self.seen), id(self.focus), self.loras,
        )  # fmt: skip

    @property
    def shape(self) -> tuple[object, ...]:
        """Rows of one shape may share a call."""
        return (
            self.window.height,
            self.window.width,
            self.text.rows.shape[1],
            type(self.focus),
            self.loras.masked if self.loras else None,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One guided prediction.

    Args:
        weight: (h, w) W of the window's cells; all branches' together are 1 wherever it matters.
        avoid: words to avoid.
    """

    text: ReadText
    avoid: ReadText
    window: Rect
    weight: Tensor
    frame: Frame
    seen: Seen | None = None
    focus: Any = None
    loras: RowLoras | None = None


Attending = Callable[[Sequence[Row], int], AbstractContextManager[None]]
"""(the rows of one call, step) -> a block in which their focus steers the network."""


def _unsteered(rows: Sequence[Row], index: int) -> AbstractContextManager[None]:
    del rows, index
    return nullcontext()


def rows_of(branches: Sequence[Branch], family: Family, scale: float) -> list[Row]:
    """The rows that guide `branches` by `scale`: equal ones joined, none without a share."""
    rows = list[Row]()
    for branch in branches:
        gain = max(1.0, true_scale(family, scale, branch.avoid))
        rows.append(
            Row(
                branch.text,
                branch.window,
                gain * branch.weight,
                branch.frame,
                branch.seen,
                branch.focus,
                branch.loras,
            )
        )
        if gain > 1.0:
            rows.append(_negative(branch, 1.0 - gain))
    return joined(rows)


def _negative(branch: Branch, gain: float) -> Row:
    share = gain * branch.weight
    return Row(branch.avoid, branch.window, share, branch.frame, branch.seen, loras=branch.loras)


def joined(rows: Sequence[Row]) -> list[Row]:
    """Rows that ask the same with their shares added; rows that count nowhere are left out."""
    found: dict[tuple[object, ...], Row] = {}
    for row in rows:
        before = found.get(row.question)
        share = row.share if before is None else before.share + row.share
        found[row.question] = replace(row, share=share)
    return [row for row in found.values() if bool(row.share.any())]


def cost(rows: Sequence[Row], grid: Size) -> float:
    """Predictions times area: 1 is one row over all of `grid`."""
    return sum(row.window.width * row.window.height for row in rows) / (grid.width * grid.height)


@dataclass(frozen=True, slots=True)
class Merger:
    """Asks the network for rows and merges what it answers.

    Args:
        guidance: for networks that take the scale as an input.
        attending: switches the rows' attention edits on for one call.
        at_once: cells of all rows of one call at most; 0 = as memory allows.
    """

    family: Family
    schedule: Schedule
    guidance: float
    attachments: tuple[Attachment, ...] = ()
    attending: Attending = _unsteered
    at_once: int = 0

    def merged(self, x: Tensor, index: int, rows: Sequence[Row]) -> Tensor:
        """The network's merged raw output for x (B, C, h, w), same shape."""
        out = torch.zeros_like(x)
        for chunk in self._chunks(rows, len(x)):
            for row, answer in zip(chunk, self._answers(x, index, chunk), strict=True):
                add(out, row.window, row.share * answer)
        return out

    def _chunks(self, rows: Sequence[Row], seeds: int) -> Iterator[list[Row]]:
        limit = self.at_once or cells_at_once(self.family)
        groups: dict[tuple[object, ...], list[Row]] = {}
        for row in rows:
            frame = row.frame if self.family.takes_one_frame else None
            groups.setdefault((*row.shape, frame), []).append(row)
        for group in groups.values():
            cells = group[0].window.width * group[0].window.height * seeds
            # Two rows are what plain guidance takes.
            count = max(1 if self.at_once else 2, limit // cells)
            for start in range(0, len(group), count):
                yield group[start : start + count]

    def _answers(self, x: Tensor, index: int, rows: Sequence[Row]) -> list[Tensor]:
        """One (B, C, h, w) for each row; in halves where memory is short."""
        try:
            return self._called(x, index, rows)
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise
        release(self.family.device)
        middle = len(rows) // 2
        return [
            *self._answers(x, index, rows[:middle]),
            *self._answers(x, index, rows[middle:]),
        ]

    def _called(self, x: Tensor, index: int, rows: Sequence[Row]) -> list[Tensor]:
        seeds = len(x)
        parts = list[Tensor]()
        for row in rows:
            part = taken(x, row.window)
            parts.append(part if row.seen is None else row.seen(part, index))
        told = Conditioning(
            [row.text for row in rows for _ in range(seeds)],
            [row.frame for row in rows for _ in range(seeds)],
            self.guidance,
            self.attachments,
        )
        with self.attending(rows, index), _own_loras(self.attachments, rows, seeds):
            out = self.family.forward(torch.cat(parts), self.schedule, index, told)
        return list(out.split(seeds))


def _own_loras(
    attachments: Sequence[Attachment], rows: Sequence[Row], seeds: int
) -> AbstractContextManager[None]:
    """A block in which each row of a call has its own LoRAs; what goes by masks is alike in all."""
    told = [row.loras for row in rows if row.loras is not None]
    if not told:
        return nullcontext()
    own = [loras.own for loras in told for _ in range(seeds)]
    return adapter_rows(attachments, own, told[0].masked)


def cells_at_once(family: Family) -> int:
    """How many latent cells of rows one call may have."""
    canvas = (family.native_px // family.factor) ** 2
    free = free_bytes(family.device)
    if free is None:
        return _CPU_CANVASES * canvas
    return max(canvas, int(_SPARE * free / (_BYTES_PER_ROW_PIXEL * family.factor**2)))


def taken(x: Tensor, window: Rect) -> Tensor:
    """The window of x (B, C, h, w), wrapped around where it reaches over."""
    height, width = x.shape[-2:]
    if window.bottom <= height and window.right <= width:
        return x[..., window.top : window.bottom, window.left : window.right]
    rows = torch.arange(window.top, window.bottom, device=x.device) % height
    columns = torch.arange(window.left, window.right, device=x.device) % width
    return x[..., rows[:, None], columns]


def add(out: Tensor, window: Rect, values: Tensor) -> None:
    """Add values (B, C, h, w) into the window of `out`, wrapped around where it reaches over."""
    height, width = out.shape[-2:]
    for rows, from_rows in _pieces(window.top, window.bottom, height):
        for columns, from_columns in _pieces(window.left, window.right, width):
            out[..., rows, columns] += values[..., from_rows, from_columns]


def _pieces(start: int, end: int, limit: int) -> list[tuple[slice, slice]]:
    """[start, end) on a ring of `limit` cells: (where it lies, which part of the window)."""
    if end <= limit:
        return [(slice(start, end), slice(0, end - start))]
    head = limit - start
    return [(slice(start, limit), slice(0, head)), (slice(0, end - limit), slice(head, None))]
