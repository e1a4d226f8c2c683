"""Drives the real program through the whole job in a real window, as a person would.

`python -m tests.window.scripted_session FOLDER` writes a screenshot of each stage, the exports
and `report.json` there. Needs an X server; `test_scripted_session` runs it under Xvfb.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

from collage_studio.app.settings import PreferencesStore
from collage_studio.document.compositing import composite_picture
from collage_studio.document.model import Document, Layer, NextState, Variation
from collage_studio.document.noise_map import noise_map
from collage_studio.engine.api import Previewed
from collage_studio.jobs.board import Job, JobState
from collage_studio.ui import layer_edits
from collage_studio.ui.dialogs.export_sheet import ExportSheet
from collage_studio.ui.program import start
from collage_studio.ui.style.theme import STYLE_ARGUMENTS
from collage_studio.ui.waiting import WaitingModules
from collage_studio.ui.widgets.segment import Segment
from collage_studio.ui.widgets.value_bar import ValueBar

PATIENCE = float(os.environ.get("COLLAGE_STUDIO_SESSION_PATIENCE", "300"))
"""Seconds a single run may take."""


class HeartBeat:
    """Measures how long the event loop did not come round."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._last = time.perf_counter()
        self._timer = QTimer(interval=4)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self.longest_ms, self._last = 0.0, time.perf_counter()
        self._timer.start()

    def stop(self) -> float:
        self._timer.stop()
        return self.longest_ms

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest_ms = max(self.longest_ms, 1000 * (now - self._last))
        self._last = now


class Driver:
    """Hands, eyes and a notebook."""

    def __init__(self, app: QApplication, folder: Path, size: tuple[int, int]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.report: dict[str, Any] = {}
        store = PreferencesStore()
        store.update(variations=3)
        self.program = start(app, None, WaitingModules())
        self.window = self.program.window
        self.session = self.program.session
        self.previews: dict[tuple[str, int], list[int]] = {}
        self._subscription = self.session.runs.preview_changed.subscribe(self._on_preview)
        self.window.resize(*size)
        self.beat = HeartBeat()
        self.until(lambda: bool(self.document.layers))

    @property
    def document(self) -> Document:
        return self.session.editor.document

    def layer(self, name: str) -> Layer:
        return next(layer for layer in self.document.walk() if layer.name == name)

    def pause(self, seconds: float) -> None:
        QTest.qWait(int(1000 * seconds))

    def until(self, what: Callable[[], bool], seconds: float = PATIENCE) -> None:
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                self.shot("gave-up")
                raise TimeoutError(f"Waited {seconds:.0f} s in vain at {sorted(self.report)}.")
            QTest.qWait(20)

    def shot(self, name: str) -> None:
        """A screenshot of the window as the X server shows it."""
        self.pause(0.4)
        screen = self.window.screen().grabWindow(self.window.winId())
        screen.save(str(self.folder / f"{name}.png"))

    def click(self, widget: QWidget, at: QPoint | None = None) -> None:
        QTest.mouseClick(
            widget, Qt.MouseButton.LeftButton, pos=at or widget.rect().center(), delay=10
        )

    def on_canvas(self, layer: Layer) -> QPoint:
        """The widget point over the middle of a layer."""
        assert layer.raster is not None
        box = layer.placement.bounds(layer.raster.size)
        middle = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        return self.window.canvas.viewport.to_widget(*middle).toPoint()

    def drag(self, widget: QWidget, start: QPoint, end: QPoint, shot: str = "") -> None:
        QTest.mousePress(widget, Qt.MouseButton.LeftButton, pos=start)
        for step in range(1, 11):
            at = start + (end - start) * step / 10
            _move(widget, at)
            self.pause(0.02)
        if shot:
            self.shot(shot)
        QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=end)
        self.pause(0.1)

    def bar(self, name: str) -> ValueBar:
        bars = self.window.inspector.findChildren(ValueBar)
        return next(bar for bar in bars if bar.isVisible() and bar.accessibleName() == name)

    def run_done(self, job: Job) -> None:
        self.until(lambda: self.job(job).is_over)
        assert self.job(job).state is JobState.DONE, self.job(job)

    def job(self, job: Job) -> Job:
        found = self.session.runs.board.find(job.id)
        assert found is not None
        return found

    def newest_job(self) -> Job:
        return self.session.runs.board.jobs[-1]

    def close(self) -> None:
        self._subscription.close()
        self.window.close()
        (self.folder / "report.json").write_text(json.dumps(self.report, indent=2))

    def _on_preview(self, message: tuple[str, Previewed]) -> None:
        job_id, preview = message
        self.previews.setdefault((job_id, preview.seed), []).append(preview.step)


