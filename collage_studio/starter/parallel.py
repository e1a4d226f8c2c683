"""Gradients of a batch computed in shares, one Python thread each.

One operator thread per share beats operators that split themselves when the cores are also used
by others: shares wait for each other once per step instead of at every operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor, nn

Item = TypeVar("Item")


class Workers:
    """A few threads that compute gradients and updates side by side."""

    def __init__(self, count: int) -> None:
        self.count = max(1, count)
        self._threads = ThreadPoolExecutor(self.count, thread_name_prefix="starter-train")

    def close(self) -> None:
        self._threads.shutdown()

    def for_each(self, work: Callable[[Item], None], items: Iterable[Item]) -> None:
        """Do the work for every item and wait for all."""
        for _ in self._threads.map(work, items):
            pass

    def backward(
        self, losses: Sequence[Callable[[], Tensor]], weights: Sequence[nn.Parameter]
    ) -> float:
        """Leave the mean gradient of the losses in `weights`, and return the mean loss."""

        def share(loss_of: Callable[[], Tensor]) -> tuple[float, tuple[Tensor | None, ...]]:
            loss = loss_of() / len(losses)
            return loss.item(), torch.autograd.grad(loss, weights, allow_unused=True)

        outcomes = list(self._threads.map(share, losses))
        for weight, *parts in zip(weights, *(grads for _, grads in outcomes), strict=True):
            known = [part for part in parts if part is not None]
            weight.grad = sum(known[1:], known[0]) if known else None
        return sum(value for value, _ in outcomes)
