"""The thread that minds the engine's process and brings its events to the main thread."""

from __future__ import annotations

import time
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QThread, Signal

from collage_studio.engine.api import Event, Previewed, Request

if TYPE_CHECKING:
    from collage_studio.jobs.supervisor import Supervisor

TURN_SECONDS = 0.008
"""Nothing further is handed over after this: the window is painted before the next."""
PREVIEWS_WAITING = 4
"""Undelivered previews of one seed that are kept; a short stall of the window loses none."""


class EngineThread(QThread):
    """An `EnginePort`. Both signals are emitted on the thread this object was made in.

    Where more than `PREVIEWS_WAITING` previews of a seed wait, the oldest give way, so a quick
    engine cannot flood the event loop.
    """

    arrived = Signal(str, object)
    """(job id, Event)"""
    state_changed = Signal(str)
    """"starting", "ready", "restarting" or "stopped"."""

    _crossed = Signal()

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        engine: str = "",
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        """Args:
        engine: import string of its class, else ours.
        device, precision: as the engine takes them.
        """
        super().__init__(parent)
        self.state = ""
        self._lock = Lock()
        self._inbox: deque[tuple[str, Event | str]] = deque()
        self._is_posted = False
        self._engine, self._device, self._precision = engine, device, precision
        self._made: Supervisor | None = None
        self._crossed.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def worker_pid(self) -> int | None:
        return self._made.worker_pid if self._made else None

    @property
    def _supervisor(self) -> Supervisor:
        """Made when it is first needed, on the main thread: the window is painted without it."""
        if self._made is None:
            from collage_studio.jobs.supervisor import ENGINE, Supervisor

            self._made = Supervisor(
                self._post,
                self._post_state,
                engine=self._engine or ENGINE,
                device=self._device,
                precision=self._precision,
            )
        return self._made

    def start(self, priority: QThread.Priority = QThread.Priority.InheritPriority) -> None:
        """Start the thread and, in it, the engine's process."""
        self._made = self._supervisor
        super().start(priority)

    def run(self) -> None:
        """Body of the thread; call `start` instead."""
        assert self._made is not None, "start() makes the supervisor, on the main thread."
        self._made.run()

    def send(self, job_id: str, request: Request) -> None:
        """Queue a job with the engine; returns at once."""
        self._supervisor.send(job_id, request)

    def cancel(self, job_id: str) -> None:
        """Ask the engine to stop a job; returns at once."""
        self._supervisor.cancel(job_id)

    def restart(self) -> None:
        """Start a fresh engine process; returns at once."""
        self._supervisor.restart()

    def stop(self) -> None:
        """End process and thread, and wait for both; what had arrived is delivered."""
        if self._made is not None:
            self._made.stop()
        if self.isRunning():
            self.wait()
        while self._hand_over_next():
            pass

    def _post(self, job_id: str, event: Event) -> None:
        with self._lock:
            if isinstance(event, Previewed):
                self._drop_older_preview(job_id, event.seed)
            self._put(job_id, event)

    def _post_state(self, state: str) -> None:
        with self._lock:
            self._put("", str(state))

    def _put(self, job_id: str, item: Event | str) -> None:
        self._inbox.append((job_id, item))
        if not self._is_posted:
            self._is_posted = True
            self._crossed.emit()

    def _drop_older_preview(self, job_id: str, seed: int) -> None:
        """Where the main thread is far behind, the oldest preview of a seed gives way."""
        waiting = [
            index
            for index, (other_id, item) in enumerate(self._inbox)
            if other_id == job_id and isinstance(item, Previewed) and item.seed == seed
        ]
        if len(waiting) >= PREVIEWS_WAITING:
            del self._inbox[waiting[0]]

    def _deliver(self) -> None:
        """Hand over what has arrived; what takes longer than a moment goes on in the next turn."""
        until = time.monotonic() + TURN_SECONDS
        while self._hand_over_next():
            if time.monotonic() > until:
                self._crossed.emit()
                return

    def _hand_over_next(self) -> bool:
        """Emit the oldest item; False if there was none."""
        with self._lock:
            if not self._inbox:
                self._is_posted = False
                return False
            job_id, item = self._inbox.popleft()
        if isinstance(item, str):
            self.state = item
            self.state_changed.emit(self.state)
        else:
            self.arrived.emit(job_id, item)
        return True