def _move(widget: QWidget, at: QPoint) -> None:
    # QTest.mouseMove moves the real pointer and sends no button; a drag needs the button held.
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(at),
        QPointF(widget.mapToGlobal(at)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)


def arrange(driver: Driver) -> None:
    """Drag the tent, pull its noise, look at the noise map."""
    driver.shot("first-run")
    canvas = driver.window.canvas
    before = driver.layer("Tent").placement
    at = driver.on_canvas(driver.layer("Tent"))
    driver.drag(canvas, at, at + QPoint(34, -12), shot="dragging")
    after = driver.layer("Tent").placement
    assert after != before
    driver.report["tent_moved_px"] = [round(after.c - before.c, 2), round(after.f - before.f, 2)]
    bar = driver.bar("Noise")
    noise = driver.layer("Tent").noise
    middle = bar.rect().center()
    driver.drag(bar, middle, middle + QPoint(12, 0))
    assert driver.layer("Tent").noise != noise
    driver.report["tent_noise"] = [noise, driver.layer("Tent").noise]
    driver.window.table.run("view.noise_map")
    driver.pause(2.0)
    driver.shot("noise-map")
    driver.window.table.run("view.noise_map")


def harmonise(driver: Driver) -> None:
    """Harmonise with previews, choose a variation, accept it."""
    driver.until(lambda: driver.program.engine.worker_pid is not None)
    driver.window.table.run("harmonise.run")
    job = driver.newest_job()
    driver.until(lambda: driver.job(job).step >= 4)
    driver.shot("generating")
    driver.beat.start()  # after the screenshot, whose own work would count
    driver.run_done(job)
    driver.pause(0.5)  # what the end of a run changes is painted over several turns
    driver.report["longest_stall_ms"] = round(driver.beat.stop(), 1)
    job = driver.job(job)
    counts = {str(s): len(set(driver.previews.get((job.id, s), []))) for s in job.seeds}
    driver.report["previews_per_seed"] = counts
    driver.report["steps"] = job.steps
    driver.shot("variations")
    driver.window.table.run("harmonise.next")
    driver.pause(0.2)
    driver.window.run_view.show_view("compare")
    driver.shot("compare")
    driver.window.run_view.show_view("result")
    driver.window.table.run("harmonise.accept")
    assert driver.document.accepted is not None
    driver.shot("accepted")


def reroll(driver: Driver, times: int = 3) -> None:
    """Re-roll the dog again and again; count what differs outside its noise map."""
    dog = driver.layer("Dog")
    driver.session.selection.select((dog.id,))
    outside: list[int] = []
    inside: list[int] = []
    for count in range(times):
        accepted = _pixels(driver.document.accepted)
        may_change = noise_map(driver.document, driver.document.settings, only=(dog.id,)) > 0
        driver.window.table.run("harmonise.reroll_now")
        job = driver.newest_job()
        driver.run_done(job)
        for variation in driver.document.variations:
            differs = (_pixels(variation) != accepted).any(axis=2)
            outside.append(int((differs & ~may_change).sum()))
            inside.append(int((differs & may_change).sum()))
        if count == 0:
            driver.window.run_view.show_view("compare")
            began = time.monotonic()
            driver.until(lambda: bool(driver.window.canvas.proof), 30)
            driver.report["seconds_until_counted"] = round(time.monotonic() - began, 2)
            driver.shot("reroll")
            driver.window.run_view.show_view("result")
        driver.window.table.run("harmonise.accept")
    driver.report["pixels_changed_outside_feather"] = outside
    driver.report["pixels_changed_inside"] = inside
    assert not any(outside)
    assert all(inside)
    driver.shot("rerolled")


def undo_and_redo(driver: Driver, first: Document) -> None:
    """Take everything back, then do it all again."""
    last, steps = driver.document, 0
    while driver.session.editor.undo_label:
        driver.window.table.run("edit.undo")
        steps += 1
    assert driver.document == first
    driver.shot("undone")
    for _ in range(steps):
        driver.window.table.run("edit.redo")
    assert driver.document is last
    driver.report["undo_steps"] = steps


