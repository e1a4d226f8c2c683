"""Where slow work is done: at once, or beside the main thread when the window gives a way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Runner = Callable[[Callable[[], Any], Callable[[Any], None]], None]
"""Takes work, which may only read frozen values, and what to call with its outcome.

The outcome arrives on the caller's thread; work is done in the order it was given.
"""


def run_now(work: Callable[[], Any], done: Callable[[Any], None]) -> None:
    """The runner of tests and the command line: everything has happened when this returns."""
    done(work())
