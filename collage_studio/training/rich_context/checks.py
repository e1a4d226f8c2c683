"""Whether layouts are used at all: the error on unseen examples, and with their layouts spoiled.

If the adapter reads places and texts, the right layout has the smallest error. With little noise
a wrong place costs more than none; with much of it, or a weak model, less. Noise and levels are the
same in all four.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from collage_studio.training.rich_context.denoiser import Batches, Denoiser, loss_of
from collage_studio.training.rich_context.examples import (
    Example,
    generator_of,
    shifted,
    with_texts_of_others,
)

RIGHT, SHIFTED, EXCHANGED, NONE = "right", "shifted", "exchanged", "none"
_AT_ONCE = 8


@torch.no_grad()
def counterfactuals(
    denoiser: Denoiser, batches: Batches, examples: Sequence[Example]
) -> dict[str, float]:
    """The mean error with the right layouts, shifted ones, others' texts, and without any."""
    spoiled = {
        RIGHT: list(examples),
        SHIFTED: [shifted(example) for example in examples],
        EXCHANGED: with_texts_of_others(list(examples)),
        NONE: list(examples),
    }
    return {
        name: _error(denoiser, batches, chosen, layouts=name != NONE)
        for name, chosen in spoiled.items()
    }


def _error(
    denoiser: Denoiser, batches: Batches, examples: Sequence[Example], *, layouts: bool
) -> float:
    errors = list[float]()
    for first in range(0, len(examples), _AT_ONCE):
        part = examples[first : first + _AT_ONCE]
        generators = [_generator(first + at) for at in range(len(part))]
        batch = batches.made(part, generators, layouts=layouts)
        errors += loss_of(denoiser(batch), batch).tolist()
    return float(np.mean(errors))


def _generator(number: int) -> np.random.Generator:
    return generator_of(0, f"check {number}", 0)
