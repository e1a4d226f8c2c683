"""Textual inversion (arXiv 2208.01618) per layer, as Collage Diffusion uses it (arXiv 2303.00262).

A few vectors in front of a layer's text are the only thing that learns; every network is frozen.
The pictures are encoded once, the loss counts the cutout's own pixels only and is divided by
their number, and several layers learn in one batch. Tensors are (B, C, h, w).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from collage_studio.engine.api import LearnSettings, OutOfMemory, Picture
from collage_studio.engine.cancel import IsCancelled, stoppable
from collage_studio.engine.families.base import (
    Conditioning,
    Family,
    Frame,
    LearnedWords,
    ReadText,
)
from collage_studio.engine.looks.learned import placeholders
from collage_studio.engine.looks.views import View, views_of
from collage_studio.engine.memory import explained_memory, release
from collage_studio.engine.schedule import LEAST_SIGNAL, Schedule

LEVELS = 100
"""Noise levels that learning draws from."""
LOWEST, HIGHEST = 0.25, 0.95
"""Fractions of the schedule: at less noise the pixels say everything, the words nothing."""
TEMPLATES = ("{}", "a picture of {}", "{} in the middle")
CHECK_EVERY = 10
CHECK_LEVELS = (0.4, 0.55, 0.7, 0.85)
_CHECKS = len(CHECK_LEVELS)
PATIENCE = 4
"""Checks without progress after which a layer has learned enough."""
PROGRESS = 0.004
"""Share by which the loss must fall to count as progress."""
VIEWS = 12
_HALF_SCALE = 1024.0
"""The loss is multiplied by this in half precision, where small gradients would vanish."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one layer gives to learn from.

    Args:
        cutout: (h, w, 4) uint8, straight alpha, full resolution.
        start: vectors (n, width) by encoder to go on from; None begins anew.
        steps: already done before.
    """

    layer_id: str
    text: str
    cutout: Picture
    start: Mapping[str, Tensor] | None = None
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Learnt:
    """Where one layer is.

    Args:
        vectors: (n, width) float32 on the CPU by encoder: the best so far.
        steps: done, of `planned` at most, those before a resume included.
        loss: on fixed noise, of these vectors; `first_loss` of the ones it began with.
    """

    layer_id: str
    vectors: Mapping[str, Tensor]
    steps: int
    loss: float
    first_loss: float
    is_finished: bool
    planned: int


@dataclass(frozen=True, slots=True)
class LearnStep:
    """Step `step` of at most `steps` is done; `states` are those checked or finished just now."""

    step: int
    steps: int
    shares: tuple[float, ...]
    states: tuple[Learnt, ...] = ()


def training_side(family: Family) -> int:
    """Side in px of the squares to learn from: three quarters of the model's own size.

    Half of it for models made for small pictures, which know such windows from their training.
    """
    share = 0.5 if family.native_px <= 256 else 0.75
    cell = family.factor * family.alignment
    return max(cell, round(family.native_px * share / cell) * cell)


def rows_per_layer(layers: int) -> int:
    """Pictures of each layer in one step: four layers together take six, one alone three."""
    return 3 if layers == 1 else 2 if layers == 2 else 1


class Course:
    """All layers that learn together."""

    def __init__(
        self,
        family: Family,
        lessons: Sequence[Lesson],
        settings: LearnSettings,
        sampler: str,
        is_cancelled: IsCancelled,
    ) -> None:
        """Encode the pictures and set the vectors up; takes a while."""
        self._family, self._settings = family, settings
        self._is_cancelled = is_cancelled
        self._generator = torch.Generator().manual_seed(
            settings.seed + sum(lesson.steps for lesson in lessons)
        )
        self._side = training_side(family)
        cells = self._side // family.factor
        self._frame = Frame.whole(cells, cells)
        self._schedule = family.schedule(sampler, LEVELS, self._frame.grid)
        self.pupils = [self._pupil(lesson) for lesson in lessons]
        self._is_short = False
        self._scale = 1.0 if family.device.type == "cpu" else _HALF_SCALE

    def _pupil(self, lesson: Lesson) -> Pupil:
        rng = np.random.default_rng([self._settings.seed, 5])
        views = views_of(lesson.cutout, self._side, VIEWS, rng)
        start = lesson.start or first_vectors(self._family, lesson.text, self._settings)
        with torch.no_grad(), stoppable(self._family.watched_modules(), self._is_cancelled):
            latents = torch.cat([self._family.encode(_tensor(view)).mean for view in views])
        masks = torch.cat([_cells(view, self._family.factor) for view in views])
        return Pupil(lesson, start, latents, masks.to(latents), self._family, self._settings)

    def steps(self) -> Iterator[LearnStep]:
        """Learn; every check gives a usable state, the last gives the finished ones."""
        total = self._settings.steps
        states = self._check(self.pupils, 0, total)
        yield LearnStep(0, total, self._shares(), states)
        for step in range(1, total + 1):
            active = [pupil for pupil in self.pupils if not pupil.is_over]
            if not active:
                return
            with torch.enable_grad(), self._stoppable():
                self._step(active, step, total)
            is_check = step % CHECK_EVERY == 0 or step == total
            states = self._check(active, step, total) if is_check else ()
            yield LearnStep(step, total, self._shares(), states)

    def _stoppable(self) -> AbstractContextManager[None]:
        return stoppable(self._family.watched_modules(), self._is_cancelled)

    def _shares(self) -> tuple[float, ...]:
        return tuple(pupil.share for pupil in self.pupils)

    def _step(self, active: Sequence[Pupil], step: int, total: int) -> None:
        template = TEMPLATES[int(torch.randint(len(TEMPLATES), (1,), generator=self._generator))]
        try:
            with explained_memory(self._family.device, 0):
                self._grade(active, template)
        except OutOfMemory:
            if self._is_short:
                raise
            self._is_short = True
            release(self._family.device)
            self._grade(active, template)
        for pupil in active:
            pupil.take_step(_rate(step + pupil.lesson.steps, total + pupil.lesson.steps))

    def _grade(self, active: Sequence[Pupil], template: str) -> None:
        """Give every vector its gradient; where memory is short, from one picture at a time."""
        for pupil in active:
            pupil.optimiser.zero_grad()
        rows = 1 if self._is_short else rows_per_layer(len(active))
        for group in self._groups(active):
            chosen = [self._drawn(pupil, rows) for pupil in group]
            texts = [pupil.read(template) for pupil in group]
            losses = self._losses(chosen, [text for text in texts for _ in range(rows)])
            (losses.sum() / rows * self._scale).backward()

    def _groups(self, pupils: Sequence[Pupil]) -> Sequence[Sequence[Pupil]]:
        """Who shares a call of the network."""
        return [[pupil] for pupil in pupils] if self._is_short else [pupils]

    def _drawn(self, pupil: Pupil, rows: int) -> _Rows:
        """Views, noise and levels of one layer; the levels spread over the whole range."""
        views = torch.randint(len(pupil.latents), (rows,), generator=self._generator)
        spread = (torch.arange(rows) + torch.rand(rows, generator=self._generator)) / rows
        levels = (LOWEST + (HIGHEST - LOWEST) * spread).tolist()
        shape = (rows, *pupil.latents.shape[1:])
        noise = torch.randn(shape, generator=self._generator)
        return _Rows(pupil.latents[views], pupil.masks[views], noise.to(pupil.latents), levels)

    def _losses(self, chosen: Sequence[_Rows], texts: Sequence[ReadText]) -> Tensor:
        """(B,) mean squared error of v over the cutout's cells, of all rows one after the other.

        |v' - v|^2 = |z' - z|^2 / b^2, which weighs all levels alike in every family.
        """
        clean = torch.cat([rows.latents for rows in chosen])
        masks = torch.cat([rows.masks for rows in chosen])
        noise = torch.cat([rows.noise for rows in chosen])
        indices = [
            len(self._schedule) - 1 - int(level * (len(self._schedule) - 1))
            for rows in chosen
            for level in rows.levels
        ]
        a, b = (
            torch.tensor([self._schedule.before[i][part] for i in indices])
            .to(clean)
            .view(-1, 1, 1, 1)
            for part in (0, 1)
        )
        x = a * clean + b * noise
        told = Conditioning(texts, (self._frame,))
        out = self._family.forward(x, _one_step(self._schedule, indices), 0, told)
        estimates = torch.cat(
            [
                self._family.interpret(out[i : i + 1], x[i : i + 1], self._schedule, index).x0
                for i, index in enumerate(indices)
            ]
        )
        error = ((estimates - clean) ** 2).mean(1, keepdim=True) / b.clamp_min(LEAST_SIGNAL) ** 2
        return (error * masks).sum((1, 2, 3)) / masks.sum((1, 2, 3))

    @torch.no_grad()
    def _check(self, pupils: Sequence[Pupil], step: int, total: int) -> tuple[Learnt, ...]:
        """The loss of each on the same views, noise and levels as ever."""
        for group in self._groups(pupils):
            texts = [text for pupil in group for text in [pupil.read(TEMPLATES[0])] * _CHECKS]
            with self._stoppable():
                losses = self._losses([pupil.test for pupil in group], texts)
            for pupil, own in zip(group, losses.split(_CHECKS), strict=True):
                pupil.note(float(own.mean()), step, is_last=step == total)
        return tuple(pupil.state() for pupil in pupils)


@dataclass(frozen=True, slots=True)
class _Rows:
    latents: Tensor
    masks: Tensor
    noise: Tensor
    levels: Sequence[float]


class Pupil:
    """One layer's vectors, pictures and progress."""

    def __init__(
        self,
        lesson: Lesson,
        start: Mapping[str, Tensor],
        latents: Tensor,
        masks: Tensor,
        family: Family,
        settings: LearnSettings,
    ) -> None:
        self.lesson, self.latents, self.masks = lesson, latents, masks
        self._family = family
        device = family.device
        self.vectors = {
            name: part.detach().to(device, torch.float32).clone().requires_grad_(True)
            for name, part in start.items()
        }
        self._rates = [
            settings.rate * float(family.vocabularies[name].weight.float().std())
            for name in self.vectors
        ]
        groups = [
            {"params": [part], "lr": rate}
            for part, rate in zip(self.vectors.values(), self._rates, strict=True)
        ]
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
        generator = torch.Generator().manual_seed(7)
        shape = (len(CHECK_LEVELS), *latents.shape[1:])
        noise = torch.randn(shape, generator=generator).to(latents)
        views = torch.arange(len(CHECK_LEVELS)) % len(latents)
        self.test = _Rows(latents[views], masks[views], noise, CHECK_LEVELS)
        self._best: dict[str, Tensor] = {}
        self._best_loss = self._first_loss = math.nan
        self._marked = math.inf
        self._waited = 0
        self._steps = lesson.steps
        self._planned = lesson.steps + settings.steps
        self.is_over = False

    @property
    def share(self) -> float:
        """The best loss as a share of the first."""
        return self._best_loss / self._first_loss if self._first_loss else 1.0

    def read(self, template: str) -> ReadText:
        """The template with the learned words and the layer's own text in it."""
        count = len(next(iter(self.vectors.values())))
        words, places = placeholders(count)
        before = template.index("{}")
        text = template.format(words + self.lesson.text)
        moved = tuple((start + before, end + before) for start, end in places)
        return self._family.read_text(text, (LearnedWords(moved, self.vectors),))

    def take_step(self, share: float) -> None:
        """One step of Adam at this share of the full rate; a gradient that overflowed is none."""
        grads = [part.grad for part in self.vectors.values()]
        if not all(grad is not None and bool(torch.isfinite(grad).all()) for grad in grads):
            return
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        self.optimiser.step()

    def note(self, loss: float, step: int, *, is_last: bool) -> None:
        """Take in a checked loss; decide whether this layer has learned enough."""
        self._steps = self.lesson.steps + step
        if not self._best:
            self._first_loss = loss
        if not self._best or loss < self._best_loss:
            self._best_loss = loss
            self._best = {name: part.detach().cpu().clone() for name, part in self.vectors.items()}
        if loss < self._marked * (1.0 - PROGRESS):
            self._marked, self._waited = loss, 0
        else:
            self._waited += 1
        self.is_over = is_last or self._waited >= PATIENCE

    def state(self) -> Learnt:
        return Learnt(
            self.lesson.layer_id,
            self._best,
            self._steps,
            self._best_loss,
            self._first_loss,
            self.is_over,
            self._planned,
        )


