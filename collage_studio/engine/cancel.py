"""Cancelling inside a forward pass: hooks that look at the user's wish before each part runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, Protocol

IsCancelled = Callable[[], bool]


class Watched(Protocol):
    """A part of a network that tells before it runs; torch's modules do."""

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> Any: ...


class Stopped(Exception):
    """The user stopped the run; not an error."""


def check(is_cancelled: IsCancelled) -> None:
    """Raise `Stopped` if the user wants the run to end."""
    if is_cancelled():
        raise Stopped


@contextmanager
def stoppable(modules: Iterable[Watched], is_cancelled: IsCancelled) -> Generator[None]:
    """Check for a cancel before each of `modules` runs, inside the block only."""

    def look(*_: object) -> None:
        check(is_cancelled)

    look()
    handles = [module.register_forward_pre_hook(look) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
