"""The list of recently used files, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

LIMIT = 12


def with_recent(recent: Sequence[str], path: Path) -> tuple[str, ...]:
    """`path` in front, once, and at most LIMIT paths."""
    text = str(path.absolute())
    return (text, *(other for other in recent if other != text))[:LIMIT]


def still_there(recent: Sequence[str]) -> tuple[Path, ...]:
    """The files of the list that exist."""
    return tuple(path for path in map(Path, recent) if path.is_file())
