"""One thing in each turn of the event loop: what it changed is painted before the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer


class Turns(QObject):
    """What is added is done in its order, the first of it in the next turn.

    Several regions that are repainted at once hold the window up for as long as all take together.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: deque[Callable[[], object]] = deque()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._take_one)

    def add(self, call: Callable[[], object]) -> None:
        """Do `call` in a turn of its own."""
        self._waiting.append(call)
        self._timer.start(0)

    def drop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._timer.stop()

    def _take_one(self) -> None:
        call = self._waiting.popleft()
        if not self._waiting:
            self._timer.stop()
        call()
