"""Painters of the world's backgrounds: unlit colour, depth and sky, each from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
FloatPicture = NDArray[np.float32]

_SUBPIXEL = 4  # OpenCV draws with 1/16 pixel precision at shift 4


@dataclass(slots=True)
class Painting:
    """A background being painted, in units of the canvas side. Colours are sRGB-encoded 0..1."""

    size: int
    colour: FloatPicture
    """(H, W, 3)"""
    depth: FloatPicture
    """(H, W); 0 is near, 1 is at the horizon or beyond."""
    sky: FloatPicture
    """(H, W); 1 where the sky shows."""

    @classmethod
    def with_sky(cls, size: int, top: Colour, bottom: Colour, horizon: float) -> Painting:
        rows = ((np.arange(size, dtype=np.float32) + 0.5) / size / horizon).clip(0, 1)[:, None]
        column = (1 - rows) * np.asarray(top, np.float32) + rows * np.asarray(bottom, np.float32)
        colour = np.repeat(column[:, None, :], size, axis=1).astype(np.float32)
        ones = np.ones((size, size), np.float32)
        return cls(size, colour, ones.copy(), ones)

    def polygon(self, points: NDArray[np.float64], colour: Colour, depth: float) -> None:
        """Fill a shape, touching only the pixels of its bounding box."""
        low = np.clip(np.floor(points.min(axis=0) * self.size).astype(int) - 2, 0, self.size)
        high = np.clip(np.ceil(points.max(axis=0) * self.size).astype(int) + 2, 0, self.size)
        (left, top), (right, bottom) = low, high
        if right <= left or bottom <= top:
            return
        mask = np.zeros((bottom - top, right - left), np.uint8)
        fixed = np.round((points * self.size - 0.5 - low) * 2**_SUBPIXEL).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SUBPIXEL)
        window = np.s_[top:bottom, left:right]
        share = mask.astype(np.float32) / 255
        self.colour[window] += share[..., None] * (
            np.asarray(colour, np.float32) - self.colour[window]
        )
        self.depth[window] += share * (depth - self.depth[window])
        self.sky[window] *= 1 - share

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        turn = np.linspace(0, 2 * np.pi, 40)
        points = np.stack([x + rx * np.cos(turn), y + ry * np.sin(turn)], axis=1)
        self.polygon(points, colour, float(np.clip(2 * (0.95 - y), 0.0, 0.9)))

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour,
            depth: float) -> None:  # fmt: skip
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        self.polygon(corners, colour, depth)

    def skyline(self, heights: NDArray[np.float64], colour: Colour, depth: float) -> None:
        """Fill everything below a line given by its heights from left to right."""
        xs = np.linspace(0, 1, len(heights))
        line = np.stack([xs, heights], axis=1)
        self.polygon(np.concatenate([line, [(1.0, 1.1), (0.0, 1.1)]]), colour, depth)

    def ground(self, top: float, far: Colour, near: Colour) -> None:
        """Paint the ground from its far edge down to the bottom, as a gradient with depth."""
        rows = (np.arange(self.size, dtype=np.float32) + 0.5) / self.size
        t = ((rows - top) / (1 - top)).clip(0, 1)[:, None]
        column = (1 - t) * np.asarray(far, np.float32) + t * np.asarray(near, np.float32)
        edge = ((rows - top) * self.size + 0.5).clip(0, 1)[:, None]
        self.colour += edge[..., None] * (column[:, None] - self.colour)
        self.depth = (self.depth * (1 - edge) + 0.9 * (1 - t) * edge).astype(np.float32)
        self.sky = self.sky * (1 - edge)


Painter = Callable[[np.random.Generator, int], Painting]


def paint(name: str, seed: int, size: int) -> Painting:
    """Paint one background; the same arguments always give the same picture."""
    return PAINTERS[name](np.random.default_rng([seed, 3]), size)


def _vary(rng: np.random.Generator, colour: Colour, amount: float = 0.03) -> Colour:
    red, green, blue = np.clip(np.asarray(colour) + rng.uniform(-amount, amount, 3), 0, 1)
    return float(red), float(green), float(blue)


def _hills(
    rng: np.random.Generator, level: float, height: float, waves: float
) -> NDArray[np.float64]:
    """The heights of a skyline from left to right; `waves` hills fit across."""
    x = np.linspace(0, 1, 60)
    first, second = rng.uniform(0, 2 * np.pi, 2)
    shape = np.sin(waves * 2 * np.pi * x + first) + 0.5 * np.sin(waves * 4.7 * np.pi * x + second)
    return level - height * (0.5 + shape / 3)


def _clouds(rng: np.random.Generator, painting: Painting, horizon: float) -> None:
    for _ in range(int(rng.integers(0, 3))):
        x, y = rng.uniform(0.1, 0.9), rng.uniform(0.06, horizon * 0.55)
        for _ in range(3):
            painting.ellipse(x + rng.uniform(-0.07, 0.07), y + rng.uniform(-0.012, 0.012),
                             rng.uniform(0.06, 0.10), 0.024, (0.97, 0.98, 1.0))  # fmt: skip


def _meadow(rng: np.random.Generator, size: int) -> Painting:
    horizon = rng.uniform(0.40, 0.52)
    painting = Painting.with_sky(size, (0.38, 0.64, 0.94), (0.80, 0.91, 0.99), horizon)
    _clouds(rng, painting, horizon)
    painting.skyline(_hills(rng, horizon + 0.02, 0.12, 1.0), _vary(rng, (0.42, 0.62, 0.42)), 0.95)
    painting.ground(horizon, _vary(rng, (0.55, 0.78, 0.33)), _vary(rng, (0.25, 0.55, 0.16)))
    for _ in range(14):
        y = rng.uniform(horizon + 0.05, 0.98)
        radius = 0.004 + 0.012 * (y - horizon)
        shade = ((1.0, 0.95, 0.45), (0.98, 0.98, 0.98))[int(rng.random() < 0.5)]
        painting.ellipse(rng.uniform(0, 1), y, radius, radius * 0.7, shade)
    return painting


def _beach(rng: np.random.Generator, size: int) -> Painting:
    horizon = rng.uniform(0.34, 0.44)
    painting = Painting.with_sky(size, (0.30, 0.62, 0.95), (0.83, 0.94, 0.99), horizon)
    _clouds(rng, painting, horizon)
    shore = horizon + rng.uniform(0.14, 0.20)
    painting.ground(horizon, (0.10, 0.45, 0.68), _vary(rng, (0.30, 0.80, 0.82)))
    painting.skyline(_hills(rng, shore, 0.04, 0.8), (0.95, 0.98, 0.97), 0.55)
    painting.skyline(_hills(rng, shore + 0.022, 0.04, 0.8), _vary(rng, (0.95, 0.86, 0.63)), 0.5)
    painting.skyline(_hills(rng, shore + 0.24, 0.05, 0.6), _vary(rng, (0.91, 0.79, 0.54)), 0.2)
    return painting


def _desert(rng: np.random.Generator, size: int) -> Painting:
    horizon = rng.uniform(0.42, 0.52)
    painting = Painting.with_sky(size, (0.50, 0.72, 0.90), (0.98, 0.92, 0.80), horizon)
    painting.skyline(_hills(rng, horizon, 0.12, 0.9), _vary(rng, (0.84, 0.56, 0.34)), 0.95)
    painting.ground(horizon + 0.02, _vary(rng, (0.92, 0.66, 0.38)), _vary(rng, (0.80, 0.50, 0.24)))
    painting.skyline(_hills(rng, horizon + 0.16, 0.10, 0.7), _vary(rng, (0.93, 0.68, 0.38)), 0.6)
    painting.skyline(_hills(rng, horizon + 0.34, 0.10, 0.8), _vary(rng, (0.86, 0.57, 0.29)), 0.25)
    return painting


def _snowy_field(rng: np.random.Generator, size: int) -> Painting:
    horizon = rng.uniform(0.44, 0.54)
    painting = Painting.with_sky(size, (0.55, 0.70, 0.86), (0.88, 0.93, 0.97), horizon)
    peaks = np.linspace(-0.1, 1.1, 5) + rng.uniform(-0.06, 0.06, 5)
    for x in peaks:
        top, half = horizon - rng.uniform(0.14, 0.26), rng.uniform(0.16, 0.24)
        slope = np.array([(x - half, horizon + 0.02), (x, top), (x + half, horizon + 0.02)])
        painting.polygon(slope, _vary(rng, (0.52, 0.60, 0.72)), 0.95)
        cap = np.array([(x - half * 0.4, top + 0.4 * (horizon + 0.02 - top)), (x, top),
                        (x + half * 0.4, top + 0.4 * (horizon + 0.02 - top))])  # fmt: skip
        painting.polygon(cap, (0.96, 0.97, 1.0), 0.95)
    painting.ground(horizon, (0.86, 0.91, 0.97), (0.97, 0.98, 1.0))
    painting.skyline(_hills(rng, horizon + 0.24, 0.08, 0.8), (0.90, 0.94, 0.99), 0.4)
    return painting


def _city_street(rng: np.random.Generator, size: int) -> Painting:
    horizon = rng.uniform(0.50, 0.56)
    painting = Painting.with_sky(size, (0.45, 0.66, 0.90), (0.84, 0.90, 0.95), horizon)
    palette: tuple[Colour, ...] = (
        (0.72, 0.42, 0.34), (0.62, 0.62, 0.66), (0.80, 0.70, 0.55), (0.50, 0.55, 0.66),
    )  # fmt: skip
    x = -rng.uniform(0.0, 0.1)
    while x < 1:
        width, top = rng.uniform(0.16, 0.24), horizon - rng.uniform(0.22, 0.42)
        wall = _vary(rng, palette[int(rng.integers(len(palette)))])
        painting.box(x, top, x + width, horizon + 0.03, wall, 0.8)
        _windows(painting, x, top, width, horizon)
        x += width
    painting.ground(horizon + 0.02, (0.70, 0.69, 0.67), (0.70, 0.69, 0.67))
    road = horizon + 0.09
    painting.box(-0.1, road, 1.1, 1.1, _vary(rng, (0.36, 0.37, 0.40)), 0.3)
    shift = rng.uniform(0, 0.3)
    for index in range(-1, 4):
        left = index * 0.32 + shift
        painting.box(left, road + 0.19, left + 0.18, road + 0.22, (0.95, 0.90, 0.65), 0.2)
    return painting


def _windows(painting: Painting, x: float, top: float, width: float, horizon: float) -> None:
    for row in np.arange(top + 0.035, horizon - 0.03, 0.075):
        for column in (0.2, 0.6):
            left = x + column * width
            painting.box(left, row, left + 0.2 * width, row + 0.04, (0.85, 0.90, 0.78), 0.8)


def _lake(rng: np.random.Generator, size: int) -> Painting:
    horizon = rng.uniform(0.36, 0.46)
    painting = Painting.with_sky(size, (0.42, 0.66, 0.92), (0.85, 0.92, 0.97), horizon)
    painting.skyline(_hills(rng, horizon, 0.16, 0.8), _vary(rng, (0.45, 0.56, 0.62)), 0.98)
    painting.skyline(_hills(rng, horizon + 0.01, 0.06, 2.5), _vary(rng, (0.16, 0.36, 0.24)), 0.9)
    painting.ground(horizon + 0.02, (0.55, 0.74, 0.86), _vary(rng, (0.16, 0.40, 0.62)))
    for _ in range(6):
        y = rng.uniform(horizon + 0.06, 0.80)
        painting.ellipse(rng.uniform(0, 1), y, rng.uniform(0.05, 0.14), 0.004, (0.66, 0.82, 0.90))
    shore = rng.uniform(0.80, 0.88)
    painting.skyline(_hills(rng, shore, 0.05, 0.9), _vary(rng, (0.42, 0.50, 0.24)), 0.1)
    return painting


PAINTERS: dict[str, Painter] = {
    "meadow": _meadow,
    "beach": _beach,
    "desert": _desert,
    "snowy field": _snowy_field,
    "city street": _city_street,
    "lake": _lake,
}
