"""Work that waits for the first paint: done in small pieces while the event loop turns."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QWidget

SLICE_SECONDS = 0.008
"""A slice begins no further piece after this; input and painting come before the next one."""


def polish_pieces(whole: QWidget) -> tuple[Callable[[], object], ...]:
    """Let the style sheet look at each widget in `whole`, so that showing it takes no longer."""
    return tuple(widget.ensurePolished for widget in (whole, *whole.findChildren(QWidget)))


class Later(QObject):
    """Pieces of work in the order they were added; `finished` is sent once all are done."""

    finished = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pieces: deque[Callable[[], object]] = deque()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(1)
        self._timer.timeout.connect(self._work)
        self._has_begun = False

    def add(self, *pieces: Callable[[], object]) -> None:
        """Put pieces at the end; they are done after `begin`."""
        self._pieces.extend(pieces)
        if self._has_begun and not self._timer.isActive():
            self._timer.start()

    def begin(self) -> None:
        """Start working; called after the first paint."""
        self._has_begun = True
        self._timer.start()

    def close(self) -> None:
        """Drop what waits; nothing more is done."""
        self._pieces.clear()
        self._timer.stop()

    def _work(self) -> None:
        until = time.perf_counter() + SLICE_SECONDS
        try:
            while self._pieces and time.perf_counter() < until:
                self._pieces.popleft()()
        finally:  # a piece that fails is reported as any slot that does; the others still come
            if self._pieces:
                self._timer.start()
        if not self._pieces:
            self.finished.emit()
