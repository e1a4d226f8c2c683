"""Pickles of plain values, read without running anything they ask for.

A pickle is a program. Its operations are looked through first, then it runs with an unpickler
that knows containers, texts, numbers and arrays of numbers; arrays are put together here from
their bytes, never by the functions that the pickle names.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from collage_studio.formats.errors import FormatError
from collage_studio.formats.layouts.sources import read_bytes

_MAX_VALUES = 200_000
_MAX_BYTES = 64_000_000
_NUMBERS = re.compile(r"^[<>|=]?[biuf][1248]$")
_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_BUFFER_MODULES = ("numpy.core.numeric", "numpy._core.numeric")
_MEMO_OPERATIONS = ("PUT", "BINPUT", "LONG_BINPUT")
_NEVER = ("PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ_EX", "NEXT_BUFFER")


class _Refused(Exception):
    """The pickle asks for something that is no plain value; `str(error)` names it."""


class _NumberKind:
    """Stands for numpy.dtype."""

    def __init__(self, code: object = "", *_more: object) -> None:
        if not isinstance(code, str) or not _NUMBERS.match(code):
            raise _Refused("arrays of something else than numbers")
        self.code = code.lstrip("<>|=")
        self.order = "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise _Refused("a damaged array")
        self.order = ">" if state[1] == ">" else "<"

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class _Numbers:
    """Stands for an array until its bytes are known."""

    def __init__(self, *_asked: object) -> None:
        self.values: np.ndarray[Any, Any] = np.zeros(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if len(state) != 5:
            raise _Refused("a damaged array")
        _, shape, kind, is_fortran, raw = state
        self.values = _array(raw, kind, shape, "F" if is_fortran else "C")


def _array(raw: object, kind: object, shape: object, order: object) -> np.ndarray[Any, Any]:
    if isinstance(raw, str):
        raw = raw.encode("latin1")
    if not isinstance(raw, bytes | bytearray) or not isinstance(kind, _NumberKind):
        raise _Refused("a damaged array")
    if not isinstance(shape, tuple) or not all(
        isinstance(side, int) and 0 <= side <= _MAX_BYTES for side in cast(tuple[Any, ...], shape)
    ):
        raise _Refused("a damaged array")
    sides = cast(tuple[int, ...], shape)
    if len(sides) > 8 or math.prod(sides) * kind.dtype.itemsize != len(raw):
        raise _Refused("a damaged array")
    flat = np.frombuffer(bytes(raw), kind.dtype)
    return flat.reshape(sides, order="F" if order == "F" else "C")


def _from_buffer(raw: object, kind: object, shape: object, order: object) -> _Numbers:
    numbers = _Numbers()
    numbers.values = _array(raw, kind, shape, order)
    return numbers


def _single_number(kind: object, raw: object) -> int | float | bool:
    return _array(raw, kind, (1,), "C").tolist()[0]


def _set(items: object) -> set[Any]:
    return set(cast(list[Any], items))


def _latin1(text: object, codec: object) -> bytes:
    if not isinstance(text, str) or codec != "latin1":
        raise _Refused("_codecs.encode")
    return text.encode("latin1")


class _Maker:
    """A function that a pickle may call and cannot change."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: object) -> Any:
        return self._make(*arguments)

    def __setstate__(self, _state: object) -> None:
        raise _Refused("a changed function")


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Numbers,
    ("numpy", "dtype"): _NumberKind,
    **{(module, "set"): _Maker(_set) for module in ("builtins", "__builtin__")},
    ("_codecs", "encode"): _Maker(_latin1),
    **{(module, "_reconstruct"): _Numbers for module in _ARRAY_MODULES},
    **{(module, "scalar"): _Maker(_single_number) for module in _ARRAY_MODULES},
    **{(module, "_frombuffer"): _Maker(_from_buffer) for module in _BUFFER_MODULES},
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        found = _KNOWN.get((module_name, global_name))
        if found is None:
            raise _Refused(f"{module_name}.{global_name}")
        return found


def read_plain_pickle(path: Path) -> Any:
    """The plain value in a pickle: dict, list, tuple, set, str, bytes, numbers, None and arrays.

    Raises:
        FormatError: it asks for anything else, or is incomplete; nothing of it has run.
    """
    data = read_bytes(path, _MAX_BYTES)
    try:
        _look_through(data)
        return _Copy().of(_PlainUnpickler(io.BytesIO(data)).load())
    except _Refused as error:
        raise FormatError(
            f"{path.name} is a pickle that asks for {error}, which a layout does not need. "
            "Nothing was run or imported; do not trust this file."
        ) from error
    except Exception as error:  # damaged pickles raise whatever the operation they break raises
        raise FormatError(
            f"{path.name} is no complete pickle. Nothing was imported; get a new copy of it."
        ) from error


def _look_through(data: bytes) -> None:
    """Refuse names and memory that no plain value needs, before anything runs."""
    for operation, argument, _ in pickletools.genops(data):
        if operation.name in _NEVER:
            raise _Refused("an object of its own")
        if operation.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            if (module, name) not in _KNOWN:
                raise _Refused(f"{module}.{name}")
        if operation.name in _MEMO_OPERATIONS and int(argument or 0) > len(data):
            raise ValueError("The pickle numbers more values than it can hold.")


class _Copy:
    """Copies plain values and counts them: shared lists could unfold without end."""

    def __init__(self) -> None:
        self._count = 0

    def of(self, value: Any) -> Any:
        self._count += 1
        if self._count > _MAX_VALUES:
            raise ValueError("The pickle holds too many values.")
        if isinstance(value, _Numbers):
            return value.values
        if isinstance(value, dict):
            items = cast(dict[Any, Any], value).items()
            return {self.of(key): self.of(inner) for key, inner in items}
        if isinstance(value, list | tuple | set | frozenset):
            inner = [self.of(item) for item in cast(list[Any], value)]
            return inner if isinstance(value, list) else type(cast(Any, value))(inner)
        if value is None or isinstance(value, str | bytes | bytearray | bool | int | float):
            return value
        raise _Refused("an object of its own")
