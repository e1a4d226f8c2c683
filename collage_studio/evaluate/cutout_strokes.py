"""Strokes as a person would draw them, made from a known alpha: for measuring cutouts."""

from __future__ import annotations

import heapq
import math
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.cutout.scribbles import Scribble

Float = npt.NDArray[np.floating[Any]]
Bool = npt.NDArray[np.bool_]
Point = tuple[float, float]
_GRID = 128
_NEIGHBOURS = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]


def object_stroke(alpha: Float) -> Scribble:
    """One stroke along the object's middle, from one end of it to the other."""
    scale = max(alpha.shape) / _GRID
    inside = _largest(cv2.resize(alpha.astype(np.float32), _fitted(alpha.shape)) > 0.95)
    padded = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    found = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    depth = found.astype(np.float32)
    middle = np.unravel_index(int(depth.argmax()), depth.shape)
    # The ends keep some way off the outline, as a careful hand does.
    roomy = depth >= max(1.5, 0.35 * float(depth.max()))
    start = _walk(depth, roomy, (int(middle[0]), int(middle[1])))[-1]
    path = _walk(depth, roomy, start)
    points = tuple(((c + 0.5) * scale, (r + 0.5) * scale) for r, c in path)
    return Scribble(points, True, width=max(alpha.shape) / 128)


def loop_around(alpha: Float, distance_share: float = 0.03) -> Scribble:
    """One closed stroke around the object, along its convex hull and some way off."""
    longest = max(alpha.shape)
    solid = _largest(alpha > 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(np.concatenate(contours))
    off = round(longest * distance_share)
    canvas = np.zeros((alpha.shape[0] + 2 * off, alpha.shape[1] + 2 * off), np.uint8)
    cv2.fillConvexPoly(canvas, hull + off, 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * off + 1, 2 * off + 1))
    grown, _ = cv2.findContours(cv2.dilate(canvas, disc), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = (grown[0].reshape(-1, 2) - off)[:: max(1, longest // 128)]
    points = tuple((float(x), float(y)) for x, y in [*outline.tolist(), outline[0].tolist()])
    return Scribble(points, False, width=longest / 128)


def line_beside(alpha: Float) -> Scribble:
    """One open stroke on the backdrop: over the object's top, from one side to the other."""
    loop = loop_around(alpha, 0.06).points[:-1]
    height, width = alpha.shape
    inside = [(min(max(x, 4.0), width - 5.0), min(max(y, 4.0), height - 5.0)) for x, y in loop]
    lowest = max(range(len(inside)), key=lambda index: inside[index][1])
    turned = inside[lowest:] + inside[:lowest]
    skipped = len(turned) // 6
    return Scribble(tuple(turned[skipped:-skipped]), False, width=max(alpha.shape) / 128)


def box_around(alpha: Float, margin_share: float = 0.02) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) around the object with a small margin, inside the picture."""
    rows, columns = np.flatnonzero((alpha > 0.1).any(1)), np.flatnonzero((alpha > 0.1).any(0))
    margin, (height, width) = round(max(alpha.shape) * margin_share), alpha.shape
    return (
        max(1, int(columns[0]) - margin),
        max(1, int(rows[0]) - margin),
        min(width - 1, int(columns[-1]) + 1 + margin),
        min(height - 1, int(rows[-1]) + 1 + margin),
    )


def _fitted(shape: tuple[int, ...]) -> tuple[int, int]:
    scale = _GRID / max(shape)
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _largest(region: Bool) -> Bool:
    """The largest connected part."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
    if len(stats) < 2:
        raise ValueError("There is no object to draw a stroke on.")
    return cast(Bool, parts == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))


def _walk(depth: Float, roomy: Bool, start: tuple[int, int]) -> list[tuple[int, int]]:
    """The easiest way from `start` to the place that is hardest to reach, through deep pixels."""
    reached, came = {start: 0.0}, dict[tuple[int, int], tuple[int, int]]()
    queue = [(0.0, start)]
    last = start
    while queue:
        cost, here = heapq.heappop(queue)
        if cost > reached[here]:
            continue
        last = here
        for row, column in _NEIGHBOURS:
            there = here[0] + row, here[1] + column
            if not (0 <= there[0] < depth.shape[0] and 0 <= there[1] < depth.shape[1]):
                continue
            if not roomy[there]:
                continue
            total = cost + math.hypot(row, column) * (1.0 + 4.0 / float(depth[there]))
            if total < reached.get(there, math.inf):
                reached[there], came[there] = total, here
                heapq.heappush(queue, (total, there))
    path = [last]
    while path[-1] != start:
        path.append(came[path[-1]])
    return path[::-1]
