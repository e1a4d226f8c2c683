"""What the runner asks of a method: each module of this package answers to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from collage_studio.engine.cancel import IsCancelled
from collage_studio.engine.denoise import Step
from collage_studio.engine.families.base import Family
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.plan import RunPlan


class Setup(Protocol):
    """A plan made ready by a method; opaque but for the number of steps it will take."""

    @property
    def steps(self) -> int: ...


class Method(Protocol):
    """One published method."""

    def texts(self, plan: RunPlan) -> tuple[str, ...]:
        """What it wants read beside the caption and the words to avoid."""
        ...

    def warnings(self, plan: RunPlan) -> tuple[str, ...]:
        """Sentences for the person, before the run begins."""
        ...

    def prepare(self, family: Family, plan: RunPlan, materials: Materials) -> Setup:
        """Work out what all seeds share; raise `BadRequest` for what cannot be run."""
        ...

    def sample(
        self,
        family: Family,
        plan: RunPlan,
        setup: Any,
        seeds: Sequence[int],
        is_cancelled: IsCancelled,
    ) -> Iterator[Step]:
        """Denoise the plan's window once per seed, all seeds in one batch."""
        ...
