"""Ctrl+C in long commands: an end after the current step, with everything written."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def interrupts() -> Generator[Callable[[], bool]]:
    """Inside the block Ctrl+C asks for an end; the function says whether it was pressed."""
    seen = list[int]()
    before = signal.signal(signal.SIGINT, lambda number, _frame: seen.append(number))
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)
