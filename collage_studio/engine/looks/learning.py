"""A learn request as a stream of events: progress, usable looks on the way, the finished ones."""

from __future__ import annotations

from collections.abc import Iterator

from collage_studio.engine.api import (
    Event,
    Finished,
    Learned,
    LearnProgress,
    LearnRequest,
    Started,
)
from collage_studio.engine.cancel import IsCancelled, Stopped
from collage_studio.engine.families.base import Family
from collage_studio.engine.looks.tensors import lessons_of, look_of
from collage_studio.engine.looks.textual_inversion import Course, Learnt

KEEP_EVERY = 50
"""Steps after which a look that is still being learned is handed over."""


def learn(family: Family, request: LearnRequest, is_cancelled: IsCancelled) -> Iterator[Event]:
    """Learn the request's looks in one batch.

    Each layer's look is handed over every `KEEP_EVERY` steps, when it is finished, and before a
    cancel takes effect, so nothing that was learned is lost.

    Raises:
        BadRequest: a layer cannot be learned. Stopped: the user ended it.
    """
    lessons = lessons_of(request, family)
    yield Started((), request.learning.steps)
    made = Course(family, lessons, request.learning, request.settings.sampler, is_cancelled)
    pending: dict[str, Learnt] = {}
    try:
        for step in made.steps():
            pending |= {state.layer_id: state for state in step.states if step.step}
            yield LearnProgress(step.step, step.steps, step.shares)
            is_due = step.step % KEEP_EVERY == 0
            for state in [s for s in pending.values() if is_due or s.is_finished]:
                del pending[state.layer_id]
                yield Learned(state.layer_id, look_of(state, request, family))
    except Stopped:
        for state in pending.values():
            yield Learned(state.layer_id, look_of(state, request, family))
        raise
    yield Finished()
