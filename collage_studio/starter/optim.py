"""Muon: momentum made orthogonal for weight matrices, AdamW for everything else."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from collage_studio.starter.parallel import Workers

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_RMS_OF_ADAM = 0.2
"""Typical size of an AdamW update; makes one learning rate fit both kinds of parameters."""


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum. Convolutions count as matrices (out, in * height * width)."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        *,
        workers: Workers,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        iterations: int = 5,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "iterations": iterations,
        }
        super().__init__(parameters, defaults)
        self._workers = workers

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closures here
        for group in self.param_groups:
            moving = [weight for weight in group["params"] if weight.grad is not None]
            moving.sort(key=Tensor.numel, reverse=True)
            self._workers.for_each(partial(self._update, group=group), moving)

    @torch.no_grad()  # holds for a thread, and each update may run in its own
    def _update(self, parameter: Tensor, group: dict[str, float]) -> None:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        average: Tensor = state["momentum"]
        gradient = cast("Tensor", parameter.grad)
        average.lerp_(gradient, 1 - group["momentum"])
        nesterov = gradient.lerp(average, group["momentum"])
        update = orthogonalise(nesterov.flatten(1), int(group["iterations"]))
        scale = _RMS_OF_ADAM * max(update.shape) ** 0.5
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(update.view_as(parameter), alpha=-group["lr"] * scale)


def orthogonalise(matrix: Tensor, iterations: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly, by a quintic Newton-Schulz iteration."""
    a, b, c = _NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def build_optimizers(
    matrices: list[nn.Parameter],
    others: list[nn.Parameter],
    *,
    lr: float,
    workers: Workers,
    weight_decay: float = 0.01,
    iterations: int = 5,
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices if there are any, AdamW for the others."""
    adam = torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.98), weight_decay=weight_decay)
    if not matrices:
        return [adam]
    muon = Muon(matrices, lr, workers=workers, weight_decay=weight_decay, iterations=iterations)
    return [muon, adam]


def set_learning_rate(optimizers: list[torch.optim.Optimizer], lr: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr
