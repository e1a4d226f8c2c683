"""Imports Qt without what PySide prepares at each start for help texts that nobody may ask for."""

from __future__ import annotations

import builtins
import re
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from collage_studio.ui.written_code import WrittenCode

_COMPILE = "compile"
_LONG = 1000
"""Characters. PySide has three patterns of six thousand each, which take 10 ms each to compile."""


def import_qt(written: WrittenCode) -> None:
    """Import QtCore, then let Python import all further modules as it would alone.

    PySide compiles its own modules from their text, and patterns for reading signatures. It also
    replaces `__import__` by one that reads the source of each module imported after it, to find
    out whether it uses `__feature__`. No module here does.
    """
    with written.in_place_of_compile(), _long_patterns_wait():
        import_module("PySide6.QtCore")
    plain = getattr(builtins, "__orig_import__", None)
    if plain is not None:
        builtins.__import__ = plain


class PatternLater:
    """Has the methods of a regular expression that is compiled when the first of them is called."""

    def __init__(self, *given: Any) -> None:
        self._given = given

    def __getattr__(self, name: str) -> Any:
        def call(*rest: Any, **options: Any) -> Any:
            return getattr(re.compile(*self._given), name)(*rest, **options)

        return call


@contextmanager
def _long_patterns_wait() -> Generator[None]:
    plain = re.compile

    def compiled(pattern: Any, flags: Any = 0) -> Any:
        is_long = isinstance(pattern, str) and len(pattern) > _LONG
        return PatternLater(pattern, flags) if is_long else plain(pattern, flags)

    setattr(re, _COMPILE, compiled)
    try:
        yield
    finally:
        setattr(re, _COMPILE, plain)
