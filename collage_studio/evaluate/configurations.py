"""The ways to run a collage that the ladder compares, as frozen values. Imports no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

from collage_studio.document.suggesting import Rule, as_released, by_role

RULES: dict[str, Rule] = {"as_released": as_released, "by_role": by_role}


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to make a picture of a collage.

    Args:
        name: as the tables head it.
        noise: [0, 1], of every layer.
        kept_noise: [0, 1], of half of the objects; None = the same as the others.
        attention: cross-attention control is on.
        learned: the unusual object has a learned look.
        edges: per-layer edge control is on.
        rule: noise and weights are those of this rule for suggestions: one of `RULES`; "" = none.
        one_by_one: objects are painted in one after the other, masked, by re-rolls.
        unusual: the collages in which one object has a look that words cannot tell.
    """

    name: str
    noise: float = 0.0
    kept_noise: float | None = None
    attention: bool = False
    learned: bool = False
    edges: bool = False
    rule: str = ""
    one_by_one: bool = False
    unusual: bool = False

    @property
    def runs(self) -> bool:
        """Whether an engine is needed at all."""
        return self.noise > 0 or bool(self.rule)

    @property
    def key(self) -> str:
        """What tells it from every other one, fit for a file name: "gh-ca-ln-0.6"."""
        stem = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        noise = f"-{self.noise:g}" if self.noise > 0 else ""
        return f"{'look-' if self.unusual else ''}{stem}{noise}"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns that stand side by side: the first is pasting alone, the last the truth.

    `name` begins with the part of a climb that it belongs to.
    """

    name: str
    title: str
    columns: tuple[Configuration, ...]

    @property
    def part(self) -> str:
        """The part of a climb that it belongs to."""
        return self.name.partition("-")[0]

    @property
    def pasted(self) -> Configuration:
        return self.columns[0]

    def named(self, name: str) -> Configuration | None:
        """The column with this heading, if the table has it."""
        return next((column for column in self.columns if column.name == name), None)


PASTE, TRUTH = "paste-only", "truth"
ONE_BY_ONE, GH, CA, LN = "one by one", "GH", "GH+CA", "GH+CA+LN"
TI, TI_LN = "GH+CA+TI", "GH+CA+TI+LN"
EDGES, AUTO, RELEASED = "GH+CA+LN+control", "suggested", "released rule"


def main_table(noise: float, kept_noise: float, *, edges: bool) -> Table:
    """Baselines and the rungs without learned looks, on ordinary collages."""
    columns = [
        Configuration(PASTE),
        Configuration(ONE_BY_ONE, noise, one_by_one=True),
        Configuration(GH, noise),
        Configuration(CA, noise, attention=True),
        Configuration(LN, noise, kept_noise, attention=True),
        Configuration(RELEASED, attention=True, rule="as_released"),
        Configuration(AUTO, attention=True, rule="by_role"),
        Configuration(TRUTH),
    ]
    if edges:
        columns.insert(5, Configuration(EDGES, noise, kept_noise, attention=True, edges=True))
    return Table("main", "The ladder", tuple(columns))


def strong_table(noise: float) -> Table:
    """The same collages at a noise that leaves little of them: words have to place the objects."""
    return Table(
        "strong",
        "Strong noise",
        (
            Configuration(PASTE),
            Configuration(GH, noise),
            Configuration(CA, noise, attention=True),
            Configuration(TRUTH),
        ),
    )


def look_table(noise: float, kept_noise: float) -> Table:
    """The whole stack on collages with one object whose look words cannot tell."""
    return Table(
        "looks",
        "A look that words cannot tell",
        (
            Configuration(PASTE, unusual=True),
            Configuration(GH, noise, unusual=True),
            Configuration(CA, noise, attention=True, unusual=True),
            Configuration(TI, noise, attention=True, learned=True, unusual=True),
            Configuration(TI_LN, noise, kept_noise, attention=True, learned=True, unusual=True),
            Configuration(TRUTH, unusual=True),
        ),
    )


def strong_look_table(noise: float) -> Table:
    """The same collages at a noise that leaves little of the look: only words can bring it back."""
    return Table(
        "looks-strong",
        "A look that words cannot tell, strong noise",
        (
            Configuration(PASTE, unusual=True),
            Configuration(CA, noise, attention=True, unusual=True),
            Configuration(TI, noise, attention=True, learned=True, unusual=True),
            Configuration(TRUTH, unusual=True),
        ),
    )


@dataclass(frozen=True, slots=True)
class Curve:
    """One configuration from little to much noise."""

    name: str
    points: tuple[Configuration, ...]


def curves(strengths: tuple[float, ...], kept_share: float) -> tuple[Curve, ...]:
    """GH and GH+CA with one strength for all layers, GH+CA+LN with its own for kept ones.

    Args:
        kept_share: noise of the kept layers, as a part of the others'.
    """
    return (
        Curve(GH, tuple(Configuration(GH, noise) for noise in strengths)),
        Curve(CA, tuple(Configuration(CA, noise, attention=True) for noise in strengths)),
        Curve(
            LN,
            tuple(
                Configuration(LN, noise, round(noise * kept_share, 4), attention=True)
                for noise in strengths
            ),
        ),
    )
