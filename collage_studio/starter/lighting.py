"""How light falls on the world: on backgrounds, on objects, and as contact shadows."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from collage_studio.starter.backgrounds import Painting
from collage_studio.starter.world import LightingKind, Placed, Scene, lighting_kind

FloatPicture = NDArray[np.floating[Any]]

SUN_HEIGHT = 0.16
"""Where the sun or moon stands, as a fraction of the canvas."""


def light_background(painting: Painting, scene: Scene) -> FloatPicture:
    """The background under the scene's light, (H, W, 3), without any object or shadow."""
    light = lighting_kind(scene.lighting)
    lit = painting.colour * np.asarray(light.tint, np.float32)
    lit = lit * _ground_falloff(painting.size, light, scene.from_left)[None, :, None]
    lit = apply_fog(lit, painting.depth, light)
    sky = _lit_sky(painting, light, scene.from_left)
    mix = (painting.sky * light.sky_mix)[..., None]
    return (lit * (1 - mix) + sky * mix).clip(0, 1)


def light_object(
    colour: FloatPicture, alpha: FloatPicture, placed: Placed, scene: Scene
) -> FloatPicture:
    """An object's colours under the scene's light: tint, slope, rim and fog. (H, W, 3)."""
    light = lighting_kind(scene.lighting)
    size = alpha.shape[0]
    lit = colour * np.asarray(light.tint, np.float32)
    lit = lit * _object_slope(size, placed, light, scene.from_left)[..., None]
    rim = _rim(alpha, size, scene.from_left)[..., None] * light.rim_strength
    lit = lit + rim * (np.asarray(light.rim, np.float32) - lit)
    depth = np.float32(np.clip((0.98 - placed.base) / 0.45, 0.0, 1.0) * 0.45 + 0.22)
    return apply_fog(lit, np.full_like(alpha, depth), light).clip(0, 1)


def apply_fog(colour: FloatPicture, depth: FloatPicture, light: LightingKind) -> FloatPicture:
    """Mix in the colour of the fog, more the farther away."""
    if light.fog == 0:
        return colour
    amount = (light.fog * np.sqrt(depth))[..., None]
    return colour + amount * (np.asarray(light.horizon, np.float32) - colour)


def shadow_of(placed: Placed, aspect: float, scene: Scene, size: int) -> FloatPicture:
    """How much one object's contact shadow darkens the ground, (H, W), 0..1."""
    light = lighting_kind(scene.lighting)
    width = placed.height * aspect
    away = 1.0 if scene.from_left else -1.0
    reach = light.shadow_length * width
    centre_x = (placed.x + away * 0.5 * reach) * size
    centre_y = min(placed.base - 0.005, 0.985) * size
    radius_x, radius_y = (0.46 * width + 0.5 * reach) * size, 0.075 * placed.height * size + 1
    xs = (np.arange(size, dtype=np.float32) + 0.5 - centre_x) / radius_x
    ys = (np.arange(size, dtype=np.float32) + 0.5 - centre_y) / radius_y
    distance = xs[None, :] ** 2 + ys[:, None] ** 2
    return (light.shadow * np.exp(-(distance**1.5) * 0.6)).astype(np.float32)


def _lit_sky(painting: Painting, light: LightingKind, from_left: bool) -> FloatPicture:
    size = painting.size
    rows = ((np.arange(size, dtype=np.float32) + 0.5) / size / 0.5).clip(0, 1)[:, None, None]
    sky = (1 - rows) * np.asarray(light.sky, np.float32) + rows * np.asarray(
        light.horizon, np.float32
    )
    sky = np.repeat(sky, size, axis=1)
    if light.name in ("sunset", "night"):
        sky = _add_disc(sky, light, size, from_left)
    return sky


def _add_disc(sky: FloatPicture, light: LightingKind, size: int, from_left: bool) -> FloatPicture:
    x = 0.14 if from_left else 0.86
    y = 0.30 if light.name == "sunset" else SUN_HEIGHT
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size
    distance = np.sqrt((grid[None, :] - x) ** 2 + (grid[:, None] - y) ** 2)
    disc = ((0.06 - distance) * size + 0.5).clip(0, 1)
    glow = 0.55 * np.exp(-((distance / 0.22) ** 2))
    colour = np.asarray(light.rim, np.float32) * np.float32(1.0) + np.float32(0.12)
    return sky + np.maximum(disc, glow)[..., None] * (colour.clip(0, 1) - sky)


def _ground_falloff(size: int, light: LightingKind, from_left: bool) -> FloatPicture:
    xs = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    return 1 + (-xs if from_left else xs) * light.slope * 0.4


def _object_slope(size: int, placed: Placed, light: LightingKind, from_left: bool) -> FloatPicture:
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size
    across = ((grid - placed.x) / placed.height).clip(-0.7, 0.7)
    up = ((placed.base - placed.height / 2 - grid) / placed.height).clip(-0.7, 0.7)
    side = -across if from_left else across
    mostly_sideways = 0.85 if light.name in ("sunset", "night") else 0.15
    direction = mostly_sideways * side[None, :] + (1 - mostly_sideways) * up[:, None]
    return (1 + 1.2 * light.slope * direction).astype(np.float32)


def _rim(alpha: FloatPicture, size: int, from_left: bool) -> FloatPicture:
    """The edge of a shape that faces the light, (H, W), 0..1."""
    step = size * (0.022 if from_left else -0.022)
    shift = np.array([[1, 0, step], [0, 1, size * 0.016]], np.float32)
    moved = cv2.warpAffine(alpha, shift, (size, size))
    moved = cv2.GaussianBlur(moved, (0, 0), size * 0.008)
    return (alpha - moved).clip(0, 1).astype(np.float32)
