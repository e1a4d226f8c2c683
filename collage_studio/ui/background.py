"""Work beside the main thread on immutable values: slow pictures, figures and files."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, QRunnable, QThreadPool, Signal, Slot

_NICENESS = 5
"""Between the window's thread and the engine's process."""


class Background(QObject):
    """One thread of its own; what it returns arrives on the thread this object lives in.

    Work is done in the order it was submitted.
    """

    _arrived = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool()
        self._pool.setMaxThreadCount(1)
        self._pending = 0
        self._closed = False
        self._arrived.connect(self._on_arrived)

    @property
    def is_busy(self) -> bool:
        """Something was submitted and has not arrived."""
        return self._pending > 0

    def submit(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Run `work`, which may only read frozen values, then `then` with what it returns."""
        if self._closed:
            return
        self._pending += 1
        self._pool.start(_Work(work, lambda outcome: self._arrived.emit(then, outcome)))

    def finish(self) -> None:
        """Wait until everything submitted is done, and hand over what it returned."""
        self._pool.waitForDone()
        QCoreApplication.sendPostedEvents(self)

    def close(self) -> None:
        """Drop what waits, wait for what runs; nothing arrives any more. May be called twice."""
        if self._closed:
            return
        self._closed, self._pending = True, 0
        self._pool.clear()
        self._pool.waitForDone()
        self._arrived.disconnect(self._on_arrived)

    @Slot(object, object)
    def _on_arrived(self, then: Callable[[Any], None], outcome: Any) -> None:
        self._pending -= 1
        then(outcome)


class _Work(QRunnable):
    def __init__(self, work: Callable[[], Any], tell: Callable[[Any], None]) -> None:
        super().__init__()
        self._work = work
        self._tell = tell

    def run(self) -> None:
        _give_way()
        self._tell(self._work())


def _give_way() -> None:
    """Let the window's thread go first where both want a core. Linux alone can, per thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        if os.getpriority(os.PRIO_PROCESS, thread) < _NICENESS:
            os.setpriority(os.PRIO_PROCESS, thread, _NICENESS)
