"""An engine that only fetches models, for a process of its own: runs need not wait for downloads.

No torch here, so the process is small and starts at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from collage_studio.engine.api import BadRequest, Cancelled, Event, FetchRequest, Finished, Request
from collage_studio.engine.cancel import IsCancelled, Stopped
from collage_studio.engine.loading.hub import fetch


class Fetcher:
    """Takes `FetchRequest`s. `device` is the worker's word for engines of every kind."""

    def __init__(self, device: str = "") -> None:
        self.device = device

    def run(self, request: Request, is_cancelled: IsCancelled) -> Iterator[Event]:
        """Yield how far the download is, ending with `Finished` or `Cancelled`.

        Raises:
            EngineError: the model cannot be fetched, or the request is for another engine.
        """
        if not isinstance(request, FetchRequest):
            raise BadRequest("This process only fetches models. Restart the engine.")
        try:
            yield from fetch(request.model, is_cancelled)
        except Stopped:
            yield Cancelled()
            return
        yield Finished()
