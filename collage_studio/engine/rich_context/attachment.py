"""A region plan as an attachment: every call gets its layout, in the frames of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collage_studio.document.geometry import Rect
from collage_studio.document.region_plan import RegionPlan
from collage_studio.engine.families.base import Conditioning, ReadText
from collage_studio.engine.rich_context.encode import (
    LayoutTokens,
    Reader,
    batch,
    layout_tokens,
)


@dataclass(slots=True, eq=False)
class LayoutRows:
    """The layout of a run, for the rows of every call to a UNet with an adapter attached.

    Rows that read the words to avoid get none. A row that sees a part of the canvas gets the
    layout of that part. Tensors are made once per set of rows, as what the adapter keeps across
    steps hangs on them.

    Args:
        plan: on the latent cells of the whole canvas.
        read: the objects of one atom as one sequence, such as by `Family.read_joined`.
        negative: the words to avoid, to know the rows that read them.
        scale: of the prior that smaller objects say more.
        on: while False, calls get no layout at all and the adapter is not used.
    """

    plan: RegionPlan
    read: Reader
    negative: list[ReadText]
    scale: float = 1.0
    on: bool = True
    warnings: dict[str, None] = field(default_factory=dict[str, None], init=False)
    _cut: dict[Rect, LayoutTokens] = field(default_factory=dict[Rect, LayoutTokens], init=False)
    _made: dict[tuple[Rect | None, ...], LayoutTokens] = field(
        default_factory=dict[tuple[Rect | None, ...], LayoutTokens], init=False
    )

    def at(self, conditioning: Conditioning) -> PlacedLayoutRows:
        """The layout for the rows of one call."""
        avoids = avoiding(conditioning, self.negative)
        windows = [conditioning.frame(row).window for row in range(len(avoids))]
        return PlacedLayoutRows(
            self,
            tuple(None if avoid else window for avoid, window in zip(avoids, windows, strict=True)),
            windows[0],
        )

    def inputs(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing: what a call gets depends on its rows."""
        del given
        return {}

    def rows(self, windows: tuple[Rect | None, ...], like: Rect) -> LayoutTokens:
        """The layouts of rows that see these windows; None is a row without a layout.

        Args:
            like: has the size of all windows.
        """
        found = self._made.get(windows)
        if found is None:
            given = [None if window is None else self._of(window) for window in windows]
            # Where no row has a layout, one tells the sizes and is left out again.
            made = batch([*given, self._of(like)])
            found = self._made[windows] = _first(made, len(given))
        return found

    def _of(self, window: Rect) -> LayoutTokens:
        found = self._cut.get(window)
        if found is None:
            found = layout_tokens(self.plan.cut(window), self.read, scale=self.scale)
            self._cut[window] = found
            self.warnings |= dict.fromkeys(found.warnings)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class PlacedLayoutRows:
    """The layout for the rows of one call."""

    layout: LayoutRows
    windows: tuple[Rect | None, ...]
    like: Rect

    def at(self, conditioning: Conditioning) -> PlacedLayoutRows:
        """The layout for other rows."""
        return self.layout.at(conditioning)

    def inputs(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The tensors that go through the GLIGEN door, beside what is there."""
        if not self.layout.on:
            return {}
        told = self.layout.rows(self.windows, self.like).inputs
        return {
            "cross_attention_kwargs": {**given.get("cross_attention_kwargs", {}), "gligen": told}
        }


def avoiding(conditioning: Conditioning, negative: Sequence[ReadText]) -> list[bool]:
    """Which rows of a call read the words to avoid."""
    count = len(conditioning.texts)
    found = [any(text is known for known in negative) for text in conditioning.texts]
    if all(found):
        # Caption and words to avoid are the same text: the first half is led away from.
        half = count // 2 if conditioning.guidance > 1 else 0
        return [row < half for row in range(count)]
    return found


def _first(layouts: LayoutTokens, count: int) -> LayoutTokens:
    told = {name: values[:count] for name, values in layouts.inputs.items()}
    return LayoutTokens(**told, warnings=layouts.warnings)
