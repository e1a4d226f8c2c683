"""Keeps one worker process alive and talks to it. Blocking; meant for a thread of its own.

`send`, `cancel`, `restart` and `stop` may be called from any thread; everything else, and both
callbacks, happen in the thread that calls `run` or `pump`.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import wait
from queue import Empty, SimpleQueue
from threading import Lock

from collage_studio.engine.api import Cancelled, Event, Failed, Finished, Request
from collage_studio.jobs.wire import (
    AssetId,
    Cancel,
    Happened,
    Message,
    Missing,
    Ready,
    Run,
    Stop,
    Taken,
)
from collage_studio.jobs.worker_process import WorkerProcess

ENGINE = "collage_studio.engine.runner:Engine"
LOST = "The engine stopped and has restarted. One run was lost, your document was not."
CANNOT_START = "The engine cannot start. Your document is safe; restart the engine or the program."
_MOST_DEATHS_AT_START = 3


class EngineState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class _Restart:
    """Order of the user: begin with a fresh worker."""


Order = Run | Cancel | Stop | _Restart


class Supervisor:
    """Runs jobs in a worker process that is started again whenever it dies."""

    def __init__(
        self,
        on_event: Callable[[str, Event], None],
        on_state: Callable[[EngineState], None] = lambda _state: None,
        *,
        engine: str = ENGINE,
        device: str = "auto",
        precision: str = "auto",
        asset_budget_bytes: int = 2 << 30,
    ) -> None:
        """Args: engine: "package.module:Class", imported by the worker only."""
        self._on_event = on_event
        self._on_state = on_state
        self._engine = engine
        self._device, self._precision = device, precision
        self._asset_budget = asset_budget_bytes
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._bell = _Bell()
        self._worker: WorkerProcess | None = None
        self._waiting: deque[Run] = deque()
        self._running: Run | None = None
        self._is_cancelling = False
        self._deaths_at_start = 0
        self._is_stopped = False
        self._has_lived = False

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker; None while there is none."""
        return self._worker.process.pid if self._worker else None

    def send(self, job_id: str, request: Request) -> None:
        """Queue a job. Any thread."""
        self._order(Run(job_id, request))

    def cancel(self, job_id: str) -> None:
        """Stop a job within a step; one that is over is left alone. Any thread."""
        self._order(Cancel(job_id))

    def restart(self) -> None:
        """Replace the worker by a fresh one; a running job is lost. Any thread."""
        self._order(_Restart())

    def stop(self) -> None:
        """Let `run` end. Any thread."""
        self._order(Stop())

    def run(self) -> None:
        """Serve until `stop`; the worker is started at once, so that it is loaded when needed."""
        try:
            while not self._is_stopped:
                self.pump()
        finally:
            self.close()

    def pump(self, timeout_seconds: float | None = None) -> None:
        """Do what is to be done now, then wait for news once and take it in."""
        self._take_orders()
        if self._is_stopped:
            return
        self._keep_alive()
        self._start_next()
        sources: list[object] = [self._bell.connection]
        if self._worker is not None:
            sources += [self._worker.connection, self._worker.process.sentinel]
        rung = wait(sources, timeout_seconds)  # pyright: ignore[reportArgumentType]
        if self._bell.connection in rung:
            self._bell.hush()
        if self._worker is not None and len(rung) > (self._bell.connection in rung):
            self._receive_all(self._worker)

    def close(self) -> None:
        """End the worker and everything of it."""
        if self._worker is not None:
            # One that still loads its engine would not hear a polite word for seconds.
            self._worker.end(politely=self._running is None and self._worker.is_ready)
            self._worker = None
        self._bell.close()
        self._on_state(EngineState.STOPPED)

    def _order(self, order: Order) -> None:
        self._orders.put(order)
        self._bell.ring()

    def _take_orders(self) -> None:
        with suppress(Empty):
            while True:
                self._take_order(self._orders.get_nowait())

    def _take_order(self, order: Order) -> None:
        match order:
            case Run():
                self._waiting.append(order)
                self._deaths_at_start = min(self._deaths_at_start, _MOST_DEATHS_AT_START - 1)
            case Cancel(job_id=job_id):
                self._cancel(job_id)
            case _Restart():
                self._deaths_at_start = 0
                self._bury("The engine was restarted by hand.")
            case Stop():
                self._is_stopped = True

    def _cancel(self, job_id: str) -> None:
        if self._running is not None and self._running.job_id == job_id:
            self._is_cancelling = True
            if self._worker is not None:
                self._worker.send(Cancel(job_id))
            return
        for run in [run for run in self._waiting if run.job_id == job_id]:
            self._waiting.remove(run)
            self._on_event(job_id, Cancelled())

    def _keep_alive(self) -> None:
        if self._worker is None and self._deaths_at_start < _MOST_DEATHS_AT_START:
            self._on_state(EngineState.RESTARTING if self._has_lived else EngineState.STARTING)
            self._has_lived = True
            self._worker = WorkerProcess(
                self._engine, self._device, self._precision, self._asset_budget
            )

    def _start_next(self) -> None:
        is_free = self._running is None and self._worker is not None and self._worker.is_ready
        if is_free and self._worker is not None and self._waiting:
            self._running = self._waiting.popleft()
            self._is_cancelling = False
            self._worker.send_run(self._running)

    def _receive_all(self, current: WorkerProcess) -> None:
        """Take in what has arrived; a dead worker's last words come before its death."""
        while self._worker is current:
            try:
                has_news = current.connection.poll(0)
            except OSError:
                has_news = False
            if not has_news:
                break
            message = current.receive()
            if message is None:
                self._bury("")
                return
            self._take_in(current, message)
        if self._worker is current and not current.process.is_alive():
            self._bury("")

    def _take_in(self, current: WorkerProcess, message: Message) -> None:
        match message:
            case Ready():
                current.is_ready = True
                self._deaths_at_start = 0
                self._on_state(EngineState.READY)
            case Taken(names=names):
                current.outbox.release(names)
            case Missing(job_id=job_id, assets=assets):
                self._send_again(current, job_id, assets)
            case Happened(job_id=job_id, event=event):
                self._pass_on(job_id, event)
            case _:
                raise TypeError(f"The worker sent {type(message).__name__}.")

    def _pass_on(self, job_id: str, event: Event) -> None:
        if isinstance(event, Finished | Failed | Cancelled):
            self._running = None
        self._on_event(job_id, event)

    def _send_again(self, current: WorkerProcess, job_id: str, assets: tuple[AssetId, ...]) -> None:
        """The worker had dropped pixels that this job needs."""
        if self._running is None or self._running.job_id != job_id:
            return
        if self._is_cancelling:
            self._pass_on(job_id, Cancelled())
            return
        current.sent -= set(assets)
        current.send_run(self._running)

    def _bury(self, why: str) -> None:
        """The worker is dead, or is to be: its running job is lost, the waiting ones are not."""
        if self._worker is None:
            return
        was_ready = self._worker.is_ready
        ending = self._worker.end(politely=False)
        self._worker = None
        self._deaths_at_start = 0 if was_ready or why else self._deaths_at_start + 1
        if self._running is not None:
            self._pass_on(self._running.job_id, Failed(LOST, "retry", why or ending))
        if self._deaths_at_start >= _MOST_DEATHS_AT_START:
            self._on_state(EngineState.STOPPED)
            while self._waiting:
                self._on_event(
                    self._waiting.popleft().job_id, Failed(CANNOT_START, "retry", ending)
                )


class _Bell:
    """Wakes the thread that waits for news; ringing twice before it is heard is ringing once."""

    def __init__(self) -> None:
        self.connection, self._cord = multiprocessing.Pipe(duplex=False)
        self._lock = Lock()
        self._is_ringing = False
        self._is_closed = False

    def ring(self) -> None:
        with self._lock:
            if not self._is_ringing and not self._is_closed:
                self._is_ringing = True
                self._cord.send_bytes(b".")

    def hush(self) -> None:
        with self._lock:
            self._is_ringing = False
            self.connection.recv_bytes()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self.connection.close()
            self._cord.close()
