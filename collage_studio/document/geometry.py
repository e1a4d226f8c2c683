"""Sizes, boxes and affine maps in canvas pixels: origin top left, y down, degrees clockwise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, both at least 1."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"A size needs at least 1 x 1 px, got {self.width} x {self.height}.")

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W), the order of arrays."""
        return self.height, self.width


@dataclass(frozen=True, slots=True)
class Rect:
    """Half-open integer box: columns left..right-1, rows top..bottom-1. May be empty."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of_size(cls, size: Size) -> Rect:
        return cls(0, 0, size.width, size.height)

    @property
    def width(self) -> int:
        return max(0, self.right - self.left)

    @property
    def height(self) -> int:
        return max(0, self.bottom - self.top)

    @property
    def is_empty(self) -> bool:
        return self.width == 0 or self.height == 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of an (H, W, ...) array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def intersect(self, other: Rect) -> Rect:
        return Rect(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def union(self, other: Rect) -> Rect:
        if self.is_empty:
            return other
        if other.is_empty:
            return self
        return Rect(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def grown(self, margin: int) -> Rect:
        return Rect(
            self.left - margin, self.top - margin, self.right + margin, self.bottom + margin
        )

    def tiles(self, size: Size) -> Iterator[Rect]:
        """This box in parts of at most `size`, row by row."""
        for top in range(self.top, self.bottom, size.height):
            for left in range(self.left, self.right, size.width):
                yield Rect(left, top, left + size.width, top + size.height).intersect(self)


@dataclass(frozen=True, slots=True)
class Affine:
    """x' = a x + b y + c, y' = d x + e y + f: source pixels to canvas pixels.

    Coordinates are continuous: pixel (i, j) covers [j, j+1) x [i, i+1), its centre is at +0.5.
    """

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 1.0
    f: float = 0.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) for v in self.as_tuple()):
            raise ValueError(f"A placement needs finite numbers, got {self.as_tuple()}.")

    @classmethod
    def translation(cls, x: float, y: float) -> Affine:
        return cls(c=x, f=y)

    @classmethod
    def scaling(cls, sx: float, sy: float | None = None) -> Affine:
        return cls(a=sx, e=sx if sy is None else sy)

    @classmethod
    def rotation(cls, degrees: float) -> Affine:
        """Clockwise on screen, about the origin."""
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        return cls(cos, -sin, 0.0, sin, cos, 0.0)

    def as_tuple(self) -> tuple[float, float, float, float, float, float]:
        return self.a, self.b, self.c, self.d, self.e, self.f

    @property
    def determinant(self) -> float:
        return self.a * self.e - self.b * self.d

    def after(self, first: Affine) -> Affine:
        """The map that applies `first`, then this one."""
        return Affine(
            self.a * first.a + self.b * first.d,
            self.a * first.b + self.b * first.e,
            self.a * first.c + self.b * first.f + self.c,
            self.d * first.a + self.e * first.d,
            self.d * first.b + self.e * first.e,
            self.d * first.c + self.e * first.f + self.f,
        )

    def about(self, x: float, y: float) -> Affine:
        """This map performed about the point (x, y) instead of the origin."""
        return Affine.translation(x, y).after(self).after(Affine.translation(-x, -y))

    def inverse(self) -> Affine:
        det = self.determinant
        if abs(det) < 1e-12:
            raise ValueError("A placement that flattens the layer to a line cannot be undone.")
        a, b, d, e = self.e / det, -self.b / det, -self.d / det, self.a / det
        return Affine(a, b, -(a * self.c + b * self.f), d, e, -(d * self.c + e * self.f))

    def apply(self, x: float, y: float) -> tuple[float, float]:
        return self.a * x + self.b * y + self.c, self.d * x + self.e * y + self.f

    def corners(self, size: Size) -> tuple[tuple[float, float], ...]:
        """Canvas positions of a source picture's corners: clockwise from its top left."""
        w, h = size.width, size.height
        return tuple(self.apply(x, y) for x, y in ((0, 0), (w, 0), (w, h), (0, h)))

    def bounds(self, size: Size) -> Rect:
        """Smallest integer box on the canvas that holds the placed picture."""
        xs, ys = zip(*self.corners(size), strict=True)
        return Rect(
            math.floor(min(xs) + 1e-6),
            math.floor(min(ys) + 1e-6),
            math.ceil(max(xs) - 1e-6),
            math.ceil(max(ys) - 1e-6),
        )

    def matrix(self) -> npt.NDArray[np.float64]:
        """(2, 3), continuous coordinates."""
        return np.array([[self.a, self.b, self.c], [self.d, self.e, self.f]])


IDENTITY = Affine()
