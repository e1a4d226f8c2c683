"""The ladder's claims: paired figures with intervals, and whether each claim holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from collage_studio.evaluate import columns
from collage_studio.evaluate.columns import Column, appearance_gain, harmony_gain, placement_gain
from collage_studio.evaluate.configurations import (
    AUTO,
    CA,
    EDGES,
    GH,
    LN,
    ONE_BY_ONE,
    PASTE,
    RELEASED,
    TI,
    TI_LN,
    Table,
)
from collage_studio.evaluate.metrics import Interval

Columns = Mapping[str, Column]
"""The columns of one table by their heading, all over the same collages."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A claim about two configurations: the paired difference and whether the claim holds."""

    claim: str
    difference: Interval
    holds: bool


def comparisons(table: Table, found: Columns) -> list[Comparison]:
    """The claims of one table, on paired differences with their 95 % intervals."""
    by_table = {
        "main": _main,
        "strong": _strong,
        "looks": _looks,
        "looks-strong": _strong_looks,
    }
    return list(by_table[table.name](found))


def _raises(claim: str, gain: Interval) -> Comparison:
    return Comparison(claim, gain, gain.is_above_zero)


def _loses_no(claim: str, gain: Interval) -> Comparison:
    return Comparison(claim, gain, gain.high >= 0.0)


def _main(found: Columns) -> Iterator[Comparison]:
    paste, gh, ca, ln = (found[name] for name in (PASTE, GH, CA, LN))
    closed = columns.harmony("objects")(gh, paste)
    yield Comparison(
        "GH closes at least half of the distance between paste-only and truth on the objects",
        closed,
        closed.low >= 0.5,
    )
    single = found[ONE_BY_ONE]
    yield _raises(
        "GH harmonises the shadows more than painting one by one",
        harmony_gain(gh, single, paste, "shadows"),
    )
    yield _raises(
        "GH harmonises the objects more than painting one by one",
        harmony_gain(gh, single, paste, "objects"),
    )
    yield _raises("CA raises placement over GH", placement_gain(ca, gh))
    yield _raises(
        "LN raises appearance of the kept layers over CA",
        appearance_gain(ln, ca, columns.kept),
    )
    yield _loses_no(
        "LN loses no harmony on the other objects", harmony_gain(ln, ca, paste, "others")
    )
    yield _loses_no("LN loses no harmony in the shadows", harmony_gain(ln, ca, paste, "shadows"))
    if EDGES in found:
        yield _raises("Control raises appearance over LN", appearance_gain(found[EDGES], ln))
    auto, released = found[AUTO], found[RELEASED]
    yield _raises(
        "The suggested values keep more appearance than the released rule",
        appearance_gain(auto, released),
    )
    yield _loses_no(
        "The suggested values lose no harmony on the objects against the released rule",
        harmony_gain(auto, released, paste, "objects"),
    )


def _strong(found: Columns) -> Iterator[Comparison]:
    yield _raises(
        "CA raises placement over GH at strong noise", placement_gain(found[CA], found[GH])
    )


def _looks(found: Columns) -> Iterator[Comparison]:
    paste, ca, ti, ln = (found[name] for name in (PASTE, CA, TI, TI_LN))
    yield _raises(
        "TI raises appearance of the unusual looks over CA, at equal noise",
        appearance_gain(ti, ca, columns.unusual),
    )
    yield _loses_no("TI loses no harmony on the objects", harmony_gain(ti, ca, paste, "objects"))
    yield _raises(
        "LN raises appearance of the kept layers over TI", appearance_gain(ln, ti, columns.kept)
    )


def _strong_looks(found: Columns) -> Iterator[Comparison]:
    yield _raises(
        "TI raises appearance of the unusual looks over CA, at equal strong noise",
        appearance_gain(found[TI], found[CA], columns.unusual),
    )
