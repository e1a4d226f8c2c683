"""How the adapter's weights move: AdamW as in the paper, or Muon for its matrices."""

from __future__ import annotations

import torch

from collage_studio.engine.rich_context.adapter import RichContextAdapter
from collage_studio.starter.optim import Muon
from collage_studio.starter.parallel import Workers
from collage_studio.training.rich_context.config import TrainConfig

_GATE_PACE = 30.0
"""A gate is one number that has to get from 0 to about 1, so it takes longer steps."""


def optimizers_of(adapter: RichContextAdapter, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """The optimizers; each group has a `pace`, the factor on the learning rate."""
    matrices = [p for p in adapter.parameters() if p.ndim > 1]
    vectors = [p for p in adapter.parameters() if p.ndim == 1]
    gates = [p for p in adapter.parameters() if p.ndim == 0]
    rate, decay = config.learning_rate, config.weight_decay
    plain = [
        {"params": weights, "weight_decay": 0.0, "pace": pace}
        for weights, pace in ((vectors, 1.0), (gates, _GATE_PACE))
        if weights
    ]
    if not config.muon:
        dense = {"params": matrices, "weight_decay": decay, "pace": 1.0}
        return [torch.optim.AdamW([dense, *plain], lr=rate)]
    muon = Muon(matrices, rate, workers=Workers(1), weight_decay=decay)
    muon.param_groups[0]["pace"] = 1.0
    return [muon, torch.optim.AdamW(plain, lr=rate)]
