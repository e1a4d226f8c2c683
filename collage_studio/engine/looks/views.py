"""The pictures a look is learned from: one cutout, moved, scaled and mirrored over plain grounds.

Picture and mask go through the same changes. All are made once from the full-resolution cutout,
so that they can be encoded once and no step of learning needs the autoencoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from collage_studio.document.geometry import Rect
from collage_studio.document.model import Layer
from collage_studio.engine.api import BadRequest, Picture
from collage_studio.engine.workspace import Floats

LEAST_PX = 16
"""A cutout with a shorter side than this shows too little to be learned."""
LEAST_AREA = 128.0
"""Pixels that must belong to it, soft edges counted in part."""
SMALLEST, LARGEST = 0.6, 0.95
"""How much of the square's side the cutout's longer side takes."""
MIRRORED = 0.25


@dataclass(frozen=True, slots=True)
class View:
    """One square: `picture` (side, side, 3) and `mask` (side, side), both float32 in [0, 1]."""

    picture: Floats
    mask: Floats


def cutout_of(layer: Layer) -> Picture:
    """The layer's own pixels (h, w, 4) uint8 with its mask in the alpha, cut to what is seen.

    Raises:
        BadRequest: there is no picture, or too little of it is seen.
    """
    if layer.raster is None:
        raise BadRequest(f"“{layer.name}” has no picture to learn from. Choose a picture layer.")
    pixels = layer.raster.pixels
    if layer.raster.depth == 16:
        pixels = np.rint(pixels / 257.0)
    made = np.array(pixels, np.uint8)
    if layer.mask is not None and layer.mask_enabled:
        alpha = made[..., 3].astype(np.uint32) * layer.mask.values
        made[..., 3] = (alpha + 127) // 255
    box = _seen(made)
    if min(box.width, box.height) < LEAST_PX or made[..., 3].sum() < 255 * LEAST_AREA:
        raise BadRequest(
            f"Too little of “{layer.name}” is seen to learn its look: at least "
            f"{LEAST_PX} × {LEAST_PX} px are needed. Enlarge its mask or use a larger picture."
        )
    return np.ascontiguousarray(made[box.top : box.bottom, box.left : box.right])


def views_of(cutout: Picture, side: int, count: int, rng: np.random.Generator) -> list[View]:
    """`count` squares of `side` px; the first shows the cutout upright in the middle.

    Args:
        cutout: (h, w, 4) uint8, straight alpha.
    """
    premultiplied = cutout.astype(np.float32) / np.float32(255.0)
    premultiplied[..., :3] *= premultiplied[..., 3:]
    return [_view(premultiplied, side, rng, is_plain=index == 0) for index in range(count)]


def _view(cutout: Floats, side: int, rng: np.random.Generator, *, is_plain: bool) -> View:
    share = (SMALLEST + LARGEST) / 2 if is_plain else float(rng.uniform(SMALLEST, LARGEST))
    scaled = _scaled(cutout, share * side / max(cutout.shape[:2]))
    if not is_plain and rng.random() < MIRRORED:
        scaled = scaled[:, ::-1]
    room = (side - scaled.shape[0], side - scaled.shape[1])
    if is_plain:
        top, left = room[0] // 2, room[1] // 2
    else:
        top, left = (int(rng.integers(0, spare + 1)) for spare in room)
    placed = np.zeros((side, side, 4), np.float32)
    placed[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
    mask = np.clip(placed[..., 3], 0.0, 1.0)
    picture = placed[..., :3] + _ground(side, rng) * (1.0 - mask[..., None])
    return View(np.clip(picture, 0.0, 1.0).astype(np.float32), mask)


def _scaled(cutout: Floats, scale: float) -> Floats:
    """Premultiplied pixels at another size, averaged where they shrink."""
    size = tuple(max(1, round(length * scale)) for length in (cutout.shape[1], cutout.shape[0]))
    way = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(cutout, size, interpolation=way), np.float32)


def _ground(side: int, rng: np.random.Generator) -> Floats:
    """(side, side, 3): one colour, or colours that run softly into each other."""
    cells = int(rng.choice([1, 2, 3]))
    colours = rng.uniform(0.1, 0.9, (cells, cells, 3)).astype(np.float32)
    ground = cv2.resize(colours, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(ground, np.float32).reshape(side, side, 3)


def _seen(cutout: Picture) -> Rect:
    rows, columns = (np.flatnonzero((cutout[..., 3] > 8).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return Rect(0, 0, 0, 0)
    return Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
