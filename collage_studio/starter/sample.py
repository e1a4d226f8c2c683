"""Pictures from a model folder: grids of samples, and harmonised scenes measured by the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import (
    StableDiffusionImg2ImgPipeline,
)
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from numpy.typing import NDArray
from PIL import Image

from collage_studio.starter.render import (
    paste_only,
    render_background,
    render_lit,
    shadow_zone,
    visible_masks,
)
from collage_studio.starter.world import CANVAS, HELD_OUT_FROM, Scene, caption_text

STEPS = 30
GUIDANCE = 3.0

# Harmonising: the model is small, so few steps without fresh noise stay closest to the truth.
STRENGTH = 0.5
HARMONISE_STEPS = 8
HARMONISE_GUIDANCE = 1.0

GRID_CAPTIONS = (
    "a tent and a dog in a meadow at noon",
    "a red apple on a beach at sunset",
    "a car on a city street at night",
    "a sailboat by a lake at sunset",
    "a penguin in a snowy field at noon",
    "a cactus and a robot in a desert at night",
    "a house and a tree in a meadow in fog",
    "a pumpkin and a cat in a snowy field at sunset",
)

Picture = NDArray[np.uint8]


def load_text_to_image(folder: Path) -> StableDiffusionPipeline:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def sample_grid(
    folder: Path,
    seeds: Sequence[int],
    captions: Sequence[str] = GRID_CAPTIONS,
    *,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
) -> Image.Image:
    """One row for each seed, one column for each caption; nothing is chosen or left out."""
    pipeline = load_text_to_image(folder)
    rows = [
        np.concatenate(
            [_sample(pipeline, caption, seed, steps, guidance) for caption in captions], axis=1
        )
        for seed in seeds
    ]
    return Image.fromarray(np.concatenate(rows, axis=0))


def _sample(
    pipeline: StableDiffusionPipeline, caption: str, seed: int, steps: int, guidance: float
) -> Picture:
    outcome: Any = pipeline(
        caption,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=torch.Generator("cpu").manual_seed(seed),
    )
    return np.asarray(outcome.images[0])


def load_image_to_image(folder: Path, *, ancestral: bool = False) -> StableDiffusionImg2ImgPipeline:
    """Load for harmonising, with plain Euler steps unless told to keep the ancestral ones."""
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    if not ancestral:
        pipeline.scheduler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config)
    return pipeline


def harmonise_scene(
    pipeline: StableDiffusionImg2ImgPipeline,
    scene: Scene,
    *,
    seed: int = 0,
    strength: float = STRENGTH,
    guidance: float = HARMONISE_GUIDANCE,
    steps: int = HARMONISE_STEPS,
) -> Picture:
    """Plain SDEdit from the scene's photobash with its caption, without any region control."""
    outcome: Any = pipeline(
        caption_text(scene),
        image=Image.fromarray(paste_only(scene)),
        strength=strength,
        guidance_scale=guidance,
        num_inference_steps=steps,
        generator=torch.Generator("cpu").manual_seed(seed),
    )
    return np.asarray(outcome.images[0])


@dataclass(frozen=True, slots=True)
class Errors:
    """Mean absolute colour error after 8x area averaging, in 0..255 levels."""

    objects: float
    shadows: float


def low_frequency_errors(picture: Picture, scene: Scene) -> Errors:
    """How far a picture's coarse colours are from the truth, on objects and in shadow zones."""
    truth = render_lit(scene)
    off = np.abs(_coarse(picture) - _coarse(truth)).mean(axis=2)
    objects = _coarse(1 - visible_masks(scene)[-1])
    shadows = _coarse(shadow_zone(scene))
    return Errors(_weighted(off, objects), _weighted(off, shadows))


@dataclass(frozen=True, slots=True)
class HarmoniseFigures:
    """Coarse colour errors over held-out scenes, before and after harmonising."""

    pasted: Errors
    harmonised: Errors

    @property
    def object_ratio(self) -> float:
        return self.harmonised.objects / self.pasted.objects

    @property
    def shadow_ratio(self) -> float:
        return self.harmonised.shadows / self.pasted.shadows


def harmonise_figures(
    folder: Path,
    scenes: int = 16,
    *,
    strength: float = STRENGTH,
    guidance: float = HARMONISE_GUIDANCE,
    steps: int = HARMONISE_STEPS,
    ancestral: bool = False,
) -> tuple[HarmoniseFigures, Image.Image]:
    """Harmonise held-out scenes; return figures, and rows: background, paste, result, truth."""
    pipeline = load_image_to_image(folder, ancestral=ancestral)
    before: list[Errors] = []
    after: list[Errors] = []
    columns: list[Picture] = []
    for seed in range(HELD_OUT_FROM, HELD_OUT_FROM + scenes):
        scene = Scene.from_seed(seed)
        pasted = paste_only(scene)
        result = harmonise_scene(pipeline, scene, strength=strength, guidance=guidance, steps=steps)
        before.append(low_frequency_errors(pasted, scene))
        after.append(low_frequency_errors(result, scene))
        views = (render_background(scene), pasted, result, render_lit(scene))
        columns.append(np.concatenate(views, axis=0))
    figures = HarmoniseFigures(_mean(before), _mean(after))
    return figures, Image.fromarray(np.concatenate(columns, axis=1))


def _mean(errors: list[Errors]) -> Errors:
    return Errors(
        float(np.mean([error.objects for error in errors])),
        float(np.mean([error.shadows for error in errors])),
    )


def _coarse(picture: NDArray[Any]) -> NDArray[np.float32]:
    side = CANVAS // 8
    coarse = cv2.resize(picture.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(coarse, np.float32)


def _weighted(values: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    return float((values * weights).sum() / max(float(weights.sum()), 1e-6))
