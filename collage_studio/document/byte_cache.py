"""A cache of arrays that drops the least recently used ones beyond a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy.typing as npt


class ByteCache:
    """Arrays by key. May be asked from any thread."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._held = 0
        self._arrays: OrderedDict[Hashable, npt.NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._arrays)

    def get(
        self, key: Hashable, make: Callable[[], npt.NDArray[Any]], *, keep: bool = True
    ) -> npt.NDArray[Any]:
        """The array of this key, read-only; made now if it is not held, and held if `keep`."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        array = make()
        array.setflags(write=False)
        if not keep:
            return array
        with self._lock:
            if key not in self._arrays:
                self._arrays[key] = array
                self._held += array.nbytes
            self._shrink()
        return array

    def _shrink(self) -> None:
        while self._held > self._budget:
            _, dropped = self._arrays.popitem(last=False)
            self._held -= dropped.nbytes
