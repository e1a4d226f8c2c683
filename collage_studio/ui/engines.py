"""The engine as the window sees it: a process for runs, and one for downloads if there are any."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from collage_studio.engine.api import FetchRequest, Request
from collage_studio.ui.engine_thread import EngineThread

FETCHER = "collage_studio.engine.loading.fetcher:Fetcher"


class Engines(QObject):
    """An `EnginePort`. A download neither waits for a run nor holds one up."""

    arrived = Signal(str, object)
    """(job id, Event), of both."""

    def __init__(self, runs: EngineThread, *, fetcher: str = FETCHER) -> None:
        """Args: fetcher: import string of the class that fetches."""
        super().__init__()
        self._runs, self._fetcher = runs, fetcher
        self._downloads: EngineThread | None = None
        runs.arrived.connect(self.arrived)

    def send(self, job_id: str, request: Request) -> None:
        """Queue a job with the process it is for; returns at once."""
        engine = self._for_downloads() if isinstance(request, FetchRequest) else self._runs
        engine.send(job_id, request)

    def cancel(self, job_id: str) -> None:
        """Ask for a job to be stopped; returns at once."""
        self._runs.cancel(job_id)
        if self._downloads is not None:
            self._downloads.cancel(job_id)

    def restart(self) -> None:
        """Start a fresh process for runs; downloads go on."""
        self._runs.restart()

    def stop(self) -> None:
        """End both processes and their threads, and wait for them."""
        self._runs.stop()
        if self._downloads is not None:
            self._downloads.stop()

    def _for_downloads(self) -> EngineThread:
        if self._downloads is None:
            self._downloads = EngineThread(self, engine=self._fetcher)
            self._downloads.arrived.connect(self.arrived)
            self._downloads.start()
        return self._downloads
