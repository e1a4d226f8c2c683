"""The list of jobs and what state each is in: a state machine fed with the engine's events."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from collage_studio.document.announcer import Announcer
from collage_studio.engine.api import (
    Cancelled,
    Downloaded,
    Event,
    Failed,
    FetchRequest,
    FillRequest,
    Finished,
    LearnProgress,
    LearnRequest,
    PictureRequest,
    Produced,
    Request,
    Started,
    Stepped,
)


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """One run of the engine as the user sees it.

    Args:
        step: of `steps`, for `current_seed`; 0 before the first step.
        seeds_done: seeds whose picture has arrived.
        seconds_left: estimate for the whole job; None while nothing is known.
        message: why it failed, one sentence; empty otherwise.
        remedy: what may be offered after a failure, as in `engine.api.Failed`.
        details: technical text behind `message`.
        created: seconds since the epoch.
        shares: of a job that learns: each layer's loss as a share of its first.
        fetched: bytes of its model that have arrived, and all of them; (0, 0) = none is fetched.
    """

    id: str
    title: str
    request: Request
    state: JobState = JobState.WAITING
    step: int = 0
    steps: int = 0
    seeds_done: tuple[int, ...] = ()
    current_seed: int | None = None
    seconds_left: float | None = None
    message: str = ""
    remedy: str = ""
    details: str = ""
    warnings: tuple[str, ...] = ()
    created: float = 0.0
    batch: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()
    fetched: tuple[int, int] = (0, 0)

    @property
    def seeds(self) -> tuple[int, ...]:
        return self.request.seeds

    @property
    def is_over(self) -> bool:
        return self.state in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}

    @property
    def progress(self) -> float:
        """[0, 1] over all seeds."""
        if self.state is JobState.DONE:
            return 1.0
        total = self._units
        return min(1.0, self._units_done / total) if total else 0.0

    @property
    def is_learning(self) -> bool:
        """It ends in looks, not in pictures."""
        return isinstance(self.request, LearnRequest)

    @property
    def is_filling(self) -> bool:
        """It paints what layers hide."""
        return isinstance(self.request, FillRequest)

    @property
    def makes_pictures(self) -> bool:
        """It ends in variations."""
        return isinstance(self.request, PictureRequest)

    @property
    def is_fetch(self) -> bool:
        """It only fetches a model, and belongs to no document."""
        return isinstance(self.request, FetchRequest)

    @property
    def is_fetching(self) -> bool:
        """Its model is being fetched, or that is all it does."""
        return self.fetched[1] > 0 and self.steps == 0

    @property
    def _units(self) -> int:
        if self.is_fetching:
            return self.fetched[1]
        return self.steps * len(self.seeds) if self.makes_pictures else self.steps

    @property
    def current_number(self) -> int:
        """Which variation is being made, from 1."""
        return min(len(self.seeds_done) + 1, max(1, len(self.seeds)))

    @property
    def _units_done(self) -> int:
        """Steps times seeds that are behind us, or bytes."""
        if self.is_fetching:
            return self.fetched[0]
        if not self.makes_pictures:
            return self.step
        under_way = [seed for seed in self.batch if seed not in self.seeds_done]
        return len(self.seeds_done) * self.steps + self.step * len(under_way)

    @property
    def units_left(self) -> int:
        return max(0, self._units - self._units_done)


class _Pace:
    """Seconds per step and seed of one running job, without the time before the first step."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def seconds_left(self, job: Job, now: float) -> float | None:
        if self._first is None:
            self._first = (now, job.units_left)
            return None
        since, left_then = self._first
        done = left_then - job.units_left
        return (now - since) / done * job.units_left if done > 0 else None


