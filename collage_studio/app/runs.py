"""Harmonise, re-roll and their variations: between the editor, the queue and the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from collage_studio.app import run_notices
from collage_studio.app.changed import changed_request, reason_against_changed
from collage_studio.app.editor import Editor
from collage_studio.app.filling import NOTHING, Fillings, fill_request, reason_against_filling
from collage_studio.app.kept_queue import KeptJob, unfinished
from collage_studio.app.learning import Lessons, again, go_on_request
from collage_studio.app.looks import learn_request, reason_against_learning
from collage_studio.app.matrix import mix_request, reason_against_taking
from collage_studio.app.notices import Notice
from collage_studio.app.requests import (
    harmonise_request,
    has_something_to_run,
    measured_by,
    new_seeds,
    next_run,
    reroll_request,
    smaller,
    title_of,
    variation_of,
)
from collage_studio.app.runner import Runner, run_now
from collage_studio.app.settings import Preferences
from collage_studio.document.announcer import Announcer
from collage_studio.document.edits import accept_variation, add_variations, drop_variation
from collage_studio.document.looks import Look
from collage_studio.document.method_settings import NAMES
from collage_studio.document.model import Document, Variation
from collage_studio.document.recipe import Start
from collage_studio.engine.api import (
    Cancelled,
    Event,
    Failed,
    FetchRequest,
    Filled,
    FillRequest,
    Finished,
    Learned,
    LearnRequest,
    LearnSettings,
    PictureRequest,
    Previewed,
    Produced,
    Request,
    Started,
)
from collage_studio.jobs.board import Job, JobBoard, JobState


class EnginePort(Protocol):
    """The engine as seen from the main thread; its events come back through `handle`."""

    def send(self, job_id: str, request: Request) -> None: ...

    def cancel(self, job_id: str) -> None: ...

    def restart(self) -> None: ...


class RunController:
    """Sends one run at a time and turns what comes back into variations. Main thread only."""

    def __init__(
        self,
        editor: Editor,
        board: JobBoard,
        engine: EnginePort,
        preferences: Callable[[], Preferences] = Preferences,
    ) -> None:
        """Args: preferences: gives the current ones, asked at each run."""
        self._editor = editor
        self._board = board
        self._engine = engine
        self._preferences = preferences
        self._runs: dict[str, int] = {}
        self._opened = 0
        self.previews: dict[tuple[str, int], Previewed] = {}
        self.job_changed: Announcer[Job] = Announcer()
        self.preview_changed: Announcer[tuple[str, Previewed]] = Announcer()
        self.produced: Announcer[Variation] = Announcer()
        self.notice: Announcer[Notice] = Announcer()
        self.learned: Announcer[Look] = Announcer()
        self.fetched: Announcer[str] = Announcer()
        self._lessons = Lessons(editor, self.learned.announce)
        self._fillings = Fillings(editor)
        self._subscriptions = (
            board.changed.subscribe(self.job_changed.announce),
            editor.replaced.subscribe(lambda _document: self.abandon()),
        )

    @property
    def board(self) -> JobBoard:
        return self._board

    def close(self) -> None:
        """Give up the subscriptions; the object is of no use afterwards."""
        for subscription in self._subscriptions:
            subscription.close()

    def harmonise(self, seeds: Sequence[int] | None = None) -> Job | None:
        """Queue a run over all layers, or those marked for re-roll; None if there is nothing."""
        document = self._editor.document
        if not has_something_to_run(document):
            self._tell("There is no picture to harmonise. Drop one on the canvas.", "file.add")
            return None
        return self._queue(harmonise_request(document, self._seeds(seeds)))

    def reroll(
        self,
        layer_ids: Sequence[str],
        seeds: Sequence[int] | None = None,
        start: Start = Start.CURRENT,
    ) -> Job | None:
        """Queue new pixels for these layers; None if none of them is there."""
        document = self._editor.document
        there = tuple(i for i in layer_ids if document.find(i) is not None)
        if not there:
            self._tell("No layer is selected to re-roll. Select one first.")
            return None
        return self._queue(reroll_request(document, there, self._seeds(seeds), start=start))

    def harmonise_changed(
        self, seeds: Sequence[int] | None = None, submit: Runner = run_now
    ) -> None:
        """Queue new pixels for what changed since the accepted picture, and for nothing else."""
        document = self._editor.document
        if reason := reason_against_changed(document):
            self._tell(reason)
            return
        chosen = self._seeds(seeds)
        self._prepare(submit, lambda: changed_request(document, chosen))

    def take(
        self,
        layer_ids: Sequence[str],
        source: Variation,
        base: Variation,
        seed: int | None = None,
        submit: Runner = run_now,
    ) -> None:
        """Queue joining these layers of `source` with the rest of `base`."""
        document = self._editor.document
        if reason := reason_against_taking(document, layer_ids, source, base):
            self._tell(reason)
            return
        seeds = (base.recipe.seed if seed is None else seed,)
        takes = dict.fromkeys(layer_ids, source)
        self._prepare(submit, lambda: mix_request(document, takes, base, seeds))

    def fill_behind(
        self,
        layer_ids: Sequence[str] = (),
        before: Document | None = None,
        submit: Runner = run_now,
    ) -> None:
        """Queue painting what these layers hide, or what any layer hides if none are named.

        Args:
            before: as in `app.filling.as_accepted`.
        """
        document, ids = self._editor.document, tuple(layer_ids)
        if reason := reason_against_filling(document):
            self._tell(reason)
            return
        seed = self._seeds(None)[0]
        self._prepare(submit, lambda: fill_request(document, ids, seed, before), NOTHING)

    def compare_methods(self, methods: Sequence[str] = tuple(NAMES)) -> list[Job]:
        """Queue one run for each method with the same seeds; all join one row of the strip."""
        document = self._editor.document
        if not has_something_to_run(document):
            self._tell("There is no picture to harmonise. Drop one on the canvas.", "file.add")
            return []
        seeds, run = self._seeds(None), 0
        jobs = list[Job]()
        for method in methods:
            settings = replace(document.settings, method=method)
            jobs.append(self._queue(harmonise_request(document, seeds, settings), run=run))
            run = self._run_of(jobs[0].id)
        return jobs

    def learn(self, layer_ids: Sequence[str], learning: LearnSettings | None = None) -> Job | None:
        """Queue learning the looks of these layers in one batch; None if that cannot be."""
        document = self._editor.document
        layers = [layer for i in layer_ids if (layer := document.find(i)) is not None]
        reason = reason_against_learning(layers)
        if reason:
            self._tell(reason)
            return None
        ids = tuple(layer.id for layer in layers)
        return self._queue(learn_request(document, ids, learning))

    def learn_on(self, layer_ids: Sequence[str]) -> Job | None:
        """Queue going on with looks that were not finished."""
        document = self._editor.document
        ids = tuple(i for i in layer_ids if document.find(i) is not None)
        request = go_on_request(document, ids, LearnSettings().vectors)
        return self._queue(request) if ids else None

    def fetch(self, model: str) -> Job:
        """Queue fetching a model from the hub, which the person has agreed to.

        One that is being fetched already, or waits to be, is not queued twice.
        """
        request = FetchRequest(model)
        under_way = (job for job in self._board.jobs if job.request == request and not job.is_over)
        return next(under_way, None) or self._queue(request)

    def more_seeds(self) -> Job | None:
        """Queue the newest run's recipe with new seeds; its variations join the same run."""
        job = self._newest()
        if job is None or not isinstance(job.request, PictureRequest):
            return self.harmonise()
        used = [
            other.seeds
            for other in self._board.jobs
            if self._runs.get(other.id) == self._run_of(job.id)
        ]
        seeds = new_seeds(self._preferences(), [seed for seeds in used for seed in seeds])
        return self._queue(replace(job.request, seeds=seeds), run=self._run_of(job.id))

    def cancel(self, job_id: str = "") -> None:
        """Stop a job within a step; without an id the running one, else the first that waits."""
        job = self._board.find(job_id) if job_id else self._current()
        if job is None or job.is_over:
            return
        if job.state is JobState.RUNNING:
            self._engine.cancel(job.id)
        else:
            self.handle(job.id, Cancelled())

    def retry(self, job_id: str = "", *, smaller_size: bool = False) -> Job | None:
        """Run a job that is over again, for the seeds it still owes; by default the last failed."""
        job = self._board.find(job_id) if job_id else self._last_failed()
        if job is None or not job.is_over:
            return None
        request = job.request
        if isinstance(request, LearnRequest):
            request = again(request, self._editor.document)
        elif smaller_size and isinstance(request, PictureRequest):
            request = replace(request, settings=smaller(request.settings, request.document))
        job = self._board.retry(job.id, request)
        self.dispatch()
        return self._board.find(job.id)

    def accept(self, variation_id: str) -> None:
        """Make a variation the document's picture; undo brings the former back."""
        self._editor.apply(lambda d: accept_variation(d, variation_id), "Accept variation")

    def drop(self, variation_id: str) -> None:
        """Take a variation off the strip."""
        self._editor.apply(lambda d: drop_variation(d, variation_id), "Delete variation")

    @property
    def unfinished(self) -> tuple[KeptJob, ...]:
        """What would be lost if the program ended now."""
        return unfinished(self._board, self._run_of)

    def put_back(self, jobs: Sequence[KeptJob]) -> None:
        """Queue what an earlier session left; nothing runs before the person says so."""
        self._board.paused = self._board.paused or bool(jobs)
        for kept in jobs:
            self._runs[self._board.add(kept.request, kept.title).id] = kept.run
        if jobs:
            self.notice.announce(run_notices.paused(len(self._board.waiting), is_kept=True))

    def set_paused(self, paused: bool) -> None:
        """Hold the queue back after the running job, or let it go on."""
        self._board.paused = paused
        self.dispatch()

    def abandon(self) -> None:
        """Another document was opened: stop all runs, late pictures reach nobody."""
        self._opened += 1
        running = self._board.running
        self._board.clear()
        self._board.paused = False
        self.previews.clear()
        self._runs.clear()
        self._lessons.forget()
        self._fillings.forget()
        if running is not None and not running.is_fetch:
            self._engine.cancel(running.id)

    def dispatch(self) -> None:
        """Send what can run now."""
        while (job := self._board.next_to_run()) is not None:
            self._board.mark_sent(job.id)
            self._engine.send(job.id, job.request)

    def handle(self, job_id: str, event: Event) -> None:
        """Take in an event of the engine; called on the main thread only."""
        job = self._board.find(job_id)
        if job is None or job.is_over:
            return
        self._board.handle(job_id, event)
        match event:
            case Previewed():
                self.previews[job_id, event.seed] = event
                self.preview_changed.announce((job_id, event))
            case Produced():
                self._take_picture(job, event)
            case Learned():
                self._lessons.take(job_id, event)
            case Filled():
                self._fillings.take(job_id, event)
            case Finished() if isinstance(job.request, FillRequest):
                self._fillings.apply(job_id, job.request)
            case Started(warnings=warnings):
                for warning in warnings:
                    self.notice.announce(Notice(warning, "warn", key=warning))
            case Failed():
                self.notice.announce(run_notices.failed(job_id, event))
            case _:
                pass
        job = self._board.find(job_id)
        if job is not None and job.is_over:
            self._end(job_id)
            if job.state is JobState.DONE and isinstance(job.request, FetchRequest):
                self.fetched.announce(job.request.model)

    def _prepare(
        self, submit: Runner, make: Callable[[], Request | None], otherwise: str = ""
    ) -> None:
        """Queue the request that `make` works out, unless another document was opened meanwhile.

        Args:
            otherwise: what to say where there is none.
        """
        opened = self._opened

        def arrived(request: Request | None) -> None:
            if opened != self._opened:
                return
            if request is None:
                self._tell(otherwise)
            else:
                self._queue(request)

        submit(make, arrived)

    def _queue(self, request: Request, run: int = 0) -> Job:
        request = measured_by(request, self._preferences().identity_model)
        job = self._board.add(request, title_of(request))
        self._runs[job.id] = run or next_run(self._editor.document, self._runs.values())
        self.dispatch()
        if self._board.paused:
            self.notice.announce(run_notices.paused(len(self._board.waiting)))
        return self._board.find(job.id) or job

    def _take_picture(self, job: Job, event: Produced) -> None:
        self.previews.pop((job.id, event.seed), None)
        height, width = event.picture.shape[:2]
        if (height, width) != self._editor.document.size.shape:
            self._tell("The canvas has a new size, so this variation was left out. Run it again.")
            return
        if not isinstance(job.request, PictureRequest):
            return
        variation = variation_of(event, self._run_of(job.id), job.request)
        self._editor.apply(
            lambda document: add_variations(document, [variation]),
            "Add variations",
            merge=f"run-{job.id}",
        )
        self.produced.announce(variation)

    def _end(self, job_id: str) -> None:
        for key in [key for key in self.previews if key[0] == job_id]:
            del self.previews[key]
        self._lessons.apply(job_id)
        self._fillings.drop(job_id)
        self._editor.seal()
        self.dispatch()

    def _seeds(self, seeds: Sequence[int] | None) -> tuple[int, ...]:
        return new_seeds(self._preferences()) if seeds is None else tuple(seeds)

    def _newest(self) -> Job | None:
        made = [job for job in self._board.jobs if isinstance(job.request, PictureRequest)]
        return max(made, key=lambda job: job.created, default=None)

    def _last_failed(self) -> Job | None:
        return next((job for job in self._board.jobs[::-1] if job.state is JobState.FAILED), None)

    def _current(self) -> Job | None:
        return self._board.running or next(iter(self._board.waiting), None)

    def _run_of(self, job_id: str) -> int:
        return self._runs.get(job_id, 1)

    def _tell(self, text: str, action: str = "") -> None:
        self.notice.announce(run_notices.told(text, action))
