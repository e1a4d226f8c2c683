"""Classifier-free guidance (arXiv 2207.12598), the same for every family."""

from __future__ import annotations

import torch
from torch import Tensor

from collage_studio.engine.families.base import (
    Conditioning,
    Family,
    Guide,
    Prediction,
    ReadText,
)
from collage_studio.engine.schedule import Schedule

AVOID_SCALE = 2.0
"""How strongly a network that takes the scale as an input is led away from words to avoid."""


def predict(family: Family, x: Tensor, schedule: Schedule, index: int, guide: Guide) -> Prediction:
    """Estimate what is clean in x (B, C, h, w) at level `schedule.before[index]`.

    out = negative + scale (positive - negative), in one call with the rows [negative, positive];
    scales up to 1 need no negative rows. Networks that take the scale as an input have guidance
    in them; only words to avoid make them read negative rows, with `AVOID_SCALE`.
    """
    count, scale = x.shape[0], true_scale(family, guide.scale, guide.negative)
    texts = [guide.positive] * count
    if scale > 1:
        texts = [guide.negative] * count + texts
    told = Conditioning(texts, (guide.frame,), guide.scale, guide.attachments)
    out = family.forward(torch.cat([x] * (len(texts) // count)), schedule, index, told)
    if len(texts) > count:
        negative, positive = out.chunk(2)
        out = negative + scale * (positive - negative)
    return family.interpret(out, x, schedule, index)


def true_scale(family: Family, scale: float, negative: ReadText) -> float:
    """The scale between the two texts; up to 1 the words to avoid are not read."""
    if not family.guidance_is_input:
        return scale
    return AVOID_SCALE if negative.has_words else 1.0
