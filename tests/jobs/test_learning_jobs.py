"""Jobs that learn: their progress in the queue, and looks across the wire."""

from __future__ import annotations

import numpy as np
import pytest
from small_documents import collage

from collage_studio.app.looks import learn_request, with_looks
from collage_studio.document.looks import Look, LookRecipe
from collage_studio.engine.api import Finished, Learned, LearnProgress, LearnRequest, Started
from collage_studio.jobs.board import JobBoard, JobState
from collage_studio.jobs.segments import Outbox
from collage_studio.jobs.wire import Happened, Run, pack, unpack

LOOK = Look.of({"clip_l": np.ones((4, 768), np.float32)}, LookRecipe("Tent", "a tent"))


def request() -> LearnRequest:
    return learn_request(collage(2), ["layer0", "layer1"])


def test_progress_is_the_share_of_steps() -> None:
    now = [0.0]
    board = JobBoard(lambda: now[0])
    job = board.add(request(), "Learn 2 looks")
    board.mark_sent(job.id)
    board.handle(job.id, Started((), 200))
    board.handle(job.id, LearnProgress(0, 200))
    now[0] = 10.0
    board.handle(job.id, LearnProgress(50, 200, (0.9, 0.8)))
    found = board.find(job.id)
    assert found is not None
    assert found.progress == pytest.approx(0.25)
    assert found.seconds_left == pytest.approx(30.0)
    assert found.shares == (0.9, 0.8)
    board.handle(job.id, Finished())
    assert board.jobs[0].state is JobState.DONE
    assert board.jobs[0].progress == 1.0


def test_a_learning_job_can_wait_again() -> None:
    board = JobBoard()
    job = board.add(request(), "Learn 2 looks")
    board.handle(job.id, Finished())
    assert board.retry(job.id).state is JobState.WAITING
    assert isinstance(board.jobs[0].request, LearnRequest)


def test_looks_cross_the_wire_both_ways() -> None:
    outbox = Outbox("cstlook", unlinks=True)
    worn = with_looks(collage(1), {"layer0": LOOK})
    packed = pack(Run("j", learn_request(worn, ["layer0"])), outbox)
    arrived = unpack(packed.data, lambda _ref: np.zeros(0), packed.assets.get).message
    assert isinstance(arrived, Run)
    layer = arrived.request.document.find("layer0")
    assert layer is not None
    assert layer.look == LOOK
    back = unpack(
        pack(Happened("j", Learned("layer0", LOOK)), outbox).data, lambda _ref: np.zeros(0)
    )
    assert isinstance(back.message, Happened)
    assert back.message.event == Learned("layer0", LOOK)
    outbox.clear()
