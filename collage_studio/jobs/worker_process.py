"""One life of the worker process as the app sees it: its pipe, its segments, its end."""

from __future__ import annotations

import multiprocessing
import secrets
import signal
from contextlib import suppress
from multiprocessing.context import SpawnProcess
from typing import Any

import numpy.typing as npt

from collage_studio.jobs import worker
from collage_studio.jobs.segments import Outbox, SegmentRef, remove_from, take
from collage_studio.jobs.wire import (
    AssetId,
    Message,
    Run,
    Stop,
    TakeAsset,
    Taken,
    asset_array,
    pack,
    unpack,
    unsent,
)

_STOP_SECONDS = 2.0
_POLITE_SECONDS = 0.5
"""A closing window waits for this; an idle worker has nothing to lose."""


class WorkerProcess:
    """Starts the process; knows what it was sent and which segments it has made."""

    def __init__(self, engine: str, device: str, precision: str, asset_budget_bytes: int) -> None:
        token = secrets.token_hex(4)
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.outbox = Outbox(f"csa{token}", unlinks=True)
        self.sent: set[AssetId] = set()
        self.is_ready = False
        self._prefix = f"csw{token}"
        self._next_number = 0
        settings = worker.WorkerSettings(
            engine, device, self._prefix, precision, asset_budget_bytes
        )
        self.process: SpawnProcess = context.Process(
            target=worker.main, args=(theirs, settings), name="collage-studio-engine", daemon=True
        )
        self.process.start()
        theirs.close()

    def send(self, message: Message) -> None:
        """Write to the worker; one that is dying is noticed when it is read from."""
        with suppress(OSError):
            self.connection.send_bytes(pack(message, self.outbox).data)

    def send_run(self, run: Run) -> None:
        """Send a job, and before it the pixels that have not crossed yet."""
        packed = pack(run, self.outbox)
        for identity in unsent(packed.assets, self.sent):
            self.send(TakeAsset(identity, asset_array(packed.assets[identity])))
            self.sent.add(identity)
        with suppress(OSError):
            self.connection.send_bytes(packed.data)

    def receive(self) -> Message | None:
        """The next message that has arrived; None at the end of the worker's life."""
        try:
            data = self.connection.recv_bytes()
            arrived = unpack(data, self._take)
        except (EOFError, OSError):
            return None
        if arrived.taken:
            self.send(Taken(arrived.taken))
        return arrived.message

    def end(self, *, politely: bool) -> str:
        """See the process out, however it takes, and remove its segments; returns how it ended."""
        if politely:
            self.send(Stop())
            self.process.join(_POLITE_SECONDS)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(_STOP_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        ending = _ending(self.process.exitcode)
        self.process.close()
        self.connection.close()
        self.outbox.clear()
        remove_from(self._prefix, self._next_number)
        return ending

    def _take(self, ref: SegmentRef) -> npt.NDArray[Any]:
        self._next_number = ref.number + 1
        return take(ref, unlink=True)


def _ending(exit_code: int | None) -> str:
    """How a process ended, for the details of a failure."""
    if exit_code is None or exit_code >= 0:
        return f"The engine process ended with exit code {exit_code}."
    with suppress(ValueError):
        return f"The engine process was ended by {signal.Signals(-exit_code).name}."
    return f"The engine process was ended by signal {-exit_code}."
