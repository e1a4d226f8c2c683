"""Shares an evaluation's seeds among processes; one process works right here.

Each process builds its own tools once (engine, judge) from a plain description and keeps them.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

Work = Callable[[int], object]
"""Does everything that is left to do for one seed."""
Build = Callable[..., Work]
"""Makes the work function from plain arguments, in the process that will use it."""

_work: list[Work] = []
"""What this worker process was built to do; empty in the process that shares the work out."""


def share_out(
    build: Build, arguments: tuple[Any, ...], seeds: Sequence[int], jobs: int
) -> Iterator[int]:
    """Yield each seed once its work is done.

    Args:
        build: a function of a module, called as `build(*arguments)` once in each process.
        jobs: processes; 1 = this one.
    """
    if jobs <= 1 or len(seeds) <= 1:
        work = build(*arguments)
        for seed in seeds:
            work(seed)
            yield seed
        return
    with ProcessPoolExecutor(
        min(jobs, len(seeds)),
        multiprocessing.get_context("spawn"),
        _begin,
        (build, arguments, max(1, (os.cpu_count() or 1) // jobs)),
    ) as pool:
        futures = {pool.submit(_do, seed): seed for seed in seeds}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin(build: Build, arguments: tuple[Any, ...], threads: int) -> None:
    _use_threads(threads)
    _work[:] = [build(*arguments)]


def _use_threads(count: int) -> None:
    """Torch reads the variable when it is imported; `build` may have brought it along already."""
    os.environ["OMP_NUM_THREADS"] = str(count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)


def _do(seed: int) -> None:
    _work[0](seed)
