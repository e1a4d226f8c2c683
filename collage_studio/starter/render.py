"""Renderings of a scene: lit truth, background, flat cutouts, photobash and exact masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from collage_studio.starter.backgrounds import paint
from collage_studio.starter.lighting import light_background, light_object, shadow_of
from collage_studio.starter.stickers import sticker_of
from collage_studio.starter.world import CANVAS, Placed, Scene

FloatPicture = NDArray[np.floating[Any]]
Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Cutout:
    """A flat sprite and where it goes."""

    name: str
    phrase: str
    pixels: Picture
    """(h, w, 4), straight alpha, unlit."""
    placement: NDArray[np.float64]
    """(2, 3): sprite pixel coordinates to canvas pixel coordinates (pixel corners at integers)."""


def cutouts(scene: Scene, size: int = CANVAS) -> list[Cutout]:
    """The scene's objects as a user would paste them, back to front."""
    return [
        Cutout(
            placed.name,
            placed.phrase,
            sticker_of(placed),
            placement(placed, sticker_of(placed).shape, size),
        )
        for placed in scene.objects
    ]


def placement(placed: Placed, shape: tuple[int, ...], size: int = CANVAS) -> NDArray[np.float64]:
    """The affine map from sprite pixels to canvas pixels: scale, flip, turn, move. (2, 3)."""
    height, width = shape[:2]
    scale = placed.height * size / height
    turn = np.deg2rad(placed.angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = rotation @ np.diag([-scale if placed.flipped else scale, scale])
    centre = np.array([placed.x, placed.base - placed.height / 2]) * size
    offset = centre - linear @ np.array([width / 2, height / 2])
    return np.column_stack([linear, offset])


def render_background(scene: Scene, size: int = CANVAS, *, lit: bool = True) -> Picture:
    """The background alone, under the scene's light or as painted: (H, W, 3)."""
    painting = paint(scene.background, scene.seed, size)
    return _to_bytes(light_background(painting, scene) if lit else painting.colour)


def render_lit(scene: Scene, size: int = CANVAS) -> Picture:
    """The ground truth: everything lit, with contact shadows. (H, W, 3)."""
    canvas = light_background(paint(scene.background, scene.seed, size), scene)
    canvas = canvas * (1 - _darkening(scene, size))[..., None]
    for placed in scene.objects:
        colour, alpha = warp_sticker(placed, size)
        canvas = _over(canvas, light_object(colour, alpha, placed, scene), alpha)
    return _to_bytes(canvas)


def paste_only(scene: Scene, size: int = CANVAS) -> Picture:
    """The photobash: lit background, flat cutouts, no shadow. (H, W, 3)."""
    canvas = light_background(paint(scene.background, scene.seed, size), scene)
    for placed in scene.objects:
        canvas = _over(canvas, *warp_sticker(placed, size))
    return _to_bytes(canvas)


def visible_masks(scene: Scene, size: int = CANVAS) -> FloatPicture:
    """Soft visibility of each object and, last, of the background: (n + 1, H, W), sum 1."""
    masks = np.zeros((len(scene.objects) + 1, size, size), np.float32)
    left = np.ones((size, size), np.float32)
    for index in reversed(range(len(scene.objects))):
        alpha = warp_sticker(scene.objects[index], size)[1]
        masks[index] = left * alpha
        left = left * (1 - alpha)
    masks[-1] = left
    return masks


def shadow_zone(scene: Scene, size: int = CANVAS) -> FloatPicture:
    """By how much contact shadows darken the visible background: (H, W), 0..1."""
    return _darkening(scene, size) * visible_masks(scene, size)[-1]


def warp_sticker(placed: Placed, size: int) -> tuple[FloatPicture, FloatPicture]:
    """An object's flat colour (H, W, 3) and alpha (H, W) on the canvas."""
    sticker = sticker_of(placed).astype(np.float32) / 255
    matrix = placement(placed, sticker.shape, size)
    premultiplied = sticker.copy()
    premultiplied[..., :3] *= sticker[..., 3:]
    premultiplied, matrix = _shrink(premultiplied, matrix)
    # OpenCV counts from pixel centres, the placement from pixel corners.
    matrix[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    warped = cv2.warpAffine(premultiplied, matrix, (size, size), flags=cv2.INTER_LINEAR)
    alpha = warped[..., 3].clip(0, 1)
    colour = warped[..., :3] / np.maximum(alpha, 1e-4)[..., None]
    return colour.clip(0, 1), alpha


def _shrink(
    picture: FloatPicture, matrix: NDArray[np.float64]
) -> tuple[FloatPicture, NDArray[np.float64]]:
    """Average the sprite down first where bilinear sampling alone would skip pixels."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale > 0.75:
        return picture, matrix
    height, width = picture.shape[:2]
    small_height, small_width = max(1, round(height * scale)), max(1, round(width * scale))
    small = cv2.resize(picture, (small_width, small_height), interpolation=cv2.INTER_AREA)
    stretched = matrix.copy()
    stretched[:, 0] *= width / small_width
    stretched[:, 1] *= height / small_height
    return small.astype(np.float32), stretched


def _darkening(scene: Scene, size: int) -> FloatPicture:
    light_left = np.ones((size, size), np.float32)
    for placed in scene.objects:
        shape = sticker_of(placed).shape
        light_left *= 1 - shadow_of(placed, shape[1] / shape[0], scene, size)
    return 1 - light_left


def _over(canvas: FloatPicture, colour: FloatPicture, alpha: FloatPicture) -> FloatPicture:
    return canvas + alpha[..., None] * (colour - canvas)


def _to_bytes(picture: FloatPicture) -> Picture:
    return np.round(picture.clip(0, 1) * 255).astype(np.uint8)
