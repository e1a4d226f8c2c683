"""What regional attention costs beside the replicated-keys formulation: `python -m … .bench_…`.

One regional attention of Stable Diffusion 1.5's first level (320 wide, 8 heads, texts of width
768) at 64 x 64 latents. The published code repeats the pixels once per region, lets each copy read
the 77 tokens of its region, and keeps each cell from one copy. Ours sorts the cells into tiles.
Both get the same weights, regions and texts and take turns in one process; a ratio is the median
of those within each turn. On the CPU it is processor time that counts. "first" is a call for a new
layout, "step" a later one, whose keys and values are kept.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from torch import Tensor, UntypedStorage
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode

from collage_studio.document.geometry import Size
from collage_studio.engine.memory import choose_device
from collage_studio.engine.rich_context.adapter import RegionalCrossAttention
from collage_studio.engine.rich_context.config import AdapterConfig
from collage_studio.engine.rich_context.grounding import Grounded
from collage_studio.evaluate.bench_regions import timed

SIDE = 64
WIDTH, HEADS, TEXT_WIDTH, ROWS = 320, 8, 768, 77
REGIONS = (10, 30, 60)
WORDS = (8, 40)
"""Tokens of a region's texts, at least and at most; the background reads all 77 rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One attention with so many regions.

    Args:
        x: (1, L, D). masks: (R, L). text: (R, 77, C). bias: (R, 77), -1000 = not read.
        fresh: the same as packed tokens, nothing kept yet.
    """

    fuser: RegionalCrossAttention
    x: Tensor
    masks: Tensor
    text: Tensor
    bias: Tensor
    fresh: Callable[[], Grounded]


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds of one call, the ratios of the median turn, and the largest difference."""

    regions: int
    replicated: float
    first: float
    step: float
    first_ratio: float
    step_ratio: float
    difference: float


def case_of(regions: int, device: torch.device) -> Case:
    """Random weights and texts; regions as nearest points share out the picture."""
    with torch.random.fork_rng():
        torch.manual_seed(regions)
        fuser = RegionalCrossAttention(WIDTH, HEADS, AdapterConfig(TEXT_WIDTH, {}))
        for weight in fuser.attn.to_out.parameters():
            torch.nn.init.normal_(weight, std=0.05)
        x = torch.randn(1, SIDE * SIDE, WIDTH)
        text = torch.randn(regions, ROWS, TEXT_WIDTH)
        counts = [ROWS, *torch.randint(*WORDS, (regions - 1,)).tolist()]
    bias = torch.full((regions, ROWS), -1000.0)
    for region, count in enumerate(counts):
        bias[region, :count] = -0.5 if region % 2 else 0.0
    atoms = nearest_points(regions, Size(SIDE, SIDE))
    packed = torch.cat([text[region, :count] for region, count in enumerate(counts)])[None]
    owner = torch.cat([torch.full((n,), region) for region, n in enumerate(counts)])[None]
    told = torch.cat([bias[region, :count] for region, count in enumerate(counts)])[None]
    grid = torch.from_numpy(atoms)[None].to(device)
    rows, biases, own = packed.to(device), told.to(device), owner.to(device)

    def fresh() -> Grounded:
        return Grounded(
            rows, biases, own >= 0, own, grid, torch.ones_like(grid, dtype=torch.bool), keeps=True
        )

    masks = torch.stack([grid.flatten() == region for region in range(regions)])
    moved = fuser.to(device).requires_grad_(False)
    return Case(moved, x.to(device), masks, text.to(device), bias.to(device), fresh)


def nearest_points(count: int, grid: Size) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """(h, w) numbers of `count` cells of a Voronoi diagram; each has some cells of the grid."""
    rng = np.random.default_rng(count)
    places = rng.choice(grid.width * grid.height, count, replace=False)
    y, x = np.divmod(places, grid.width)
    rows, columns = np.mgrid[: grid.height, : grid.width]
    away = (rows[..., None] - y) ** 2 + (columns[..., None] - x) ** 2
    return away.argmin(-1)


def replicated(case: Case) -> Tensor:
    """The published formulation: R copies of the pixels, R x 77 keys, masked sums."""
    attn, heads = case.fuser.attn, case.fuser.heads
    copies = case.x.repeat(len(case.text), 1, 1)
    query, key, value = (
        values.unflatten(-1, (heads, -1)).transpose(1, 2)
        for values in (attn.to_q(copies), attn.to_k(case.text), attn.to_v(case.text))
    )
    bias = case.bias[:, None, None].expand(-1, heads, query.shape[2], -1)
    out = scaled_dot_product_attention(query, key, value, attn_mask=bias)
    out = attn.to_out[0](out.transpose(1, 2).flatten(2))
    kept = case.masks[..., None].to(out.dtype)
    bare = 1 - kept.sum(0)
    return case.x + (out * kept).sum(0) + bare * case.fuser.null_text_feat


@torch.inference_mode()
def measure(regions: int, device: torch.device, *, repeats: int) -> Figures:
    """Both formulations in turn."""
    case = case_of(regions, device)
    layout = case.fresh()
    ours = case.fuser(case.x, layout)
    difference = float((ours - replicated(case)).abs().max())
    turns = [
        (
            timed(lambda: replicated(case), device),
            timed(lambda: case.fuser(case.x, case.fresh()), device),
            timed(lambda: case.fuser(case.x, layout), device),
        )
        for _ in range(repeats)
    ]
    return Figures(
        regions,
        median(turn[0] for turn in turns),
        median(turn[1] for turn in turns),
        median(turn[2] for turn in turns),
        median(turn[0] / turn[1] for turn in turns),
        median(turn[0] / turn[2] for turn in turns),
        difference,
    )


class _Peak(TorchDispatchMode):
    """Watches the tensors that are alive after each operation; `most` is in bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._alive = WeakSet[UntypedStorage]()
        self.most = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        out = func(*args, **(kwargs or {}))
        for value in out if isinstance(out, tuple | list) else (out,):
            if isinstance(value, Tensor):
                self._alive.add(value.untyped_storage())
        sizes = {storage.data_ptr(): storage.nbytes() for storage in self._alive}
        self.most = max(self.most, sum(sizes.values()))
        return out


@torch.no_grad()
def peak_mb(work: Callable[[], object]) -> float:
    """MB (10^6 bytes) of the tensors that `work` makes and holds at a time, at most."""
    with _Peak() as peak:
        work()
    return peak.most / 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(prog="bench_rich_context", description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--regions", type=int, nargs="+", default=list(REGIONS))
    given = parser.parse_args(arguments)
    device = choose_device(given.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    names = ("regions", "replicated ms", "first ms", "step ms", "first x", "step x", "max diff")
    head = "".join(f"{name:>15}" for name in (*names, "replicated MB", "ours MB"))
    sys.stdout.write(head + "\n")
    for count in given.regions:
        one = measure(count, device, repeats=given.repeats)
        case = case_of(count, device)
        theirs = peak_mb(lambda case=case: replicated(case))
        ours = peak_mb(lambda case=case: case.fuser(case.x, case.fresh()))
        times = "".join(f"{1e3 * t:15.1f}" for t in (one.replicated, one.first, one.step))
        ratios = f"{one.first_ratio:15.1f}{one.step_ratio:15.1f}{one.difference:15.1e}"
        sys.stdout.write(f"{count:15}{times}{ratios}{theirs:15.0f}{ours:15.0f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
