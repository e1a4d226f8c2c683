"""Runs as the window shows them: progress, previews, variations, accept, one filled button."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow, variation

from collage_studio.engine.api import (
    Downloaded,
    Failed,
    Finished,
    Previewed,
    Produced,
    Started,
    Stepped,
)
from collage_studio.jobs.board import Job
from collage_studio.ui.panels.strip_looks import COLLAGE


class _Paints(QObject):
    """Counts paint events of the widgets inside a region."""

    def __init__(self, region: QWidget) -> None:
        super().__init__(region)
        self.count = 0
        for widget in (region, *region.findChildren(QWidget)):
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() is QEvent.Type.Paint
        return False


def _started(opened: OpenWindow, seeds: tuple[int, ...]) -> Job:
    runs = opened.session.runs
    job = runs.harmonise(seeds)
    assert job is not None
    runs.handle(job.id, Started(seeds, 10))
    return job


def _produce(opened: OpenWindow, job: Job, seed: int) -> None:
    document = opened.session.editor.document
    made = variation(document, seed)
    rgb = made.picture.pixels[..., :3].copy()
    opened.session.runs.handle(job.id, Produced(seed, rgb, made.recipe))


def test_running_job_takes_the_place_of_the_buttons(qtbot: QtBot, opened: OpenWindow) -> None:
    caption = opened.window.caption
    job = _started(opened, (1, 2))
    opened.session.runs.handle(job.id, Stepped((1,), 3, 10))
    assert caption.harmonise.isHidden() or not caption.harmonise.isVisible()
    assert opened.window.top.queue.text() == "1 running"
    _produce(opened, job, 1)
    _produce(opened, job, 2)
    opened.session.runs.handle(job.id, Finished())
    qtbot.waitUntil(caption.harmonise.isVisible)
    assert opened.window.top.queue.text() == "Queue"


def test_strip_appears_with_the_first_run_and_has_a_tile_for_each_seed(opened: OpenWindow) -> None:
    strip = opened.window.strip
    assert not strip.isVisible()
    job = _started(opened, (7, 8))
    assert strip.isVisible()
    assert strip.state_of(f"{job.id}:7") == "waiting"
    opened.session.runs.handle(job.id, Stepped((7,), 1, 10))
    picture = np.zeros((30, 40, 3), np.uint8)
    opened.session.runs.handle(job.id, Previewed(7, 1, picture))
    assert strip.state_of(f"{job.id}:7") == "running"


def test_a_variation_that_arrives_repaints_the_strip_and_not_the_panels(
    qtbot: QtBot, opened: OpenWindow
) -> None:
    window = opened.window
    job = _started(opened, (7, 8))
    window.canvas.settle()
    qtbot.waitUntil(lambda: window.canvas.is_settled)
    qtbot.wait(100)
    panels = [_Paints(part) for part in (window.layers, window.inspector, window.options)]
    canvas, strip = _Paints(window.canvas), _Paints(window.strip)
    _produce(opened, job, 7)
    qtbot.waitUntil(lambda: strip.count > 0)
    qtbot.wait(50)
    assert [panel.count for panel in panels] == [0, 0, 0]
    assert canvas.count == 0


def test_what_the_end_of_a_run_changes_is_painted_over_several_turns(
    qtbot: QtBot, opened: OpenWindow
) -> None:
    window = opened.window
    job = _started(opened, (7,))
    _produce(opened, job, 7)
    qtbot.wait(50)
    opened.session.runs.handle(job.id, Finished())
    assert not window.caption.harmonise.isVisible()
    assert window.run_view.shown == COLLAGE
    qtbot.waitUntil(lambda: window.run_view.shown != COLLAGE)
    qtbot.waitUntil(lambda: window.caption.harmonise.property("kind") == "tinted")
    qtbot.waitUntil(window.caption.harmonise.isVisible)


def test_a_download_beside_a_run_leaves_strip_and_canvas_alone(opened: OpenWindow) -> None:
    window, runs = opened.window, opened.session.runs
    job = _started(opened, (7, 8))
    runs.handle(job.id, Previewed(7, 1, np.zeros((30, 40, 3), np.uint8)))
    fetch = runs.fetch("someone/tiny-model")
    runs.handle(fetch.id, Downloaded("someone/tiny-model", 10, 100))
    assert window.top.queue.text() == "2 running"
    assert runs.board.running is not None
    assert runs.board.running.id == job.id
    assert window.strip.state_of(f"{job.id}:7") == "running"
    runs.handle(fetch.id, Finished())
    assert window.strip.state_of(f"{job.id}:7") == "running"
    assert window.canvas.preview.is_shown
    assert window.top.queue.text() == "1 running"


def test_a_run_that_fails_beside_a_download_keeps_its_failed_tile(
    qtbot: QtBot, opened: OpenWindow
) -> None:
    runs = opened.session.runs
    job = _started(opened, (7,))
    fetch = runs.fetch("someone/tiny-model")
    runs.handle(fetch.id, Downloaded("someone/tiny-model", 10, 100))
    runs.handle(job.id, Failed("The run stopped.", "retry"))
    assert opened.window.strip.state_of(f"{job.id}:7") == "failed"
    qtbot.waitUntil(lambda: opened.window.top.queue.text() == "1 running")
    runs.handle(fetch.id, Downloaded("someone/tiny-model", 50, 100))
    runs.handle(fetch.id, Finished())
    assert opened.window.strip.state_of(f"{job.id}:7") == "failed"


def test_previews_never_enter_the_document(opened: OpenWindow) -> None:
    job = _started(opened, (7,))
    before = opened.session.editor.document
    for step in range(1, 10):
        opened.session.runs.handle(job.id, Previewed(7, step, np.zeros((30, 40, 3), np.uint8)))
    assert opened.session.editor.document is before


def test_accept_in_the_strip_takes_the_shown_variation(qtbot: QtBot, opened: OpenWindow) -> None:
    window, editor = opened.window, opened.session.editor
    job = _started(opened, (5, 6))
    _produce(opened, job, 5)
    _produce(opened, job, 6)
    opened.session.runs.handle(job.id, Finished())
    second = editor.document.variations[1]
    tile = window.strip.tile(second.id)
    assert tile is not None
    qtbot.mouseClick(tile, Qt.MouseButton.LeftButton)
    assert window.run_view.shown == second.id
    assert editor.document.accepted is None
    assert window.caption.harmonise.property("kind") == "tinted"
    qtbot.mouseClick(window.strip.accept, Qt.MouseButton.LeftButton)
    assert editor.document.accepted is second
    assert window.caption.harmonise.property("kind") == "primary"
    editor.undo()
    assert editor.document.accepted is None
    assert second in editor.document.variations


def test_failure_is_a_notice_and_the_document_stays(opened: OpenWindow) -> None:
    before = opened.session.editor.document
    job = _started(opened, (5,))
    opened.session.runs.handle(job.id, Failed("The engine stopped.", "retry"))
    assert opened.session.editor.document is before
    notice = opened.window.notices.notices[-1]
    assert notice.level == "danger"
    assert notice.buttons[0][0] == "Run again"
    assert opened.window.strip.state_of(f"{job.id}:5") == "failed"


def test_compare_needs_something_to_compare(opened: OpenWindow) -> None:
    window = opened.window
    window.run_view.show_view("compare")
    assert window.canvas.view == "collage"
    job = _started(opened, (5,))
    _produce(opened, job, 5)
    opened.session.runs.handle(job.id, Finished())
    window.table.run("view.compare")
    assert window.canvas.view == "compare"


def test_job_without_a_layer_says_what_is_missing(opened: OpenWindow) -> None:
    editor = opened.session.editor
    opened.session.selection.select(["tent", "dog", "trees"])
    opened.window.table.run("edit.delete")
    opened.session.selection.select([editor.document.background.id])
    opened.window.table.run("layer.visible")
    opened.window.table.run("harmonise.run")
    assert not opened.session.runs.board.jobs
