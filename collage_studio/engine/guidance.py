"""Classifier-free guidance (arXiv 2207.12598), the same for every family."""

from __future__ import annotations

import torch
from torch import Tensor

from collage_studio.engine.families.base import Conditioning, Family, Guide, Prediction
from collage_studio.engine.schedule import Schedule


def predict(family: Family, x: Tensor, schedule: Schedule, index: int, guide: Guide) -> Prediction:
    """Estimate what is clean in x (B, C, h, w) at level `schedule.before[index]`.

    out = negative + scale (positive - negative), in one call with the rows [negative, positive];
    scales up to 1 need no negative rows, and neither do networks that take the scale as an input.
    """
    count = x.shape[0]
    texts = [guide.positive] * count
    if is_doubled(family, guide.scale):
        texts = [guide.negative] * count + texts
    told = Conditioning(texts, (guide.frame,), guide.scale, guide.attachments)
    out = family.forward(torch.cat([x] * (len(texts) // count)), schedule, index, told)
    if len(texts) > count:
        negative, positive = out.chunk(2)
        out = negative + guide.scale * (positive - negative)
    return family.interpret(out, x, schedule, index)


def is_doubled(family: Family, scale: float) -> bool:
    """Whether guidance of this scale needs rows that read the words to avoid."""
    return scale > 1 and not family.guidance_is_input
