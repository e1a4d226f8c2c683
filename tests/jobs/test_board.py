"""The job board: a state machine over events."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_documents import request

from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.engine.api import (
    Cancelled,
    Event,
    Failed,
    FetchRequest,
    Finished,
    Picture,
    Previewed,
    Produced,
    Started,
    Stepped,
)
from collage_studio.jobs.board import Job, JobBoard, JobState

PICTURE: Picture = np.zeros((2, 2, 3), np.uint8)
RECIPE = Recipe("harmonise", 1, RunSettings(), "")


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def sent(board: JobBoard, *seeds: int) -> Job:
    job = board.add(request(*seeds), "Harmonise")
    board.mark_sent(job.id)
    return job


def test_a_new_job_waits_and_is_the_next_to_run():
    board = JobBoard()
    job = board.add(request(1), "Harmonise")
    assert job.state is JobState.WAITING
    assert board.next_to_run() == job
    assert board.running is None


def test_only_one_job_runs_at_a_time():
    board = JobBoard()
    first = sent(board, 1)
    board.add(request(2), "Harmonise")
    assert board.running is not None
    assert board.running.id == first.id
    assert board.next_to_run() is None


def test_a_download_and_a_run_do_not_wait_for_each_other():
    board = JobBoard()
    fetch = board.add(FetchRequest("owner/name"), "Fetch")
    other = board.add(FetchRequest("owner/other"), "Fetch")
    board.mark_sent(fetch.id)
    assert board.running == board.find(fetch.id)
    assert board.next_to_run() is None
    job = board.add(request(1), "Harmonise")
    assert board.next_to_run() == job
    board.mark_sent(job.id)
    assert board.running == board.find(job.id)
    assert {one.id for one in board.in_progress} == {fetch.id, job.id}
    assert board.next_to_run() is None
    board.handle(fetch.id, Finished())
    assert board.next_to_run() == other
    assert board.running == board.find(job.id)


def test_a_paused_board_lets_nothing_start():
    board = JobBoard()
    board.add(request(1), "Harmonise")
    board.paused = True
    assert board.next_to_run() is None


def test_a_job_goes_from_waiting_to_done():
    board, states = JobBoard(), list[tuple[JobState, int, float]]()
    board.changed.subscribe(lambda job: states.append((job.state, job.step, job.progress)))
    job = sent(board, 5)
    for event in (
        Started((5,), 2),
        Stepped((5,), 1, 2),
        Previewed(5, 1, PICTURE),
        Stepped((5,), 2, 2),
        Produced(5, PICTURE, RECIPE),
        Finished(),
    ):
        board.handle(job.id, event)
    assert states == [
        (JobState.WAITING, 0, 0.0),
        (JobState.RUNNING, 0, 0.0),
        (JobState.RUNNING, 0, 0.0),
        (JobState.RUNNING, 1, 0.5),
        (JobState.RUNNING, 2, 1.0),
        (JobState.RUNNING, 2, 1.0),
        (JobState.DONE, 2, 1.0),
    ]


def test_a_failure_keeps_its_sentence_and_remedy():
    board = JobBoard()
    job = sent(board, 1)
    board.handle(job.id, Failed("The file of SDXL base is gone.", "choose_model", "details"))
    failed = board.jobs[0]
    assert (failed.state, failed.message) == (JobState.FAILED, "The file of SDXL base is gone.")
    assert (failed.remedy, failed.details) == ("choose_model", "details")


def test_events_of_a_job_that_is_over_change_nothing():
    board = JobBoard()
    job = sent(board, 1)
    board.handle(job.id, Cancelled())
    before = board.jobs
    board.handle(job.id, Stepped((1,), 1, 2))
    board.handle(job.id, Finished())
    assert board.jobs == before


def test_events_of_an_unknown_job_are_non_events():
    board = JobBoard()
    board.handle("gone", Finished())
    assert board.jobs == ()


def test_time_left_follows_from_the_pace_of_steps_not_from_loading():
    clock = Clock()
    board = JobBoard(clock)
    job = sent(board, 1, 2)
    clock.now += 60
    board.handle(job.id, Started((1, 2), 10))
    board.handle(job.id, Stepped((1,), 1, 10))
    assert board.jobs[0].seconds_left is None
    clock.now += 2
    board.handle(job.id, Stepped((1,), 2, 10))
    assert board.jobs[0].seconds_left == pytest.approx(2 * 18)
    clock.now += 2
    board.handle(job.id, Stepped((1,), 3, 10))
    assert board.jobs[0].seconds_left == pytest.approx(2 * 17)


def test_time_left_counts_seeds_that_run_together_as_one_step():
    clock = Clock()
    board = JobBoard(clock)
    job = sent(board, 1, 2, 3, 4)
    board.handle(job.id, Started((1, 2, 3, 4), 10))
    board.handle(job.id, Stepped((1, 2), 1, 10))
    clock.now += 1
    board.handle(job.id, Stepped((1, 2), 2, 10))
    assert board.jobs[0].seconds_left == pytest.approx(8 + 10)


def test_retry_waits_again_for_the_seeds_still_owed():
    board = JobBoard()
    job = sent(board, 1, 2, 3)
    board.handle(job.id, Produced(1, PICTURE, RECIPE))
    board.handle(job.id, Failed("It stopped."))
    again = board.retry(job.id)
    assert (again.id, again.state, again.seeds) == (job.id, JobState.WAITING, (2, 3))
    assert again.message == ""
    assert board.next_to_run() == again


def test_a_running_job_is_neither_retried_nor_removed():
    board = JobBoard()
    job = sent(board, 1)
    board.remove(job.id)
    assert board.retry(job.id).state is JobState.RUNNING
    assert len(board.jobs) == 1


def test_waiting_jobs_can_be_put_in_another_order():
    board = JobBoard()
    running = sent(board, 1)
    a, b, c = (board.add(request(seed), f"Run {seed}") for seed in (2, 3, 4))
    board.move(c.id, 0)
    board.move(running.id, 2)
    assert [job.id for job in board.waiting] == [c.id, a.id, b.id]
    board.remove(a.id)
    assert [job.id for job in board.jobs] == [running.id, c.id, b.id]


EVENTS: list[Event] = [
    Started((1, 2), 3),
    Stepped((1,), 2, 3),
    Stepped((1, 2), 3, 3),
    Previewed(1, 1, PICTURE),
    Produced(1, PICTURE, RECIPE),
    Produced(2, PICTURE, RECIPE),
    Finished(),
    Failed("No."),
    Cancelled(),
]


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_whatever_arrives_progress_stays_in_range_and_the_end_is_final(events: list[Event]):
    board, seen = JobBoard(), list[Job]()
    job = sent(board, 1, 2)
    for event in events:
        board.handle(job.id, event)
        seen.append(board.jobs[0])
    assert all(0.0 <= state.progress <= 1.0 for state in seen)
    assert all(later == earlier for earlier, later in pairwise(seen) if earlier.is_over)