class JobBoard:
    """All jobs in the order they will run. Lives on the main thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._paces: dict[str, _Pace] = {}
        self.paused = False
        self.changed: Announcer[Job] = Announcer()

    @property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(self._jobs.values())

    @property
    def in_progress(self) -> tuple[Job, ...]:
        """At most one run and one download."""
        return tuple(job for job in self.jobs if job.state is JobState.RUNNING)

    @property
    def running(self) -> Job | None:
        """The run in progress; without one the download."""
        found = self.in_progress
        return next((job for job in found if not job.is_fetch), next(iter(found), None))

    @property
    def waiting(self) -> tuple[Job, ...]:
        return tuple(job for job in self.jobs if job.state is JobState.WAITING)

    def find(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def add(self, request: Request, title: str) -> Job:
        """A new job at the end of the queue."""
        job = Job(uuid.uuid4().hex[:12], title, request, created=time.time())
        self._put(job)
        return job

    def next_to_run(self) -> Job | None:
        """The job to send now, if there is one: runs and downloads do not wait for each other."""
        if self.paused:
            return None
        busy = {job.is_fetch for job in self.in_progress}
        return next((job for job in self.waiting if job.is_fetch not in busy), None)

    def mark_sent(self, job_id: str) -> None:
        """The engine has this job now."""
        job = self._jobs[job_id]
        self._paces[job_id] = _Pace()
        self._put(replace(job, state=JobState.RUNNING))

    def handle(self, job_id: str, event: Event) -> None:
        """Take in an event; one for a job that is gone or over is a non-event."""
        job = self._jobs.get(job_id)
        if job is None or job.is_over:
            return
        after = self._after(job, event)
        if after.is_over:
            self._paces.pop(job_id, None)
        if after is not job:
            self._put(after)

    def remove(self, job_id: str) -> None:
        """Take a job that does not run off the list."""
        job = self._jobs.get(job_id)
        if job is not None and job.state is not JobState.RUNNING:
            del self._jobs[job_id]
            self.changed.announce(job)

    def clear(self) -> None:
        """Forget every job of a document; their late events become non-events."""
        gone = [job for job in self.jobs if not job.is_fetch]
        for job in gone:
            del self._jobs[job.id]
            self._paces.pop(job.id, None)
        for job in gone:
            self.changed.announce(job)

    def retry(self, job_id: str, request: Request | None = None) -> Job:
        """Let a job that is over wait again, for the seeds that are still missing."""
        job = self._jobs[job_id]
        if not job.is_over:
            return job
        request = job.request if request is None else request
        if isinstance(request, PictureRequest):
            missing = tuple(seed for seed in request.seeds if seed not in job.seeds_done)
            request = replace(request, seeds=missing or request.seeds)
        fresh = Job(job.id, job.title, request, created=job.created)
        del self._jobs[job_id]
        self._put(fresh)
        return fresh

    def move(self, job_id: str, index: int) -> None:
        """Put a waiting job at place `index` among the waiting ones."""
        waiting = list(self.waiting)
        job = self._jobs.get(job_id)
        if job is None or job not in waiting:
            return
        waiting.remove(job)
        waiting.insert(max(0, min(index, len(waiting))), job)
        others = [other for other in self.jobs if other.state is not JobState.WAITING]
        self._jobs = {other.id: other for other in (*others, *waiting)}
        self.changed.announce(job)

    def _put(self, job: Job) -> None:
        self._jobs[job.id] = job
        self.changed.announce(job)

    def _after(self, job: Job, event: Event) -> Job:
        match event:
            case Downloaded(done=done, total=total):
                return self._timed(replace(job, state=JobState.RUNNING, fetched=(done, total)))
            case Started(steps=steps, warnings=warnings):
                self._paces[job.id] = _Pace()
                return replace(job, state=JobState.RUNNING, steps=steps, warnings=warnings)
            case Stepped():
                return self._stepped(job, event)
            case LearnProgress(step=step, steps=steps):
                after = replace(job, state=JobState.RUNNING, step=step, steps=steps)
                return self._timed(replace(after, shares=event.shares))
            case Produced(seed=seed):
                done = tuple(dict.fromkeys((*job.seeds_done, seed)))
                return self._timed(replace(job, seeds_done=done))
            case Finished():
                return replace(job, state=JobState.DONE, seconds_left=None)
            case Cancelled():
                return replace(job, state=JobState.CANCELLED, seconds_left=None)
            case Failed(message=message, remedy=remedy, details=details):
                return replace(
                    job,
                    state=JobState.FAILED,
                    message=message,
                    remedy=remedy,
                    details=details,
                    seconds_left=None,
                )
            case _:
                return job

    def _stepped(self, job: Job, event: Stepped) -> Job:
        current = event.seeds[0] if event.seeds else None
        return self._timed(
            replace(
                job,
                state=JobState.RUNNING,
                step=event.step,
                steps=event.steps,
                batch=event.seeds,
                current_seed=current,
            )
        )

    def _timed(self, job: Job) -> Job:
        pace = self._paces.setdefault(job.id, _Pace())
        return replace(job, seconds_left=pace.seconds_left(job, self._clock()))
