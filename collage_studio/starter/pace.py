"""How a training of the starter's networks goes along: how far it is, how large its windows are."""

from __future__ import annotations

from typing import Protocol


class Pace(Protocol):
    """What a training's configuration says about its course."""

    @property
    def steps(self) -> int | None: ...
    @property
    def minutes(self) -> float: ...
    @property
    def batch(self) -> int: ...
    @property
    def small_window(self) -> int: ...
    @property
    def whole_window(self) -> int: ...
    @property
    def whole_from(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def warm_steps(self) -> int: ...
    @property
    def decay_from(self) -> float: ...


def share_done(pace: Pace, step: int, elapsed: float) -> float:
    """The share of the training that lies behind, 0..1, by steps if told, otherwise by time.

    Args:
        elapsed: seconds of training so far.
    """
    if pace.steps is not None:
        return step / pace.steps
    return min(elapsed / (60 * pace.minutes), 1.0)


def window_and_batch(pace: Pace, done: float) -> tuple[int, int]:
    """Side of a window in latent cells, and how many windows: whole canvases towards the end."""
    if done < pace.whole_from:
        return pace.small_window, pace.batch
    count = pace.batch * pace.small_window**2 // pace.whole_window**2
    return pace.whole_window, max(1, count)


def rate_at(pace: Pace, step: int, done: float) -> float:
    """The learning rate of a step: rising at first, falling to 0 from `decay_from` on."""
    warmth = min(1.0, (step + 1) / pace.warm_steps)
    fade = min(1.0, max(0.0, 1 - done) / (1 - pace.decay_from))
    return pace.learning_rate * warmth * fade
