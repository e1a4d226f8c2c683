"""The queue: what runs, what waits, what failed, what is done."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from collage_studio.app.runs import RunController
from collage_studio.engine.api import RerollRequest
from collage_studio.jobs.board import Job, JobState
from collage_studio.ui.panels.caption_bar import time_words, where_words
from collage_studio.ui.style.icons import icon
from collage_studio.ui.widgets.basics import Button, Label, line, on_click, tool_button
from collage_studio.ui.widgets.popover import Popover
from collage_studio.ui.widgets.progress import ProgressLine


def second_line(job: Job) -> tuple[str, str]:
    """What a job's row says below its title, and in which role."""
    match job.state:
        case JobState.RUNNING:
            left = f", {time_words(job.seconds_left)} left" if job.seconds_left is not None else ""
            return where_words(job) + left, "second"
        case JobState.WAITING:
            return "waiting", "second"
        case JobState.FAILED:
            return job.message or "did not finish", "danger"
        case JobState.CANCELLED:
            return "cancelled", "second"
        case _:
            if job.is_fetch:
                return "done, it is on this computer", "second"
            if job.is_learning:
                return "done, the layer wears it", "second"
            if job.is_filling:
                return "done, what was hidden is painted", "second"
            done = len(job.seeds_done)
            return f"done, {done} variation" + ("" if done == 1 else "s"), "second"


class JobRow(QWidget):
    """One job: icon, title, where it is, and what can be done."""

    def __init__(self, job: Job, runs: RunController) -> None:
        super().__init__()
        self.job_id = job.id
        row = QHBoxLayout()
        row.setContentsMargins(12, 6, 8, 6)
        row.setSpacing(10)
        picture = QLabel()
        name, token = _icon(job)
        picture.setPixmap(icon(name, token).pixmap(QSize(18, 18), self.devicePixelRatioF()))
        row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(Label(job.title, "title", elide=True))
        self._line = Label("", "second", elide=True)
        words.addWidget(self._line)
        row.addLayout(words, 1)
        for button in _buttons(job, runs):
            row.addWidget(button)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(row)
        self._bar = ProgressLine(f"Progress of {job.title}", height=2)
        self._bar.setVisible(job.state is JobState.RUNNING)
        whole.addWidget(self._bar)
        whole.addWidget(line("h"))
        self.show_job(job)

    def show_job(self, job: Job) -> None:
        """Show where the job is; buttons belong to its state and stay."""
        words, role = second_line(job)
        self._line.set_role(role)
        self._line.show_text(words)
        self._bar.show_share(job.progress)
        self.setAccessibleName(f"{job.title}, {words}")


def _icon(job: Job) -> tuple[str, str]:
    if job.state is JobState.FAILED:
        return "warning", "danger"
    if job.state is JobState.DONE:
        return "check", "ok"
    token = "accent" if job.state is JobState.RUNNING else "t2"
    if job.is_fetch:
        return "fetch", token
    if job.is_learning:
        return "learn", token
    if job.is_filling:
        return "fill", token
    return ("reroll" if isinstance(job.request, RerollRequest) else "harmonise"), token


def _buttons(job: Job, runs: RunController) -> list[Button]:
    if job.state is JobState.FAILED or job.state is JobState.CANCELLED:
        retry = Button("Retry", kind="link", tooltip="Retry: Runs what is missing again.")
        on_click(retry, lambda: runs.retry(job.id))
        away = tool_button("close", "Remove from the list", size=24)
        on_click(away, lambda: runs.board.remove(job.id))
        return [retry, away]
    if job.state is JobState.DONE:
        away = tool_button("close", "Remove from the list", size=24)
        on_click(away, lambda: runs.board.remove(job.id))
        return [away]
    made: list[Button] = []
    if job.state is JobState.WAITING:
        sooner = tool_button("chevron-up", "Sooner: One place nearer to the front.", size=24)
        on_click(sooner, lambda: _sooner(job, runs))
        made.append(sooner)
    cross = tool_button("close", "Cancel: Stops the run within a step.", size=24)
    on_click(cross, lambda: runs.cancel(job.id))
    return [*made, cross]


def _sooner(job: Job, runs: RunController) -> None:
    waiting = [other.id for other in runs.board.waiting]
    if job.id in waiting:
        runs.board.move(job.id, max(0, waiting.index(job.id) - 1))


class QueuePopover(Popover):
    """Lists the jobs of this session, running first."""

    def __init__(self, window: QWidget, runs: RunController) -> None:
        super().__init__(window, "Queue", 300)
        self._runs = runs
        self._rows: dict[str, JobRow] = {}
        self._signature: tuple[tuple[str, JobState], ...] = ()
        self._pause = Button("Pause", kind="link", tooltip="Pause: Holds back what waits.")
        self._list = QVBoxLayout()
        self._foot = Label("", "hint")
        self._build()
        self._subscription = runs.job_changed.subscribe(lambda job: self._on_job())

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        self._subscription.close()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(12, 8, 8, 6)
        head.addWidget(Label("Queue", "title"))
        head.addStretch(1)
        head.addWidget(self._pause)
        self.body.addLayout(head)
        self.body.addWidget(line("h"))
        inner = QWidget()
        self._list = QVBoxLayout(inner)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(0)
        self._list.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(inner)
        area.setFixedHeight(220)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.body.addWidget(area)
        self._foot.setContentsMargins(12, 8, 12, 10)
        self.body.addWidget(self._foot)
        on_click(self._pause, self._toggle_pause)

    def prepare(self) -> None:
        """Show the jobs."""
        order = {JobState.RUNNING: 0, JobState.WAITING: 1}
        jobs = sorted(self._runs.board.jobs, key=lambda job: order.get(job.state, 2))
        signature = tuple((job.id, job.state) for job in jobs)
        if signature != self._signature:
            self._signature = signature
            self._rebuild(jobs)
        for job in jobs:
            self._rows[job.id].show_job(job)
        paused = self._runs.board.paused
        self._pause.setText("Go on" if paused else "Pause")
        self._foot.show_text(
            "Paused: what waits stays waiting."
            if paused
            else ("Nothing runs at the moment." if not jobs else "Editing goes on while these run.")
        )

    def _rebuild(self, jobs: list[Job]) -> None:
        for row in self._rows.values():
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._rows = {job.id: JobRow(job, self._runs) for job in jobs}
        for place, row in enumerate(self._rows.values()):
            self._list.insertWidget(place, row)

    def _on_job(self) -> None:
        if self.isVisible():
            self.prepare()

    def _toggle_pause(self) -> None:
        self._runs.set_paused(not self._runs.board.paused)
        self.prepare()
