"""A real worker process: what it says, how it dies, and that only one job is lost by it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from small_documents import collage, request
from tiny_engine import DIES, IMPORT_STRING, RAISES, TOO_BIG, tinted

from collage_studio.document.compositing import composite_picture
from collage_studio.document.geometry import Size
from collage_studio.engine.api import (
    Cancelled,
    Event,
    Failed,
    Finished,
    Previewed,
    Produced,
    Started,
    Stepped,
)
from collage_studio.jobs.supervisor import CANNOT_START, LOST, EngineState, Supervisor


class Running:
    """A supervisor in its thread, and everything it has said."""

    def __init__(self, engine: str, asset_budget_bytes: int) -> None:
        self.events = list[tuple[str, Event]]()
        self.states = list[EngineState]()
        self._news = threading.Condition()
        self.supervisor = Supervisor(
            self._on_event, self._on_state, engine=engine, asset_budget_bytes=asset_budget_bytes
        )
        self.thread = threading.Thread(target=self.supervisor.run, name="test-supervisor")
        self.thread.start()

    def _on_event(self, job_id: str, event: Event) -> None:
        with self._news:
            self.events.append((job_id, event))
            self._news.notify_all()

    def _on_state(self, state: EngineState) -> None:
        with self._news:
            self.states.append(state)
            self._news.notify_all()

    def of(self, job_id: str) -> list[Event]:
        return [event for other, event in self.events if other == job_id]

    def wait(self, is_so: Callable[[], bool], seconds: float = 30.0) -> None:
        with self._news:
            assert self._news.wait_for(is_so, seconds), f"still waiting, heard {self.events}"

    def wait_for_end(self, job_id: str) -> Event:
        ends = (Finished, Failed, Cancelled)
        self.wait(lambda: any(isinstance(event, ends) for event in self.of(job_id)))
        return self.of(job_id)[-1]


@contextmanager
def running(engine: str = IMPORT_STRING, asset_budget_bytes: int = 1 << 30) -> Iterator[Running]:
    subject = Running(engine, asset_budget_bytes)
    try:
        yield subject
    finally:
        subject.supervisor.stop()
        subject.thread.join(20)
    assert subject.states[-1] is EngineState.STOPPED


def test_a_job_goes_through_the_worker_and_its_pictures_arrive_equal():
    document = collage()
    with running() as subject:
        subject.supervisor.send("job", request(4, 9, steps=2, document=document))
        assert isinstance(subject.wait_for_end("job"), Finished)
    kinds = [type(event) for event in subject.of("job")]
    each = [Stepped, Previewed, Stepped, Previewed, Produced]
    assert kinds == [Started, *each, *each, Finished]
    produced = [event for event in subject.of("job") if isinstance(event, Produced)]
    for event in produced:
        expected = tinted(composite_picture(document), event.seed, 1.0)
        np.testing.assert_array_equal(event.picture, expected)
    assert subject.states == [EngineState.STARTING, EngineState.READY, EngineState.STOPPED]


def test_one_life_of_a_worker_sees_failures_crashes_and_restarts():
    """One scenario, because each worker takes half a second to start."""
    with running() as subject:
        send = subject.supervisor.send
        send("raises", request(RAISES))
        send("big", request(TOO_BIG))
        send("dies", request(1, DIES, 3))
        send("waits", request(5))
        failed = subject.wait_for_end("raises")
        assert isinstance(failed, Failed)
        assert failed.message.endswith("Your collage is unchanged.")
        assert "ZeroDivisionError: a bug of the engine" in failed.details

        failed = subject.wait_for_end("big")
        assert isinstance(failed, Failed)
        assert failed.remedy == "retry_smaller"
        assert failed.message == "Not enough GPU memory: 12 GB needed, 8 GB free."

        lost = subject.wait_for_end("dies")
        assert lost == Failed(LOST, "retry", "The engine process ended with exit code 3.")
        seeds = [event.seed for event in subject.of("dies") if isinstance(event, Produced)]
        assert seeds == [1]

        assert isinstance(subject.wait_for_end("waits"), Finished)
        send("dies", request(3))
        subject.wait(lambda: isinstance(subject.of("dies")[-1], Finished))
    failures = [event for _, event in subject.events if isinstance(event, Failed)]
    assert len(failures) == 3
    assert subject.states == [
        EngineState.STARTING,
        EngineState.READY,
        EngineState.RESTARTING,
        EngineState.READY,
        EngineState.STOPPED,
    ]


def test_a_killed_worker_costs_the_running_job_only():
    with running() as subject:
        subject.supervisor.send("killed", request(1, steps=1000, pause_ms=5))
        subject.supervisor.send("next", request(2))
        subject.wait(lambda: len(subject.of("killed")) > 3)
        pid = subject.supervisor.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        lost = subject.wait_for_end("killed")
        assert isinstance(lost, Failed)
        assert lost.details == "The engine process was ended by SIGKILL."
        assert isinstance(subject.wait_for_end("next"), Finished)


def test_cancel_takes_effect_within_a_step_and_a_waiting_job_never_starts():
    with running() as subject:
        subject.supervisor.send("long", request(1, steps=1000, pause_ms=20))
        subject.supervisor.send("never", request(2))
        subject.wait(lambda: len(subject.of("long")) > 2)
        subject.supervisor.cancel("never")
        subject.supervisor.cancel("long")
        subject.supervisor.cancel("unknown")
        asked, steps = time.monotonic(), len(subject.of("long"))
        assert isinstance(subject.wait_for_end("long"), Cancelled)
        assert time.monotonic() - asked < 5
        assert len(subject.of("long")) - steps <= 5
        assert subject.of("never") == [Cancelled()]
        subject.supervisor.send("long", request(1))
        subject.wait(lambda: isinstance(subject.of("long")[-1], Finished))


def test_a_restart_by_hand_loses_the_running_job_and_serves_the_next():
    with running() as subject:
        subject.supervisor.send("stuck", request(1, steps=1000, pause_ms=5))
        subject.wait(lambda: len(subject.of("stuck")) > 2)
        subject.supervisor.restart()
        assert isinstance(subject.wait_for_end("stuck"), Failed)
        subject.supervisor.send("next", request(2))
        assert isinstance(subject.wait_for_end("next"), Finished)


def test_pixels_cross_once_and_again_when_the_worker_has_dropped_them():
    document = collage(3)
    with running(asset_budget_bytes=0) as subject:
        for number in range(3):
            subject.supervisor.send(f"job{number}", request(number, document=document))
            assert isinstance(subject.wait_for_end(f"job{number}"), Finished)


def test_hundreds_of_events_a_second_arrive_complete_and_in_order():
    with running() as subject:
        subject.wait(lambda: EngineState.READY in subject.states)
        began = time.process_time()  # others may want the processor too
        document = collage(1, Size(48, 40))
        subject.supervisor.send("quick", request(1, steps=600, document=document))
        assert isinstance(subject.wait_for_end("quick"), Finished)
        took = time.process_time() - began
    steps = [event.step for event in subject.of("quick") if isinstance(event, Stepped)]
    assert steps == list(range(1, 601))
    assert len(subject.of("quick")) / took > 300


def test_an_engine_that_cannot_be_loaded_says_so_at_each_job():
    with running("tiny_engine:NeverThere") as subject:
        subject.supervisor.send("job", request(1))
        failed = subject.wait_for_end("job")
        assert isinstance(failed, Failed)
        assert failed.message == "The engine could not be loaded. Your collage is unchanged."
        assert "libtiny is missing on auto" in failed.details


def test_an_engine_that_dies_at_birth_is_not_started_for_ever():
    with running("tiny_engine:DiesAtBirth") as subject:
        subject.wait(lambda: EngineState.STOPPED in subject.states)
        subject.supervisor.send("job", request(1))
        failed = subject.wait_for_end("job")
        assert isinstance(failed, Failed)
        assert failed.message == CANNOT_START
        assert subject.states.count(EngineState.RESTARTING) == 3


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
def test_the_worker_does_not_mind_control_c():
    with running() as subject:
        subject.supervisor.send("job", request(1, steps=20, pause_ms=10))
        subject.wait(lambda: len(subject.of("job")) > 2)
        pid = subject.supervisor.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGINT)
        assert isinstance(subject.wait_for_end("job"), Finished)


APP_THAT_IS_KILLED = """
import os, sys
from small_documents import request
from collage_studio.jobs.supervisor import Supervisor
from collage_studio.engine.api import Stepped

def on_event(job_id, event):
    if isinstance(event, Stepped):
        print(supervisor.worker_pid, flush=True)

if __name__ == "__main__":
    supervisor = Supervisor(on_event, engine="tiny_engine:TinyEngine")
    supervisor.send("job", request(1, steps=1000, pause_ms=10))
    supervisor.run()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
def test_the_worker_and_its_memory_go_when_the_app_is_killed(tmp_path: Path):
    script = tmp_path / "app.py"
    script.write_text(APP_THAT_IS_KILLED)
    tests = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])}
    with subprocess.Popen(
        [sys.executable, script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as app:
        assert app.stdout is not None
        worker_pid = int(app.stdout.readline())
        app.kill()
    deadline = time.monotonic() + 10
    while is_alive(worker_pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(worker_pid)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be reaped does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