def first_vectors(family: Family, text: str, settings: LearnSettings) -> dict[str, Tensor]:
    """(n, width) by encoder to begin with: the mean of the text's own vectors."""
    found = dict[str, Tensor]()
    for name, vocabulary in family.vocabularies.items():
        own = vocabulary.vectors(text if settings.begins_with_text else "a")
        found[name] = own.mean(0, keepdim=True).repeat(settings.vectors, 1)
    return found


def _rate(step: int, total: int) -> float:
    """A quick rise, then a slow fall to a tenth."""
    return min(1.0, step / 5) * (1.0 - 0.9 * step / max(total, 1))


def _one_step(schedule: Schedule, indices: Sequence[int]) -> Schedule:
    """A schedule of one step, at which every row of a batch has a timestep of its own."""
    times = schedule.timesteps[torch.tensor(indices, device=schedule.timesteps.device)]
    level = schedule.before[indices[0]]
    return Schedule(schedule.sampler, times[None], (level,), (level,))


def _tensor(view: View) -> Tensor:
    """(1, 3, side, side) in [-1, 1]"""
    picture = np.ascontiguousarray(view.picture.transpose(2, 0, 1))
    return torch.from_numpy(picture)[None] * 2.0 - 1.0


def _cells(view: View, factor: int) -> Tensor:
    """(1, 1, h, w): the mask by area average."""
    cells = view.mask.shape[0] // factor
    blocks = view.mask.reshape(cells, factor, cells, factor).mean(axis=(1, 3))
    return torch.from_numpy(np.ascontiguousarray(blocks, np.float32))[None, None]
