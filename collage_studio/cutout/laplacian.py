"""The matting Laplacian of Levin, Lischinski and Weiss (2008) on a band of pixels, and its solver.

Only rows of unknown pixels are built: 25 numbers each. A narrow band costs little, however large
the picture is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collage_studio.cutout.arrays import Bool, Float

Double = npt.NDArray[np.float64]
Index = npt.NDArray[np.int32]
_SIDE = 3
_REACH = 2 * _SIDE - 1
_CHUNK = 1 << 14


@dataclass(frozen=True, slots=True)
class BandLaplacian:
    """Rows of the Laplacian for n unknown pixels.

    Args:
        weights: (n, 25) L_ij of the pixel and its neighbours within 2 px, row by row.
        unknown: (n, 25) place of each neighbour among the unknown; n where it is known.
        pixels: (n, 25) flat index of each neighbour in the picture.
    """

    weights: Double
    unknown: Index
    pixels: Index

    @classmethod
    def build(cls, rgb: Float, band: Bool, epsilon: float) -> BandLaplacian:
        """The rows of all pixels in `band`.

        L_ij = sum over 3 x 3 windows k that hold i and j of
        d_ij - (1 + (I_i - m_k)^T (S_k + epsilon / 9 E)^-1 (I_j - m_k)) / 9    (Levin, eq. 12)

        Args:
            rgb: (H, W, 3) in [0, 1], at least 3 x 3 px.
            epsilon: how much noise the colour lines forgive, in squared units of `rgb`.
        """
        height, width = band.shape
        flat = np.flatnonzero(band).astype(np.int32)
        place = np.full(band.size, flat.size, np.int32)
        place[flat] = np.arange(flat.size, dtype=np.int32)
        weights = np.zeros((flat.size + 1, _REACH * _REACH))
        steps = _offsets(_SIDE, width)
        centres = np.flatnonzero(_window_centres(band)).astype(np.int32)
        colours = rgb.reshape(-1, 3)
        for start in range(0, centres.size, _CHUNK):
            window = centres[start : start + _CHUNK, None] + steps
            shares = _window_rows(colours[window].astype(np.float64), epsilon)
            rows = place[window]
            for index in range(_SIDE * _SIDE):
                # Within one chunk a pixel is the index-th of one window only: no lost additions.
                weights[rows[:, index, None], _columns(index)] += shares[:, index]
        neighbours = flat[:, None] + _offsets(_REACH, width)
        neighbours = np.clip(neighbours, 0, height * width - 1)
        inside = weights[:-1] != 0.0
        unknown = np.where(inside, place[neighbours], flat.size).astype(np.int32)
        return cls(weights[:-1], unknown, neighbours.astype(np.int32))

    def times(self, values: Double) -> Double:
        """L x for (n,) values of the unknown pixels, the known ones being 0."""
        padded = np.append(values, 0.0)
        return np.einsum("nk,nk->n", self.weights, padded[self.unknown])

    def pull(self, alpha: Double) -> Double:
        """What the known pixels of the flat (H * W,) `alpha` contribute: -L_uk a_k."""
        is_known = self.unknown == self.weights.shape[0]
        known = np.where(is_known, alpha[self.pixels], 0.0)
        return -np.einsum("nk,nk->n", self.weights, known)

    @property
    def diagonal(self) -> Double:
        return self.weights[:, _REACH * _REACH // 2]


def solve(
    laplacian: BandLaplacian,
    right: Double,
    start: Double,
    *,
    pull_back: float | Double = 0.0,
    tolerance: float = 1e-4,
    max_steps: int = 200,
) -> Double:
    """Solve (L + diag(pull_back)) x = right by conjugate gradients with a diagonal preconditioner.

    Stops when a plain step would move pixels by less than `tolerance` (root mean square), or
    after `max_steps`.
    """
    found = start.copy()
    inverse = 1.0 / np.maximum(laplacian.diagonal + pull_back, 1e-9)
    rest = right - laplacian.times(found) - pull_back * found
    guided = inverse * rest
    direction, strength = guided.copy(), float(rest @ guided)
    for _ in range(max_steps):
        if strength <= 0.0 or np.sqrt(np.mean(guided**2)) < tolerance:
            break
        moved = laplacian.times(direction) + pull_back * direction
        bend = float(direction @ moved)
        if bend <= 0.0:
            break
        length = strength / bend
        found += length * direction
        rest -= length * moved
        guided = inverse * rest
        previous, strength = strength, float(rest @ guided)
        direction = guided + (strength / previous) * direction
    return found


def _offsets(side: int, width: int) -> Index:
    """Flat distances of a square's pixels from its middle, row by row."""
    reach = np.arange(side, dtype=np.int32) - side // 2
    return (reach[:, None] * width + reach).ravel().astype(np.int32)


def _columns(index: int) -> npt.NDArray[np.intp]:
    """Where in a row of 25 the nine pixels of a window stand, seen from its index-th pixel."""
    row, column = divmod(index, _SIDE)
    rows, columns = np.divmod(np.arange(_SIDE * _SIDE), _SIDE)
    return (rows - row + _SIDE - 1) * _REACH + columns - column + _SIDE - 1


def _window_centres(band: Bool) -> Bool:
    """Middles of the windows that lie inside the picture and touch the band."""
    centres = np.zeros_like(band)
    height, width = band.shape
    inner = centres[1:-1, 1:-1]
    for row in range(_SIDE):
        for column in range(_SIDE):
            inner |= band[row : row + height - 2, column : column + width - 2]
    return centres


def _window_rows(colours: Double, epsilon: float) -> Double:
    """Each window's share in the Laplacian, (K, 9, 9), of its colours (K, 9, 3)."""
    count = colours.shape[1]
    centred = colours - colours.mean(axis=1, keepdims=True)
    spread = np.einsum("kic,kid->kcd", centred, centred) / count
    spread += np.eye(3) * (epsilon / count)
    likeness = centred @ np.linalg.inv(spread) @ centred.transpose(0, 2, 1)
    return np.eye(count) - (1.0 + likeness) / count
