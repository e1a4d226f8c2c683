"""Two processes: a download neither waits for a run nor holds one up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import NAME, Hub, served
from pytestqt.qtbot import QtBot
from small_documents import request
from tiny_engine import IMPORT_STRING

from collage_studio.engine.api import Cancelled, Downloaded, Event, FetchRequest, Finished
from collage_studio.ui.engine_thread import EngineThread
from collage_studio.ui.engines import Engines

WAIT_MS = 30_000


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A repository with one part, told to the processes by their environment."""
    root = tmp_path / "model"
    (root / "unet").mkdir(parents=True)
    (root / "model_index.json").write_text("{}", encoding="utf-8")
    (root / "unet" / "config.json").write_text("{}", encoding="utf-8")
    (root / "unet" / "weights.safetensors").write_bytes(bytes(3_000_000))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    with served(root) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


@pytest.fixture
def engines(qtbot: QtBot) -> Iterator[Engines]:
    runs = EngineThread(engine=IMPORT_STRING)
    made = Engines(runs)
    runs.start()
    qtbot.waitUntil(lambda: runs.state == "ready", timeout=WAIT_MS)
    yield made
    made.stop()
    assert not runs.isRunning()


def _heard(engines: Engines) -> list[tuple[str, Event]]:
    events = list[tuple[str, Event]]()
    engines.arrived.connect(lambda job_id, event: events.append((job_id, event)))
    return events


def test_a_run_is_done_while_a_download_goes_on(
    engines: Engines, hub: Hub, qtbot: QtBot, tmp_path: Path
) -> None:
    hub.pause_seconds = 1.0
    events = _heard(engines)
    engines.send("fetch", FetchRequest(NAME))
    engines.send("run", request(1, steps=3))
    qtbot.waitUntil(lambda: ("run", Finished()) in events, timeout=WAIT_MS)
    assert ("fetch", Finished()) not in events
    qtbot.waitUntil(lambda: ("fetch", Finished()) in events, timeout=WAIT_MS)
    told = [event for job, event in events if job == "fetch" and isinstance(event, Downloaded)]
    assert told[-1].done == told[-1].total > 3_000_000
    assert (tmp_path / "cache").is_dir()


def test_a_download_is_cancelled_by_its_own_name(engines: Engines, hub: Hub, qtbot: QtBot) -> None:
    hub.pause_seconds = 0.5
    events = _heard(engines)
    engines.send("fetch", FetchRequest(NAME))
    engines.send("run", request(1, steps=3, pause_ms=20))
    engines.cancel("fetch")
    qtbot.waitUntil(lambda: ("fetch", Cancelled()) in events, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: ("run", Finished()) in events, timeout=WAIT_MS)


def test_without_a_download_there_is_one_process(engines: Engines, qtbot: QtBot) -> None:
    events = _heard(engines)
    engines.send("run", request(1, steps=2))
    qtbot.waitUntil(lambda: ("run", Finished()) in events, timeout=WAIT_MS)
    assert engines.findChildren(EngineThread) == []
