"""The running average of the adapter's weights, which is what is used and given away."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """Each weight's exponential average; the first steps count more than later ones will."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module = module
        self._decay = decay
        self.steps = 0
        self.weights = {name: p.detach().float().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        keep = min(self._decay, (1 + self.steps) / (10 + self.steps))
        for name, weight in self._module.named_parameters():
            self.weights[name].lerp_(weight.detach().float(), 1 - keep)

    @contextmanager
    def used(self) -> Generator[None]:
        """Inside the block the module has the averaged weights."""
        own = {name: weight.detach().clone() for name, weight in self._module.named_parameters()}
        self._put(self.weights)
        try:
            yield
        finally:
            self._put(own)

    def state_dict(self) -> dict[str, Any]:
        """Everything an exact continuation needs."""
        return {"steps": self.steps, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.steps = int(state["steps"])
        for name, value in state["weights"].items():
            self.weights[name].copy_(value)

    @torch.no_grad()
    def _put(self, weights: dict[str, Tensor]) -> None:
        for name, weight in self._module.named_parameters():
            weight.copy_(weights[name])
