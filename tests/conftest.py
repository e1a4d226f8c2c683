"""What holds for every test: no network, no screen, own preferences, nothing left behind."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["HF_HUB_OFFLINE"] = "1"

_SHARED_MEMORY = Path("/dev/shm")
_PATIENCE_SECONDS = 2.0


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Preferences and recovered work of the person who runs the tests stay as they are."""
    patch = pytest.MonkeyPatch()
    patch.setenv("COLLAGE_STUDIO_HOME", str(tmp_path_factory.mktemp("home")))
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _no_unexpected_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    """A warning in the log fails the test, unless it looks at the log itself (caplog)."""
    heard = list[logging.LogRecord]()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record)

    listener = Listener(logging.WARNING)
    logging.getLogger().addHandler(listener)
    yield
    logging.getLogger().removeHandler(listener)
    if "caplog" not in request.fixturenames:
        assert not heard, f"Unexpected log records: {[r.getMessage() for r in heard]}"


@pytest.fixture(autouse=True)
def _nothing_left_behind(_no_unexpected_logs: None) -> Iterator[None]:
    """Threads, processes, shared memory, top-level widgets and timers end with their test."""
    before = {name: find() for name, find in _FINDERS.items()}
    yield
    for name, find in _FINDERS.items():
        left = _settled(lambda find=find, known=before[name]: find() - known)
        assert not left, f"The test left behind {name}: {sorted(left)}"


def _settled(find_left: Callable[[], set[str]]) -> set[str]:
    """What is still left after things had a moment to end."""
    left = find_left()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while left and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
        left = find_left()
    return left


def _threads() -> set[str]:
    return {
        f"{thread.name} ({thread.ident})"
        for thread in threading.enumerate()
        if not thread.name.startswith(("Dummy", "ThreadPoolExecutor", "tqdm", "pydevd", "asyncio"))
    }


def _processes() -> set[str]:
    return {f"{child.name} ({child.pid})" for child in multiprocessing.active_children()}


def _segments() -> set[str]:
    if not _SHARED_MEMORY.is_dir():
        return set()
    return {path.name for path in _SHARED_MEMORY.iterdir() if path.name.startswith("cs")}


def _widgets() -> set[str]:
    widgets = sys.modules.get("PySide6.QtWidgets")
    application = widgets.QApplication.instance() if widgets else None
    if not isinstance(application, widgets.QApplication if widgets else ()):
        return set()
    core = sys.modules["PySide6.QtCore"]
    core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete)
    return {
        f"{type(widget).__name__} {widget.objectName()!r} at {id(widget):#x}"
        for widget in application.topLevelWidgets()
    }


def _timers() -> set[str]:
    core = sys.modules.get("PySide6.QtCore")
    if core is None or core.QCoreApplication.instance() is None:
        return set()
    shiboken = sys.modules["shiboken6"]
    return {
        f"{type(item).__name__} {item.objectName()!r} at {id(item):#x}"
        for item in gc.get_objects()
        if type(item) is core.QTimer and shiboken.isValid(item) and item.isActive()
    }


_FINDERS: dict[str, Callable[[], set[str]]] = {
    "threads": _threads,
    "processes": _processes,
    "shared memory": _segments,
    "top-level widgets": _widgets,
    "timers": _timers,
}
