"""Trains the judge on scenes that neither the model's training nor the ladder ever draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import nn

from collage_studio.engine.quality.judge import (
    NOTHING,
    Judge,
    JudgeNet,
    Picture,
    as_batch,
    cut_square,
    square_around,
)
from collage_studio.evaluate.metrics import Floats
from collage_studio.starter.render import paste_only, render_background, render_lit, visible_masks
from collage_studio.starter.world import OBJECTS, Scene

FIRST_SEED = 2_000_000
CHECK_SEED = 3_000_000
FEWEST_VISIBLE = 200.0
"""Pixels of an object that have to be visible for the judge to be asked about it."""

Report = Callable[[str, float], None]
"""Called with what is going on and how much of it is done, 0..1."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """Crops (N, 64, 64, 3) uint8 and their classes (N,)."""

    crops: Picture
    classes: np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def class_names() -> tuple[str, ...]:
    """What the judge can answer: "nothing" first, then the world's objects."""
    return (NOTHING, *(kind.name for kind in OBJECTS))


def make_lessons(first_seed: int, scenes: int, *, plain: bool = False) -> Lessons:
    """Crops of `scenes` scenes; `plain` ones are lit renderings as they are, for checking."""
    crops: list[Picture] = []
    classes: list[int] = []
    index = {name: number for number, name in enumerate(class_names())}
    for seed in range(first_seed, first_seed + scenes):
        rng = np.random.default_rng([seed, 9])
        scene = Scene.from_seed(seed)
        picture = paste_only(scene) if not plain and rng.random() < 0.2 else render_lit(scene)
        masks = list(visible_masks(scene))
        for placed, mask in zip(scene.objects, masks[:-1], strict=True):
            if mask.sum() < FEWEST_VISIBLE:
                continue
            spoil = not plain and rng.random() < 0.08
            crops.append(_cut(picture, mask, rng, plain=plain, spoil=spoil))
            classes.append(0 if spoil else index[placed.name])
        if rng.random() < 0.2:
            crops.append(_empty_crop(render_background(scene), rng))
            classes.append(0)
    return Lessons(np.stack(crops), np.array(classes, np.int64))


def _cut(
    picture: Picture, mask: Floats, rng: np.random.Generator, *, plain: bool, spoil: bool
) -> Picture:
    x, y, side = square_around(mask)
    if spoil:
        picture = _blurred(picture, rng.uniform(0.09, 0.2) * side)
    if plain:
        return cut_square(picture, x, y, side)
    x, y = rng.uniform(-0.07, 0.07, 2) * side + (x, y)
    return disturb(cut_square(picture, x, y, side * rng.uniform(0.9, 1.15)), rng)


def _empty_crop(background: Picture, rng: np.random.Generator) -> Picture:
    canvas = background.shape[0]
    side = rng.uniform(0.25, 0.55) * canvas
    x, y = rng.uniform(0.15, 0.85, 2) * canvas
    return disturb(cut_square(background, x, y, side), rng)


def disturb(crop: Picture, rng: np.random.Generator) -> Picture:
    """Blur, tint, grain and mirror a crop as light, autoencoders and users do."""
    if rng.random() < 0.5:
        crop = _blurred(crop, rng.uniform(0.3, 1.6))
    values = crop.astype(np.float32) * rng.uniform(0.75, 1.2) * rng.uniform(0.85, 1.12, 3)
    values += rng.uniform(-12, 25) + rng.normal(0, rng.uniform(0, 6), crop.shape)
    return np.clip(values, 0, 255).astype(np.uint8)


def _blurred(picture: Picture, sigma: float) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.uint8, copy=False)


def train_judge(scenes: int, epochs: int, report: Report, *, seed: int = 0) -> Judge:
    """Draw lessons from `scenes` scenes and train on them `epochs` times, on the CPU."""
    parts: list[Lessons] = []
    chunk = 250
    for start in range(0, scenes, chunk):
        parts.append(make_lessons(FIRST_SEED + start, min(chunk, scenes - start)))
        report("drawing scenes", min(1.0, (start + chunk) / scenes))
    lessons = Lessons(
        np.concatenate([part.crops for part in parts]),
        np.concatenate([part.classes for part in parts]),
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # weights and dropout of this network only
        net = JudgeNet(len(class_names()))
        fit(net, lessons, epochs, report)
    return Judge(net, class_names())


def fit(net: JudgeNet, lessons: Lessons, epochs: int, report: Report, batch: int = 128) -> None:
    """Train a network of judges on crops, `epochs` times over all of them."""
    count = len(lessons.classes)
    steps = epochs * (count // batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=max(steps, 1))
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    rng = np.random.default_rng(7)
    step = 0
    net.train()
    for _ in range(epochs):
        order = rng.permutation(count)
        for start in range(0, count - batch + 1, batch):
            chosen = order[start : start + batch]
            loss = loss_of(
                net(as_batch(lessons.crops[chosen])), torch.from_numpy(lessons.classes[chosen])
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
            report("training", step / steps)
    net.eval()


@torch.inference_mode()
def accuracy(judge: Judge, scenes: int = 400) -> float:
    """Fraction of objects named right on lit scenes the judge has never seen."""
    lessons = make_lessons(CHECK_SEED, scenes, plain=True)
    batches = np.array_split(lessons.crops, len(lessons.crops) // 256 + 1)
    answers = torch.cat([judge.net(as_batch(crops)) for crops in batches]).argmax(1).numpy()
    return float((answers == lessons.classes).mean())
