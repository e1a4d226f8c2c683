"""Byte code of what `dataclasses` writes, kept as Python keeps that of modules.

`dataclasses` writes the methods of each class as text and compiles it at every start, half a
thousand times: a fifth of the time until the window is painted. While `remembered` is on, what was
compiled before comes from a file in `__pycache__`. The text itself is the key, so whatever this
or another version of Python writes, it gets its own code or is compiled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import marshal
import os
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import CodeType
from typing import Any

_HOOK = "exec"


class WrittenCode:
    """Stands in for `exec` in the module `dataclasses`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _read(path)
        self._used: dict[str, CodeType] = {}
        self._is_new = False

    def begin(self) -> None:
        """From now on use what is known."""
        setattr(dataclasses, _HOOK, self._run)

    def end(self) -> None:
        """Give `exec` back, and write the file anew if something had to be compiled."""
        if getattr(dataclasses, _HOOK, None) == self._run:
            delattr(dataclasses, _HOOK)
        if self._is_new and not sys.dont_write_bytecode:
            _write(self._path, self._used)

    def _run(
        self, text: str, names: dict[str, Any], local_names: dict[str, Any] | None = None
    ) -> None:
        code = self._known.get(text)
        if code is None:
            code = compile(text, "<string>", "exec", dont_inherit=True)
            self._is_new = True
        self._used[text] = code
        exec(code, names, local_names)


def code_of_this_program() -> WrittenCode:
    """What is kept beside the byte code of this module."""
    return WrittenCode(Path(cache_from_source(str(Path(__file__).with_suffix(".kept.py")))))


def _read(path: Path) -> dict[str, CodeType]:
    try:
        data = path.read_bytes()
        if data.startswith(MAGIC_NUMBER):
            return marshal.loads(data[len(MAGIC_NUMBER) :])
    except (OSError, EOFError, ValueError, TypeError):
        pass
    return {}


def _write(path: Path, code: dict[str, CodeType]) -> None:
    """Replace the file in one step; a folder that cannot be written to is no reason to stop."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        beside.write_bytes(MAGIC_NUMBER + marshal.dumps(code))
        beside.replace(path)
