"""Arrays in shared memory: numbered segments of one process, unlinked by the app's side alone.

Both processes share one resource tracker (the worker is spawned), so a segment that either of
them made is also removed if both die.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
import numpy.typing as npt

_LINUX_FOLDER = "/dev/shm"
_ROOM_FACTOR = 2


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """Where an array lies: what crosses the pipe in its place."""

    name: str
    number: int
    dtype: str
    shape: tuple[int, ...]


class Outbox:
    """Segments this process has made and the other one may not have copied yet."""

    def __init__(self, prefix: str, *, unlinks: bool) -> None:
        """Args: unlinks: whether `release` removes the segment, or leaves that to the receiver."""
        self._prefix = prefix
        self._unlinks = unlinks
        self._held: dict[str, SharedMemory] = {}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._held)

    def put(self, array: npt.NDArray[Any]) -> SegmentRef:
        """Copy `array` into a segment of its own.

        Raises:
            MemoryError: shared memory is too full for it.
        """
        if array.nbytes * _ROOM_FACTOR > free_bytes():
            raise MemoryError(f"No room for {array.nbytes} bytes in shared memory.")
        number = next(self._numbers)
        memory = SharedMemory(segment_name(self._prefix, number), create=True, size=array.nbytes)
        target = np.ndarray(array.shape, array.dtype, buffer=memory.buf)
        target[...] = array
        del target
        self._held[memory.name] = memory
        return SegmentRef(memory.name, number, array.dtype.str, array.shape)

    def release(self, names: Iterable[str]) -> None:
        """The other side has copied these."""
        for name in names:
            memory = self._held.pop(name, None)
            if memory is not None:
                memory.close()
                if self._unlinks:
                    _unlink(memory)

    def clear(self) -> None:
        """Release everything: the other side is gone."""
        self.release(tuple(self._held))


def free_bytes() -> int:
    """How much may still be put into shared memory.

    On Linux it is a file system whose files can be made without room: the process is killed
    when it writes to one. Containers often have 64 MB.
    """
    try:
        return shutil.disk_usage(_LINUX_FOLDER).free
    except OSError:
        return sys.maxsize


def segment_name(prefix: str, number: int) -> str:
    """Name of a process's segment; short, because macOS allows 30 characters."""
    return f"{prefix}{number:x}"


def take(ref: SegmentRef, *, unlink: bool) -> npt.NDArray[Any]:
    """A read-only copy of the array in a segment of the other process."""
    memory = SharedMemory(ref.name)
    try:
        view = np.ndarray(ref.shape, np.dtype(ref.dtype), buffer=memory.buf)
        array = view.copy()
        del view
    finally:
        memory.close()
        if unlink:
            _unlink(memory)
    array.setflags(write=False)
    return array


def remove_from(prefix: str, number: int) -> int:
    """Remove the segments of a dead process from `number` on; returns how many there were."""
    removed = 0
    while True:
        try:
            memory = SharedMemory(segment_name(prefix, number + removed))
        except FileNotFoundError:
            return removed
        memory.close()
        _unlink(memory)
        removed += 1


def _unlink(memory: SharedMemory) -> None:
    with suppress(FileNotFoundError):
        memory.unlink()