def export(driver: Driver) -> None:
    """PSD and PNG through the export sheet."""
    for suffix in (".psd", ".png"):
        driver.window.table.run("file.export")
        driver.pause(0.4)
        sheet = next(s for s in driver.window.findChildren(ExportSheet) if s.isVisible())
        formats = next(iter(sheet.findChildren(Segment)))
        while formats.value != suffix:
            QTest.keyClick(formats, Qt.Key.Key_Right)
        driver.shot(f"export-{suffix[1:]}")
        path = driver.folder / f"Lakeside camp{suffix}"
        name = next(f for f in sheet.findChildren(QLineEdit) if f.accessibleName() == "File name")
        name.setText(str(path))
        QTest.keyClick(name, Qt.Key.Key_Return)
        driver.until(partial(_is_written, path, sheet), 60)
        driver.report[f"{suffix[1:]}_bytes"] = path.stat().st_size
    driver.shot("exported")
    driver.session.files.save_as(driver.folder / "Lakeside camp.collage")


def _is_written(path: Path, sheet: ExportSheet) -> bool:
    return path.is_file() and not sheet.isVisible()


def crash(driver: Driver) -> None:
    """Kill the worker in mid-run: the run is lost, the document is not, Retry works."""
    before = driver.document
    driver.window.table.run("harmonise.run")
    job = driver.newest_job()
    driver.until(lambda: driver.job(job).step >= 2)
    pid = driver.program.engine.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    driver.until(lambda: driver.job(job).state is JobState.FAILED, 60)
    assert driver.document.layers == before.layers
    driver.report["crash_message"] = driver.job(job).message
    driver.shot("worker-killed")
    driver.window.table.run(f"harmonise.retry:{job.id}")
    driver.run_done(job)
    driver.report["retry"] = "done"
    driver.shot("retried")


def paint_noise(driver: Driver) -> None:
    """Keep every layer, paint noise on the ground alone: nothing else changes."""
    editor = driver.session.editor
    while editor.undo_label:
        driver.window.table.run("edit.undo")
    ids = tuple(layer.id for layer in driver.document.walk())
    layer_edits.set_state(editor, (*ids, driver.document.background.id), NextState.KEEP)
    driver.window.notices.clear()
    driver.session.selection.select((driver.layer("Lake").id,))
    driver.window.table.run("tool.noise")
    driver.window.table.run("mask.smaller")
    to_widget, canvas = driver.window.canvas.viewport.to_widget, driver.window.canvas
    for first, last in (((110, 402), (330, 408)), ((330, 426), (490, 432))):
        driver.drag(canvas, to_widget(*first).toPoint(), to_widget(*last).toPoint())
    driver.until(lambda: canvas.noise.is_current, 30)
    driver.shot("noise-brush")
    may_change = noise_map(driver.document, driver.document.settings) > 0
    before = composite_picture(driver.document)
    driver.window.table.run("tool.move")
    driver.session.selection.select(())
    driver.window.table.run("harmonise.run")
    driver.run_done(driver.newest_job())
    driver.pause(2.0)
    differs = [(_pixels(v) != before[..., :3]).any(axis=2) for v in driver.document.variations]
    driver.report["painted_share"] = round(float(may_change.mean()), 3)
    driver.report["pixels_changed_beside_paint"] = [int((d & ~may_change).sum()) for d in differs]
    driver.report["pixels_changed_in_paint"] = [int((d & may_change).sum()) for d in differs]
    assert not any(driver.report["pixels_changed_beside_paint"])
    assert all(driver.report["pixels_changed_in_paint"])
    driver.shot("noise-brush-result")


def _pixels(variation: Variation | None) -> np.ndarray:
    assert variation is not None
    return variation.picture.pixels[..., :3]


def run_session(folder: Path, size: tuple[int, int] = (1440, 900)) -> dict[str, Any]:
    """The whole job; returns the report that is also written to FOLDER/report.json."""
    app = QApplication.instance() or QApplication([sys.argv[0], *STYLE_ARGUMENTS])
    assert isinstance(app, QApplication)
    driver = Driver(app, folder, size)
    driver.until(driver.window.isVisible, 20)
    driver.pause(1.0)
    first = driver.document
    try:
        for stage in (
            arrange,
            harmonise,
            reroll,
            lambda d: undo_and_redo(d, first),
            export,
            crash,
            paint_noise,
        ):
            stage(driver)
    finally:
        driver.report["torch_in_window_process"] = "torch" in sys.modules
        driver.close()
        driver.pause(0.3)
    return driver.report


if __name__ == "__main__":
    # A person's own preferences and recovered documents have no part in this.
    os.environ["COLLAGE_STUDIO_HOME"] = tempfile.mkdtemp(prefix="collage-studio-")
    print(json.dumps(run_session(Path(sys.argv[1])), indent=2))  # noqa: T201
