"""Unusual looks: the same sticker in other colours and with a pattern that no word tells.

Training never draws one; evaluation does, to see whether a look can be learned from a picture.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

PATTERNS = ("stripes", "dots", "checks", "rings")
"""What is painted over the recoloured sticker."""
_PERIODS = 5.0
"""Repeats of the pattern along the sticker's longer side."""
_INK = 0.8
"""Opacity of the pattern."""


def repainted(pixels: NDArray[np.uint8], look: int) -> NDArray[np.uint8]:
    """The sticker (h, w, 4), straight alpha, in the unusual look number `look` (from 1).

    Its hue is turned by 90 to 270 degrees, pale parts are tinted, and a pattern of another colour
    lies on it. Outline and alpha stay; dark lines stay dark.
    """
    if look < 1:
        raise ValueError(f"Unusual looks are numbered from 1, got {look}.")
    rng = np.random.default_rng([look, 11])
    tint, ink = _colours(rng)
    turned = _turned(np.ascontiguousarray(pixels[..., :3]), float(rng.uniform(90, 270)), tint)
    shade = turned.max(axis=2, keepdims=True) / 255
    cover = _INK * _pattern(pixels.shape[:2], PATTERNS[int(rng.integers(len(PATTERNS)))], rng)
    painted = turned + (cover[..., None] * (ink * shade - turned))
    colour = np.round(painted).clip(0, 255).astype(np.uint8)
    return np.concatenate([colour, pixels[..., 3:]], axis=2)


def _colours(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Two strong colours, (3,) 0..255, of roughly opposite hues."""
    hue = float(rng.uniform(0, 180))
    pair = np.array([[[hue, 210, 245], [(hue + 90) % 180, 220, 235]]], np.uint8)
    colours = cv2.cvtColor(pair, cv2.COLOR_HSV2RGB)[0].astype(np.float32)
    return colours[0], colours[1]


def _turned(colour: NDArray[np.uint8], degrees: float, tint: Floats) -> Floats:
    """Hues turned; where there is hardly any hue, the tint takes its place. (h, w, 3) 0..255."""
    hsv = cv2.cvtColor(colour, cv2.COLOR_RGB2HSV)
    saturation = hsv[..., 1:2].astype(np.float32) / 255
    hsv[..., 0] = (hsv[..., 0].astype(np.int32) + round(degrees / 2)) % 180
    turned = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)
    pale = 0.6 * (1 - saturation).clip(0, 1) ** 2
    return turned + pale * (tint * (turned / 255) - turned)


def _pattern(shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> Floats:
    """Where the pattern's ink lies: (h, w) in [0, 1], with soft edges."""
    height, width = shape
    wave = 2 * np.pi * _PERIODS / max(height, width)
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = float(rng.uniform(0, np.pi))
    across = (xs * np.cos(turn) + ys * np.sin(turn)) * wave
    along = (ys * np.cos(turn) - xs * np.sin(turn)) * wave
    match kind:
        case "stripes":
            field = np.sin(across)
        case "dots":
            field = np.sin(across) + np.sin(along) - 0.7
        case "checks":
            field = 1.6 * np.sin(across) * np.sin(along)
        case _:
            field = np.sin(np.hypot(xs - width / 2, ys - height / 2) * wave)
    return np.asarray((0.5 + 2.5 * field).clip(0, 1), np.float32)
