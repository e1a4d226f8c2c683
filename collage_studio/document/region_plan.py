"""The region plan: which texts every latent cell reads, from boxes or masks that may overlap.

Cells that are covered by the same objects form one disjoint region, an atom; cells of no object
are the background, atom 0. Rich-Context Layout-to-Image (arXiv 2409.04847) calls this region
reorganisation. Unlike its released code nothing is dropped at random: every atom stays, the last
row and column are cells like others, and an object smaller than a cell keeps one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.looks import Look

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[Any]
Box = tuple[float, float, float, float]
Overlap = Literal["all", "front"]

COVERED = 0.5
"""A cell belongs to a mask that covers at least this share of it."""
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class LayoutObject:
    """One thing with its words and its place.

    Args:
        text: its words. Without any it says nothing, but hides what is below it.
        mask: (h, w) the latent cells it covers.
        box: left, top, right, bottom, as shares of the picture's sides.
        key: whose it is, such as the id of a layer.
        look: what its words mean beside themselves, where that was learned.
    """

    text: str
    mask: Bools
    box: Box
    key: str = ""
    look: Look | None = None

    @classmethod
    def from_box(
        cls, text: str, box: Box, grid: Size, key: str = "", *, upstream: bool = False
    ) -> LayoutObject:
        """An object that fills a box, given as shares 0..1; at least one cell of `grid`.

        Args:
            upstream: as the released code does it: the last row and column stay uncovered, and
                boxes narrower than a cell cover none.
        """
        left, top, right, bottom = (min(max(float(side), 0.0), 1.0) for side in box)
        columns = _cells(left, right, grid.width, upstream=upstream)
        rows = _cells(top, bottom, grid.height, upstream=upstream)
        mask = np.zeros(grid.shape, np.bool_)
        mask[rows, columns] = True
        return cls(text, mask, (left, top, right, bottom), key)

    @classmethod
    def from_mask(cls, text: str, mask: Floats, key: str = "") -> LayoutObject:
        """An object with an outline: (h, w) the share of each cell that it covers, 0..1.

        Its box bounds the cells. Where it fills no cell by half, it gets the one it fills most.
        """
        covered = np.asarray(mask) >= COVERED
        if not covered.any() and np.max(mask) > 0:
            covered = np.zeros(covered.shape, np.bool_)
            covered.flat[int(np.argmax(mask))] = True
        return cls(text, covered, _bounds(covered), key)

    def cut(self, window: Rect) -> LayoutObject:
        """What is seen of it in a window of cells; its box is clipped and relative to the window.

        An object that is not seen covers no cell.
        """
        height, width = self.mask.shape
        left, top, right, bottom = self.box
        box = (
            (left * width - window.left) / window.width,
            (top * height - window.top) / window.height,
            (right * width - window.left) / window.width,
            (bottom * height - window.top) / window.height,
        )
        clipped = tuple(min(max(side, 0.0), 1.0) for side in box)
        seen = _wrapped(self.mask, window)
        return replace(self, mask=seen, box=(clipped[0], clipped[1], clipped[2], clipped[3]))


@dataclass(frozen=True, slots=True, eq=False)
class RegionPlan:
    """The disjoint regions of a picture.

    Args:
        grid: of latent cells.
        objects: back to front.
        atoms: (h, w) int32, the number of each cell's region; 0 is the background.
        members: by atom, which objects it belongs to, back to front; () for atom 0.
        prior: by atom and member A_min / A_i: 1 for the smallest object, which says most. A_i is
            the area of the whole object.
        warnings: sentences about objects that cannot be seen or had to be changed.
    """

    grid: Size
    objects: tuple[LayoutObject, ...]
    atoms: npt.NDArray[np.int32]
    members: tuple[tuple[int, ...], ...]
    prior: tuple[tuple[float, ...], ...]
    warnings: tuple[str, ...] = ()
    overlap: Overlap = "all"

    @property
    def masks(self) -> Bools:
        """(R, h, w) the cells of each atom; together they are the whole grid."""
        return self.atoms[None] == np.arange(len(self.members))[:, None, None]

    def texts(self, atom: int) -> tuple[str, ...]:
        """The words that an atom reads, back to front."""
        return tuple(one.text for one in self.of_atom(atom))

    def of_atom(self, atom: int) -> tuple[LayoutObject, ...]:
        """The objects of an atom, back to front."""
        return tuple(self.objects[index] for index in self.members[atom])

    def cut(self, window: Rect) -> RegionPlan:
        """The plan of a window of cells, as if it were a picture of its own.

        What lies beyond the right or lower edge wraps around, as in the maps of a run.
        """
        if window == Rect.of_size(self.grid):
            return self
        objects = [one.cut(window) for one in self.objects]
        seen = [one for one in objects if one.mask.any()]
        return build_plan(seen, Size(window.width, window.height), overlap=self.overlap)


def build_plan(
    objects: Sequence[LayoutObject], grid: Size, *, overlap: Overlap = "all"
) -> RegionPlan:
    """Split the grid into regions that are covered by the same objects.

    The regions are numbered in lexicographic order of their members, so that the same layout
    always has the same plan.

    Args:
        objects: back to front, their masks on `grid`.
        overlap: "all" lets overlapping objects share a cell, "front" gives it to the front one.

    Raises:
        ValueError: a mask has another shape than the grid.
    """
    for one in objects:
        if one.mask.shape != grid.shape:
            raise ValueError(f"A mask of {one.mask.shape} cells does not fit a grid {grid.shape}.")
    covers = np.array([one.mask for one in objects], np.bool_).reshape(len(objects), *grid.shape)
    shown = _fronts(covers) if overlap == "front" else covers
    has_words = np.array([bool(one.text.strip()) for one in objects], np.bool_)
    atoms, members = _atoms(shown & has_words[:, None, None], grid)
    areas = covers.sum((1, 2))
    return RegionPlan(
        grid,
        tuple(objects),
        atoms,
        members,
        tuple(_prior(atom, areas) for atom in members),
        _warnings(objects, covers, shown),
        overlap,
    )


def _cells(start: float, end: float, count: int, *, upstream: bool) -> slice:
    """The cells from `start` to `end`, shares of a side with `count` cells."""
    first, last = int(start * count + _ROUNDING), int(end * count + _ROUNDING)
    if upstream:
        return slice(min(first, count - 1), min(last, count - 1))
    first = min(first, count - 1)
    return slice(first, max(last, first + 1))


def _bounds(covered: Bools) -> Box:
    height, width = covered.shape
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    if not len(rows):
        return (0.0, 0.0, 0.0, 0.0)
    return (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )


def _wrapped(mask: Bools, window: Rect) -> Bools:
    height, width = mask.shape
    rows = np.arange(window.top, window.bottom) % height
    columns = np.arange(window.left, window.right) % width
    return mask[rows[:, None], columns]


def _fronts(covers: Bools) -> Bools:
    """(N, h, w) what is seen of each object if all are opaque; the last is in front."""
    above = np.cumsum(covers[::-1], axis=0, dtype=np.int32)[::-1] - covers
    return covers & (above == 0)


def _atoms(covers: Bools, grid: Size) -> tuple[npt.NDArray[np.int32], tuple[tuple[int, ...], ...]]:
    """Numbers (h, w) and members of the regions; number 0 is kept for cells of no object."""
    if not len(covers):
        return np.zeros(grid.shape, np.int32), ((),)
    rows = covers.reshape(len(covers), -1).T
    # Packed bits sort like the rows themselves and are compared 8 at a time.
    _, first, inverse = np.unique(
        np.packbits(rows, axis=1), axis=0, return_index=True, return_inverse=True
    )
    members = [tuple(map(int, np.flatnonzero(rows[index]))) for index in first]
    shift = 0 if members[0] == () else 1
    atoms = inverse.reshape(grid.shape).astype(np.int32) + shift
    return atoms, tuple([()] * shift + members)


def _prior(members: tuple[int, ...], areas: npt.NDArray[Any]) -> tuple[float, ...]:
    """IoU of the atom with each member's whole mask, divided by the largest: A_min / A_i."""
    least = min((float(areas[index]) for index in members), default=1.0)
    return tuple(least / float(areas[index]) for index in members)


def _warnings(objects: Sequence[LayoutObject], covers: Bools, shown: Bools) -> tuple[str, ...]:
    found = list[str]()
    for one, own, seen in zip(objects, covers, shown, strict=True):
        if not own.any():
            found.append(f"“{one.text}” covers no part of the picture. Move it or make it larger.")
        elif not seen.any():
            found.append(f"“{one.text}” is hidden by others. Move it or bring it to the front.")
    return tuple(found)
