"""A growing pool of encoded training scenes, kept as files of latents that training reads.

Latents are (N, 8, h, w) float16; visible masks are area averages at latent size, (N, 5, h, w).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from numpy.typing import NDArray

from collage_studio.starter.autoencoder import SHRINK, to_tensor
from collage_studio.starter.render import paste_only, render_lit, visible_masks
from collage_studio.starter.world import (
    BACKGROUNDS,
    CANVAS,
    Scene,
    compose_caption,
    refuse_held_out,
)

SHARD = 64
MAX_OBJECTS = 4
MIN_CELLS = 6.0
"""An object with less visible area, in latent cells, is not named in a caption."""
MIN_SHARE = 0.35
"""A crop names an object only if it shows this share of what is visible of it."""


@dataclass(frozen=True, slots=True)
class Example:
    """One training window: the truth, its photobash, and the words for what it shows.

    Args:
        words: the caption in pieces, each with the channel of `masks` it speaks of; None for words
            about the whole picture.
        scene: number of the scene in the pool.
        corner: top and left of the window, in latent cells.
    """

    lit: NDArray[np.float16]
    pasted: NDArray[np.float16]
    masks: NDArray[np.float16]
    words: tuple[tuple[str, int | None], ...]
    scene: int = 0
    corner: tuple[int, int] = (0, 0)

    @property
    def caption(self) -> str:
        return "".join(text for text, _ in self.words)


def write_shard(folder: Path, seeds: range, vae: AutoencoderTiny, size: int = CANVAS) -> Path:
    """Render and encode some scenes into one file, which appears only when complete."""
    refuse_held_out(seeds)
    encoded = [_encode_scene(Scene.from_seed(seed), vae, size) for seed in seeds]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{seeds[0]:08d}.npz"
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(
            file,
            seeds=np.asarray(seeds),
            lit=np.stack([lit for lit, _, _ in encoded]),
            pasted=np.stack([pasted for _, pasted, _ in encoded]),
            masks=np.stack([masks for _, _, masks in encoded]),
        )
    os.replace(unfinished, path)
    return path


def fill_pool(folder: Path, vae: AutoencoderTiny, scenes: int, size: int = CANVAS) -> None:
    """Write the shards that are missing to hold the scenes 0 … `scenes` - 1."""
    for first in range(0, scenes, SHARD):
        if not (folder / f"{first:08d}.npz").exists():
            write_shard(folder, range(first, min(first + SHARD, scenes)), vae, size)


@torch.inference_mode()
def _encode_scene(
    scene: Scene, vae: AutoencoderTiny, size: int
) -> tuple[NDArray[np.float16], NDArray[np.float16], NDArray[np.float16]]:
    pictures = to_tensor(np.stack([render_lit(scene, size), paste_only(scene, size)]))
    device = next(vae.parameters()).device
    latents = vae.encoder(pictures.to(device)) * vae.config["scaling_factor"]
    lit, pasted = latents.cpu().numpy().astype(np.float16)
    small = size // SHRINK
    masks = np.zeros((MAX_OBJECTS + 1, small, small), np.float16)
    for index, mask in enumerate(visible_masks(scene, size)[:-1]):
        masks[index] = cv2.resize(mask, (small, small), interpolation=cv2.INTER_AREA)
    masks[-1] = 1 - masks[:-1].sum(axis=0)
    return lit, pasted, masks


def _caption_words(
    rng: np.random.Generator, scene: Scene, named: list[int]
) -> Iterator[tuple[str, int | None]]:
    """A caption for these objects; the place's words speak of the last mask, the background."""
    phrases = [scene.objects[index].phrase for index in named]
    place = BACKGROUNDS[scene.background]
    for part in compose_caption(rng, phrases, scene.background, scene.lighting):
        if isinstance(part, int):
            yield phrases[part], named[part]
            continue
        before, found, after = part.partition(place)
        pieces = ((before, None), (found, MAX_OBJECTS), (after, None))
        yield from (piece for piece in pieces if piece[0])


class ScenePool:
    """The scenes encoded so far; `refresh` picks up files that appeared since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: set[str] = set()
        self._scenes: list[Scene] = []
        self._lit: list[NDArray[np.float16]] = []
        self._pasted: list[NDArray[np.float16]] = []
        self._masks: list[NDArray[np.float16]] = []
        self.refresh()

    def __len__(self) -> int:
        return len(self._scenes)

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """The scenes by number."""
        return tuple(self._scenes)

    def refresh(self) -> None:
        for path in sorted(self._folder.glob("*.npz")):
            if path.name not in self._known:
                self._known.add(path.name)
                self._load(path)

    def _load(self, path: Path) -> None:
        with np.load(path) as shard:
            seeds = [int(seed) for seed in shard["seeds"]]
            refuse_held_out(seeds)
            self._scenes += [Scene.from_seed(seed) for seed in seeds]
            self._lit += list(shard["lit"])
            self._pasted += list(shard["pasted"])
            self._masks += list(shard["masks"])

    def draw(self, rng: np.random.Generator, window: int) -> Example:
        """A random scene's random window of `window` x `window` latent cells."""
        number = int(rng.integers(len(self)))
        scene, masks = self._scenes[number], self._masks[number]
        top, left = self._corner(rng, scene, masks.shape[-1], window)
        cut = np.s_[..., top : top + window, left : left + window]
        seen, whole = masks[cut].sum((1, 2), np.float32), masks.sum((1, 2), np.float32)
        named = [
            index
            for index, (part, total) in enumerate(zip(seen[:-1], whole[:-1], strict=True))
            if part >= max(MIN_CELLS, MIN_SHARE * total)
        ]
        words = tuple(_caption_words(rng, scene, named))
        lit, pasted = self._lit[number][cut], self._pasted[number][cut]
        return Example(lit, pasted, masks[cut], words, number, (top, left))

    @staticmethod
    def _corner(rng: np.random.Generator, scene: Scene, full: int, window: int) -> tuple[int, int]:
        """The top left of a window; most windows are centred near an object."""
        span = full - window
        if span == 0 or not scene.objects or rng.random() < 0.2:
            return int(rng.integers(span + 1)), int(rng.integers(span + 1))
        placed = scene.objects[int(rng.integers(len(scene.objects)))]
        centre = np.array([placed.base - placed.height * 0.45, placed.x]) * full
        corner = np.round(centre - window / 2 + rng.uniform(-3, 3, 2)).astype(int).clip(0, span)
        return int(corner[0]), int(corner[1])
