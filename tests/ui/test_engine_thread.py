"""The engine's thread: events reach the main thread, in order, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QThread
from pytestqt.qtbot import QtBot
from small_documents import collage, request
from tiny_engine import IMPORT_STRING

from collage_studio.app.editor import Editor
from collage_studio.app.notices import Notice
from collage_studio.app.runs import RunController
from collage_studio.app.settings import Preferences
from collage_studio.engine.api import Event, Failed, Finished, Previewed, Produced, Stepped
from collage_studio.jobs.board import JobBoard, JobState
from collage_studio.jobs.supervisor import LOST
from collage_studio.ui.engine_thread import EngineThread

WAIT_MS = 30_000


@pytest.fixture
def engine(qtbot: QtBot) -> Iterator[EngineThread]:
    thread = EngineThread(engine=IMPORT_STRING)
    thread.start()
    qtbot.waitUntil(lambda: thread.state == "ready", timeout=WAIT_MS)
    yield thread
    thread.stop()
    assert not thread.isRunning()
    assert thread.state == "stopped"


def test_events_arrive_on_the_main_thread_in_order(engine: EngineThread, qtbot: QtBot):
    events, threads = list[Event](), set[int]()

    def on_arrived(job_id: str, event: Event) -> None:
        assert job_id == "job"
        events.append(event)
        threads.add(threading.get_ident())

    engine.arrived.connect(on_arrived)
    engine.send("job", request(1, 2, steps=4, pause_ms=2))
    qtbot.waitUntil(lambda: Finished() in events, timeout=WAIT_MS)
    assert threads == {threading.get_ident()}
    steps = [(event.seeds, event.step) for event in events if isinstance(event, Stepped)]
    assert steps == [((seed,), step) for seed in (1, 2) for step in range(1, 5)]


def test_a_busy_main_thread_gets_the_latest_previews_only(engine: EngineThread, qtbot: QtBot):
    events = list[Event]()
    engine.arrived.connect(lambda _job_id, event: events.append(event))
    engine.send("job", request(1, steps=30))
    QThread.msleep(1500)
    qtbot.waitUntil(lambda: Finished() in events, timeout=WAIT_MS)
    previews = [event.step for event in events if isinstance(event, Previewed)]
    assert previews[-1] == 30
    assert len(previews) < 10
    assert len([event for event in events if isinstance(event, Stepped)]) == 30


def test_a_killed_engine_costs_one_run_and_can_be_retried(engine: EngineThread, qtbot: QtBot):
    editor, notices = Editor(collage()), list[Notice]()
    runs = RunController(editor, JobBoard(), engine, lambda: Preferences(variations=1))
    runs.notice.subscribe(notices.append)
    engine.arrived.connect(runs.handle)
    before = editor.document
    settings = request(1, steps=400, pause_ms=5).settings
    editor.apply(lambda d: type(d)(d.size, d.layers, settings=settings), "Settings")
    document = editor.document

    job = runs.harmonise([1])
    assert job is not None
    qtbot.waitUntil(lambda: bool(runs.previews), timeout=WAIT_MS)
    assert engine.worker_pid is not None
    os.kill(engine.worker_pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: runs.board.jobs[0].state is JobState.FAILED, timeout=WAIT_MS)
    assert editor.document is document
    assert before.layers == document.layers
    assert [notice.text for notice in notices] == [LOST]
    assert notices[0].buttons == (("Run again", f"harmonise.retry:{job.id}"),)

    events = list[Event]()
    engine.arrived.connect(lambda _job_id, event: events.append(event))
    runs.retry(job.id)
    qtbot.waitUntil(lambda: any(isinstance(e, Stepped) for e in events), timeout=WAIT_MS)
    runs.cancel()
    qtbot.waitUntil(lambda: runs.board.jobs[0].state is JobState.CANCELLED, timeout=WAIT_MS)
    assert not [event for event in events if isinstance(event, Produced | Failed)]
    runs.close()


def test_stopping_while_the_engine_loads_does_not_wait_for_it(qtbot: QtBot):
    thread = EngineThread(engine="slow_engine:SlowToLoad")
    thread.start()
    qtbot.waitUntil(lambda: thread.worker_pid is not None, timeout=WAIT_MS)
    begun = time.monotonic()
    thread.stop()
    assert time.monotonic() - begun < 1.5
    assert not thread.isRunning()


def test_stopping_in_the_middle_of_a_job_does_not_wait_for_it(qtbot: QtBot):
    thread = EngineThread(engine=IMPORT_STRING)
    thread.start()
    events = list[Event]()
    thread.arrived.connect(lambda _job_id, event: events.append(event))
    thread.send("job", request(1, steps=1000, pause_ms=20))
    qtbot.waitUntil(lambda: len(events) > 2, timeout=WAIT_MS)
    thread.stop()
    assert not any(isinstance(event, Finished) for event in events)
