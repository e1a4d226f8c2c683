"""Small pictures with a known alpha: a soft disc of one colour on another."""

from __future__ import annotations

import numpy as np

from collage_studio.cutout.scribbles import Scribble

RED, BLUE = (0.85, 0.2, 0.1), (0.1, 0.3, 0.8)


def soft_disc(size: int = 96, radius: float = 26.0, softness: float = 3.0) -> np.ndarray:
    """(size, size) float32 alpha, falling from 1 to 0 over twice `softness` px."""
    y, x = np.mgrid[:size, :size] + 0.5
    away = np.hypot(x - size / 2, y - size / 2) - radius
    return np.clip(0.5 - away / (2 * softness), 0, 1).astype(np.float32)


def over(alpha: np.ndarray, front=RED, back=BLUE, grain: float = 0.01) -> np.ndarray:
    """The disc's colours over the backdrop's with a little grain, (H, W, 3) uint8."""
    rng = np.random.default_rng(3)
    mixed = alpha[..., None] * np.array(front) + (1 - alpha[..., None]) * np.array(back)
    return np.round((mixed + rng.normal(0, grain, mixed.shape)).clip(0, 1) * 255).astype(np.uint8)


def line(*points: tuple[float, float], width: float = 4.0, is_object: bool = True) -> Scribble:
    """A stroke through points."""
    return Scribble(tuple(points), is_object, width)
