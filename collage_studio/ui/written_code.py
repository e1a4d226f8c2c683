"""Byte code of what is written as text while the program starts, kept as Python keeps modules.

`dataclasses` writes the methods of each class as text and compiles it at every start, half a
thousand times; PySide brings a dozen modules of its own along as text in a zip archive. Both took
a quarter of the time until the window is painted. What was compiled before comes from a file in
`__pycache__`. The text itself is the key, so whatever this or another version of Python or PySide
writes, it gets its own code or is compiled.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import marshal
import os
import sys
from collections.abc import Generator
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import CodeType
from typing import Any

_HOOK = "exec"
_COMPILE = "compile"


class WrittenCode:
    """Stands in for `exec` in the module `dataclasses`, and for `compile` where it is asked to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _read(path)
        self._used: dict[str | bytes, CodeType] = {}
        self._is_new = False

    def begin(self) -> None:
        """From now on use what is known for the methods of data classes."""
        setattr(dataclasses, _HOOK, self._run)

    def end(self) -> None:
        """Give `exec` back, and write the file anew if something had to be compiled."""
        if getattr(dataclasses, _HOOK, None) == self._run:
            delattr(dataclasses, _HOOK)
        if self._is_new and not sys.dont_write_bytecode:
            _write(self._path, self._used)

    @contextlib.contextmanager
    def in_place_of_compile(self) -> Generator[None]:
        """Use what is known also for modules that an importer compiles itself."""
        plain = builtins.compile

        def compiled(text: Any, name: Any, mode: str, *rest: Any, **options: Any) -> Any:
            is_module = isinstance(text, str | bytes) and mode == "exec"
            if is_module and not rest and not options:
                return self._code(text, name)
            return plain(text, name, mode, *rest, **options)

        setattr(builtins, _COMPILE, compiled)
        try:
            yield
        finally:
            setattr(builtins, _COMPILE, plain)

    def _run(
        self, text: str, names: dict[str, Any], local_names: dict[str, Any] | None = None
    ) -> None:
        exec(self._code(text, "<string>"), names, local_names)

    def _code(self, text: str | bytes, name: str) -> CodeType:
        code = self._known.get(text)
        if code is None:
            code = _plain_compile(text, name, "exec", dont_inherit=True)
            self._is_new = True
        self._used[text] = code
        return code


def code_of_this_program() -> WrittenCode:
    """What is kept beside the byte code of this module."""
    return WrittenCode(Path(cache_from_source(str(Path(__file__).with_suffix(".kept.py")))))


_plain_compile = compile


def _read(path: Path) -> dict[str | bytes, CodeType]:
    try:
        data = path.read_bytes()
        if data.startswith(MAGIC_NUMBER):
            return marshal.loads(data[len(MAGIC_NUMBER) :])
    except (OSError, EOFError, ValueError, TypeError):
        pass
    return {}


def _write(path: Path, code: dict[str | bytes, CodeType]) -> None:
    """Replace the file in one step; a folder that cannot be written to is no reason to stop."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        beside.write_bytes(MAGIC_NUMBER + marshal.dumps(code))
        beside.replace(path)
