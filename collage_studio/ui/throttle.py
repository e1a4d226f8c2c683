"""Let a call through at once, then at most every so often; the newest argument wins."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from PySide6.QtCore import QObject, Qt, QTimer

Value = TypeVar("Value")


class Throttle(QObject, Generic[Value]):
    """Passes values on to `call` no more often than every `interval_ms`."""

    def __init__(self, call: Callable[[Value], None], interval_ms: int, parent: QObject) -> None:
        super().__init__(parent)
        self._call, self._interval = call, interval_ms
        self._last = 0.0
        self._waiting: list[Value] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._flush)

    def push(self, value: Value) -> None:
        """Offer a value: the first at once, later ones when their time has come."""
        self._waiting = [value]
        left = self._interval - (time.monotonic() - self._last) * 1000
        if left <= 0:
            self._flush()
        elif not self._timer.isActive():
            self._timer.start(max(1, round(left)))

    def drop(self) -> None:
        """Forget what waits."""
        self._waiting = []
        self._timer.stop()

    def _flush(self) -> None:
        if self._waiting:
            value = self._waiting.pop()
            self._last = time.monotonic()
            self._call(value)
