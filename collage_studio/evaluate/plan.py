"""What a climb of the ladder runs: collages, noise and settings. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from collage_studio.document.model import RunSettings
from collage_studio.starter.world import HELD_OUT_FROM

SETTINGS = RunSettings(steps=20, detail=0.0)
"""No source detail is put back, so that the model alone is measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Args:
        count: collages, with the held-out seeds from `first_seed` on.
        noise: [0, 1], of every layer on the rungs GH and GH+CA.
        kept_noise: [0, 1], on GH+CA+LN, of half of each collage's objects.
        words_in: w+ >= 0 of every layer.
        words_out: w- >= 0 of every layer.
    """

    count: int = 64
    noise: float = 0.6
    kept_noise: float = 0.3
    words_in: float = 0.4
    words_out: float = 0.8
    settings: RunSettings = SETTINGS
    first_seed: int = HELD_OUT_FROM

    def __post_init__(self) -> None:
        if self.first_seed < HELD_OUT_FROM:
            raise ValueError(
                f"The ladder needs held-out seeds from {HELD_OUT_FROM:,} on, got {self.first_seed}."
            )

    @property
    def seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.count)
