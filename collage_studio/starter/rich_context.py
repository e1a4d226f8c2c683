"""Sticker-world layouts with long texts: overlapping objects, and what a person writes of each.

A region's text names its object, and around it what a describer adds: the place, the light, and
the neighbours by name. Which of the names is the region's own follows from the grammar alone.
Latents are (N, 8, h, w) float16; silhouettes and visible parts are area averages at latent size.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from numpy.typing import NDArray

from collage_studio.starter.autoencoder import SHRINK, to_tensor
from collage_studio.starter.render import render_lit, visible_masks, warp_sticker
from collage_studio.starter.world import (
    BACKGROUNDS,
    CANVAS,
    HELD_OUT_FROM,
    Placed,
    Scene,
    lighting_kind,
    refuse_held_out,
)

MOST_OBJECTS = 6
SHARD = 64
POOL_FROM = 500_000
"""The first seed of a pool: scenes that the bundled model itself was not trained on."""
POOL_UNTIL = HELD_OUT_FROM

Cells = NDArray[np.float32]
Box = tuple[float, float, float, float]


def long_phrase(rng: np.random.Generator, scene: Scene, index: int) -> str:
    """Write a region's text: its object, the place, the light and up to three neighbours.

    Pure: the same generator state, scene and index give the same text. All words are the
    starter's, and no text holds a semicolon.

    Args:
        index: of the object in `scene.objects`.
    """
    own = scene.objects[index].phrase
    place = BACKGROUNDS[scene.background] if rng.random() < 0.7 else ""
    light = lighting_kind(scene.lighting).phrase if rng.random() < 0.7 else ""
    beside = _relations(rng, scene, index)
    if not (place or light or beside):
        place = BACKGROUNDS[scene.background]
    order = rng.random()
    if order < 0.25 and beside:  # "behind the tent, next to a dog, a red apple at noon"
        return ", ".join([*beside, " ".join(filter(None, (own, place, light)))])
    where = " ".join(filter(None, (place, light)))
    if order < 0.45 and where:  # "on a beach at sunset, near a dog, a red apple"
        return ", ".join([where, *beside, own])
    opening = f"{rng.choice(('a picture of', 'a photo of'))} {own}" if order > 0.9 else own
    said = " ".join(filter(None, (opening, where)))
    return f"{said}, {' and '.join(beside)}" if beside else said


def _relations(rng: np.random.Generator, scene: Scene, index: int) -> list[str]:
    """How the object stands to some of the others, the nearest first more often than not."""
    own = scene.objects[index]
    others = [i for i in range(len(scene.objects)) if i != index]
    if not others:
        return []
    distances = [abs(scene.objects[i].x - own.x) + rng.uniform(0, 0.25) for i in others]
    nearest = [others[i] for i in np.argsort(distances)]
    count = int(rng.choice(4, p=(0.08, 0.37, 0.37, 0.18)))
    return [_relation(rng, own, scene.objects[i], is_behind=index < i) for i in nearest[:count]]


def _relation(rng: np.random.Generator, own: Placed, other: Placed, *, is_behind: bool) -> str:
    article = "the" if rng.random() < 0.5 else other.phrase.partition(" ")[0]
    named = f"{article} {other.name}"
    overlaps = abs(own.x - other.x) < 0.4 * (own.height + other.height)
    if is_behind and overlaps and rng.random() < 0.8:
        return f"behind {named}"
    return f"{rng.choice(('next to', 'near', 'with', 'by'), p=(0.5, 0.25, 0.15, 0.1))} {named}"


def crowded_scene(
    seed: int, *, min_objects: int = 1, max_objects: int = MOST_OBJECTS, overlap: float = 1.0
) -> Scene:
    """Draw a scene whose objects overlap more than usual; the same arguments give the same one.

    Args:
        overlap: 0 keeps the objects in their places, 1 moves them over each other by up to a
            seventh of the canvas and lets them grow by up to two fifths.
    """
    scene = Scene.from_seed(seed, min_objects=min_objects, max_objects=max_objects)
    rng = np.random.default_rng([seed, 9])
    shrink = min(1.0, 4.5 / max(1, len(scene.objects)))
    moved = [
        replace(
            placed,
            height=placed.height * shrink * (1 + overlap * float(rng.uniform(-0.1, 0.4))),
            x=float(np.clip(placed.x + overlap * rng.uniform(-0.14, 0.14), 0.15, 0.85)),
        )
        for placed in scene.objects
    ]
    return replace(scene, objects=tuple(moved))


@dataclass(frozen=True, slots=True)
class LitLayout:
    """One encoded scene and where its objects are.

    Args:
        latent: (8, h, w). silhouettes: (n, h, w) whole objects, also where others hide them.
        visible: (n + 1, h, w), the background last; they add up to 1.
        boxes: by object, (x1, y1, x2, y2) of the whole object in 0..1 of the canvas.
    """

    scene: Scene
    latent: NDArray[np.float16]
    silhouettes: NDArray[np.float16]
    visible: NDArray[np.float16]
    boxes: tuple[Box, ...]


@torch.inference_mode()
def lit_layout(scene: Scene, vae: AutoencoderTiny, size: int = CANVAS) -> LitLayout:
    """Render a scene, encode it and measure where its objects are."""
    latent = vae.encoder(to_tensor(render_lit(scene, size)[None])) * vae.config["scaling_factor"]
    alphas = [warp_sticker(placed, size)[1] for placed in scene.objects]
    return LitLayout(
        scene,
        latent[0].numpy().astype(np.float16),
        _small(np.stack(alphas)) if alphas else np.zeros((0, *latent.shape[-2:]), np.float16),
        _small(visible_masks(scene, size)),
        tuple(_box_of(alpha > 0.5) for alpha in alphas),
    )


def _small(masks: NDArray[np.floating[Any]]) -> NDArray[np.float16]:
    """(n, H, W) as area averages at latent size."""
    side = masks.shape[-1] // SHRINK
    kept = [cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA) for mask in masks]
    return np.stack(kept).astype(np.float16)


def _box_of(covered: NDArray[np.bool_]) -> Box:
    side = covered.shape[-1]
    rows, columns = np.nonzero(covered.any(axis=1))[0], np.nonzero(covered.any(axis=0))[0]
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return (float(left / side), float(top / side), float(right / side), float(bottom / side))


def write_layouts(folder: Path, seeds: range, vae: AutoencoderTiny) -> Path:
    """Render and encode some crowded scenes into one file, which appears only when complete."""
    refuse_held_out(seeds)
    made = [lit_layout(crowded_scene(seed), vae) for seed in seeds]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"layouts-{seeds[0]:08d}.npz"
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(
            file,
            seeds=np.asarray(seeds),
            latents=np.stack([item.latent for item in made]),
            silhouettes=np.concatenate([item.silhouettes for item in made]),
            visible=np.concatenate([item.visible for item in made]),
            boxes=np.concatenate([np.reshape(item.boxes, (-1, 4)) for item in made]),
        )
    os.replace(unfinished, path)
    return path


def fill_layouts(folder: Path, vae: AutoencoderTiny, count: int) -> None:
    """Write the files that are missing to hold `count` scenes from `POOL_FROM` on."""
    for first in range(POOL_FROM, POOL_FROM + count, SHARD):
        seeds = range(first, min(first + SHARD, POOL_FROM + count))
        if not (folder / f"layouts-{first:08d}.npz").exists():
            write_layouts(folder, seeds, vae)


def read_layouts(folder: Path) -> list[LitLayout]:
    """All layouts of a folder, in the order of their seeds."""
    return [item for path in sorted(folder.glob("layouts-*.npz")) for item in _shard(path)]


def _shard(path: Path) -> list[LitLayout]:
    with np.load(path) as shard:
        seeds = [int(seed) for seed in shard["seeds"]]
        latents, boxes = shard["latents"], shard["boxes"]
        silhouettes, visible = shard["silhouettes"], shard["visible"]
    refuse_held_out(seeds)
    made, at, seen = list[LitLayout](), 0, 0
    for seed, latent in zip(seeds, latents, strict=True):
        scene = crowded_scene(seed)
        count = len(scene.objects)
        corners = boxes[at : at + count].tolist()
        own = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in corners)
        shapes, shown = silhouettes[at : at + count], visible[seen : seen + count + 1]
        made.append(LitLayout(scene, latent, shapes, shown, own))
        at, seen = at + count, seen + count + 1
    return made
