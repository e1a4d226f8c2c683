"""What the app tells the user without asking: one sentence and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["info", "ok", "warn", "danger", "busy"]
"""How it is shown; "busy" stays until what it tells of is over."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A line on the canvas.

    Args:
        text: one sentence.
        buttons: (label, action id) each; an id may carry an argument after a colon.
        key: a newer notice with the same key replaces this one; empty keys never do.
        details: technical text behind "Details"; empty if there is none.
    """

    text: str
    level: Level = "info"
    buttons: tuple[tuple[str, str], ...] = ()
    key: str = ""
    details: str = ""
