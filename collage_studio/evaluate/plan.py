"""What a climb of the ladder runs: collages, noise, settings and tables. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from collage_studio.document.recipe import RunSettings
from collage_studio.evaluate.configurations import (
    Configuration,
    Curve,
    Table,
    curves,
    look_table,
    main_table,
    strong_look_table,
    strong_table,
)
from collage_studio.starter.world import HELD_OUT_FROM

SETTINGS = RunSettings(steps=20, detail=0.0)
"""No source detail is put back, so that the model alone is measured."""

PARTS = ("main", "strong", "looks", "sweep")
"""What a climb consists of; any of them may be left out."""

VALIDATION_FROM = 1_500_000
"""Collages on which settings may be chosen; no reported figure comes from them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Args:
        count: collages, with the held-out seeds from `first_seed` on.
        noise: [0, 1], of every layer on the rungs without layer noise.
        kept_noise: [0, 1], with layer noise, of half of each collage's objects.
        strong_noise: [0, 1], of every layer in the table where words matter.
        words_in: w+ >= 0 of every layer.
        words_out: w- >= 0 of every layer.
        strengths: the noises of the sweep.
        sweep_count: how many of the collages, the first ones, take part in it.
        parts: some of `PARTS`.
        control: a ControlNet that belongs to the model; "" = no rung with control.
        edge: [0, 1], how firmly it holds each layer on that rung.
    """

    count: int = 128
    noise: float = 0.6
    kept_noise: float = 0.3
    strong_noise: float = 0.8
    words_in: float = 0.4
    words_out: float = 0.8
    settings: RunSettings = SETTINGS
    first_seed: int = HELD_OUT_FROM
    strengths: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    sweep_count: int = 48
    parts: tuple[str, ...] = PARTS
    control: str = ""
    edge: float = 0.5

    def __post_init__(self) -> None:
        if self.first_seed < HELD_OUT_FROM:
            raise ValueError(
                f"The ladder needs held-out seeds from {HELD_OUT_FROM:,} on, got {self.first_seed}."
            )
        unknown = sorted(set(self.parts) - set(PARTS))
        if unknown:
            raise ValueError(
                f"The ladder has no part {', '.join(unknown)}; use some of {', '.join(PARTS)}."
            )

    @property
    def seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.count)

    @property
    def sweep_seeds(self) -> range:
        return self.seeds[: self.sweep_count]

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables of the chosen parts."""
        every = (
            main_table(self.noise, self.kept_noise, edges=bool(self.control)),
            strong_table(self.strong_noise),
            look_table(self.noise, self.kept_noise),
            strong_look_table(self.strong_noise),
        )
        return tuple(table for table in every if table.part in self.parts)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """The curves of the sweep; none if it is left out."""
        share = self.kept_noise / self.noise if self.noise else 0.0
        return curves(self.strengths, share) if "sweep" in self.parts else ()

    def wanted(self, seed: int) -> Iterator[Configuration]:
        """Everything to run and measure on one collage, each configuration once."""
        known = set[str]()
        columns = [column for table in self.tables for column in table.columns]
        if seed in self.sweep_seeds:
            columns += [point for curve in self.curves for point in curve.points]
            columns += [Configuration("paste-only")] if self.curves else []
        for column in columns:
            if column.key not in known:
                known.add(column.key)
                yield column
