"""What the worker's engine is made with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from typing import ClassVar

import pytest

from collage_studio.engine.api import Event, Request
from collage_studio.jobs.segments import Outbox
from collage_studio.jobs.wire import Stop, pack
from collage_studio.jobs.worker import Worker, WorkerSettings


class Noted:
    """An engine that remembers how it was made."""

    made: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def __init__(self, device: str, **chosen: str) -> None:
        self.made.append((device, chosen))

    def run(self, request: Request, is_cancelled: Callable[[], bool]) -> Iterator[Event]:
        yield from ()


@pytest.mark.parametrize(("precision", "chosen"), [("auto", {}), ("bf16", {"precision": "bf16"})])
def test_the_engine_gets_a_precision_where_one_is_chosen(precision: str, chosen: dict[str, str]):
    Noted.made.clear()
    ours, theirs = Pipe()
    ours.send_bytes(pack(Stop(), Outbox("cst", unlinks=True)).data)
    Worker(theirs, WorkerSettings(f"{__name__}:Noted", "cpu", "cst", precision)).serve()
    assert Noted.made == [("cpu", chosen)]
    ours.close()
    theirs.close()
