"""Main function of the worker process: loads the engine, runs one job at a time, says what happens.

The process ends when the app's end of the pipe closes. It has no threads of its own: messages
are read between jobs and whenever the engine asks whether it was cancelled.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Protocol, cast

from collage_studio.engine.api import Cancelled, EngineError, Event, Failed, Finished, Request
from collage_studio.jobs.segments import Outbox, take
from collage_studio.jobs.wire import (
    AssetStore,
    Cancel,
    Happened,
    Message,
    Missing,
    Ready,
    Run,
    Stop,
    TakeAsset,
    Taken,
    pack,
    unpack,
)

_NICENESS = 10
_log = logging.getLogger(__name__)


class EngineLike(Protocol):
    """What the worker runs."""

    def run(self, request: Request, is_cancelled: Callable[[], bool]) -> Iterator[Event]: ...


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """All a worker has to know at its birth.

    Args:
        engine: "package.module:Class"; the class is called with `device`, and with `precision`
            where one is chosen.
        prefix: of the names of its shared-memory segments.
        asset_budget_bytes: rasters and masks kept from one job to the next.
    """

    engine: str
    device: str
    prefix: str
    precision: str = "auto"
    asset_budget_bytes: int = 2 << 30


def main(connection: Connection, settings: WorkerSettings) -> None:
    """Serve until told to stop or until the app is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _give_way()
    Worker(connection, settings).serve()


def _give_way() -> None:
    """Let the window go first where both want a core, so that it never waits for a run's step."""
    if hasattr(os, "nice"):  # Windows has none
        os.nice(_NICENESS)


class Worker:
    """One engine behind one pipe."""

    def __init__(self, connection: Connection, settings: WorkerSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._outbox = Outbox(settings.prefix, unlinks=False)
        self._assets = AssetStore(settings.asset_budget_bytes)
        self._waiting: deque[Run] = deque()
        self._current = ""
        self._is_current_cancelled = False
        self._stopped = False
        self._engine: EngineLike | None = None
        self._failure: Failed | None = None

    def serve(self) -> None:
        """Load the engine, then run job after job."""
        self._load_engine()
        self._send(Ready())
        while not self._stopped:
            if self._waiting:
                self._run(self._waiting.popleft())
                self._assets.drop_excess()
            else:
                self._receive()

    def _load_engine(self) -> None:
        """A program that cannot load its engine says so at each job and stays alive."""
        module, _, name = self._settings.engine.partition(":")
        try:
            factory = cast(
                "Callable[..., EngineLike]", getattr(importlib.import_module(module), name)
            )
            precision = self._settings.precision
            chosen = {} if precision == "auto" else {"precision": precision}
            self._engine = factory(self._settings.device, **chosen)
        except Exception as error:  # noqa: BLE001  the border to code of many libraries
            self._failure = _explained(error, "The engine could not be loaded.")

    def _run(self, run: Run) -> None:
        self._current, self._is_current_cancelled = run.job_id, False
        if self._engine is None:
            self._say(run.job_id, self._failure or Failed("The engine could not be loaded."))
            return
        try:
            self._say_all(run, self._engine)
        except EngineError as error:
            self._say(run.job_id, Failed(str(error), error.remedy, traceback.format_exc()))
        except Exception as error:  # noqa: BLE001  a run may fail in any way, the worker goes on
            self._say(run.job_id, _explained(error, "The run stopped for an unknown reason."))
        self._current = ""

    def _say_all(self, run: Run, engine: EngineLike) -> None:
        """Pass the events on; a run that just ends has finished, or was cancelled."""
        is_over = False
        for event in engine.run(run.request, self._is_cancelled):
            self._say(run.job_id, event)
            self._receive_pending()
            is_over = isinstance(event, Finished | Failed | Cancelled)
        if not is_over:
            self._say(run.job_id, Cancelled() if self._is_current_cancelled else Finished())

    def _is_cancelled(self) -> bool:
        self._receive_pending()
        return self._stopped or self._is_current_cancelled

    def _say(self, job_id: str, event: Event) -> None:
        if isinstance(event, Failed):
            _log.info("Job %s failed: %s\n%s", job_id, event.message, event.details)
        self._send(Happened(job_id, event))

    def _send(self, message: Message) -> None:
        try:
            self._connection.send_bytes(pack(message, self._outbox).data)
        except OSError as error:
            raise _app_gone() from error

    def _receive_pending(self) -> None:
        while _has_data(self._connection):
            self._receive()

    def _receive(self) -> None:
        try:
            data = self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise _app_gone() from error
        arrived = unpack(data, lambda ref: take(ref, unlink=False), self._assets.find)
        if arrived.taken:
            self._send(Taken(arrived.taken))
        match arrived.message:
            case Run(job_id=job_id) if arrived.missing:
                self._send(Missing(job_id, arrived.missing))
            case Run():
                self._waiting.append(arrived.message)
            case TakeAsset(id=identity, array=array):
                self._assets.put(identity, array)
            case Cancel(job_id=job_id):
                self._cancel(job_id)
            case Taken(names=names):
                self._outbox.release(names)
            case Stop():
                self._stopped = True
            case _:
                _log.error("Unexpected message %r", arrived.message)

    def _cancel(self, job_id: str) -> None:
        """A job that is neither running nor waiting is over already."""
        if job_id == self._current:
            self._is_current_cancelled = True
            return
        for run in [run for run in self._waiting if run.job_id == job_id]:
            self._waiting.remove(run)
            self._say(job_id, Cancelled())


def _has_data(connection: Connection) -> bool:
    try:
        return connection.poll(0)
    except OSError as error:
        raise _app_gone() from error


def _app_gone() -> SystemExit:
    """Ends the process from any depth: nobody is left to tell."""
    return SystemExit(0)


def _explained(error: Exception, sentence: str) -> Failed:
    """An unexpected failure: a clear sentence, with everything else in the details."""
    details = "".join(traceback.format_exception(error))
    return Failed(f"{sentence} Your collage is unchanged.", "retry", details)
