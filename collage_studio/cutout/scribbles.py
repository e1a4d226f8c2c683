"""Cutting an object out by a few strokes: GrabCut at 512 px, then closed-form matting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.cutout.arrays import Bool, Bytes, Float, box_of, fitted_shape, resized, rgb_of
from collage_studio.cutout.matting import rematte

WORKING_PX = 512
BAND_SHARE = 1 / 128
ROUNDS = 3
RING_SHARE = 0.06
ENCLOSED_SHARE = 0.7
FRAME_PX = 4
OBJECT_CLUSTERS, BACKDROP_CLUSTERS = 8, 24
PLACE_WEIGHT = 80.0
UNLIKE, LEAST_UNLIKE = 3.0, 10.0


class CutoutError(Exception):
    """A cutout could not be made; `str(error)` is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Scribble:
    """A stroke of the user: `points` (x, y) in picture px, `width` in px."""

    points: tuple[tuple[float, float], ...]
    is_object: bool
    width: float = 12.0


def cut_out(picture: npt.NDArray[Any], scribbles: Sequence[Scribble]) -> Float:
    """The alpha of what the scribbles mean: (H, W) float32 in [0, 1].

    Args:
        picture: (H, W, 3 or 4), sRGB-encoded; its own alpha is ignored.
        scribbles: at least one on the object. One around it makes the best cutouts; without any on
            the backdrop the picture's border stands for it.

    Raises:
        CutoutError: there is no stroke on the object.
    """
    return refine(picture, select(picture, scribbles))


def select(picture: npt.NDArray[Any], scribbles: Sequence[Scribble]) -> Bool:
    """The rough object at 512 px on the longer side, (h, w): quick enough to follow each stroke.

    Raises:
        CutoutError: there is no stroke on the object.
    """
    shape = fitted_shape(picture.shape[:2], WORKING_PX)
    scale = shape[1] / picture.shape[1], shape[0] / picture.shape[0]
    on_object = _drawn(scribbles, shape, scale, is_object=True)
    on_backdrop = _drawn(scribbles, shape, scale, is_object=False) & ~on_object
    if not on_object.any():
        raise CutoutError("Draw a stroke on the object that is to stay.")
    framed = not on_backdrop.any()
    if framed:
        on_backdrop = _frame(shape) & ~on_object
    small = np.round(resized(rgb_of(picture), shape) * 255).astype(np.uint8)
    return _grown_from(small, on_object, on_backdrop, framed=framed)


def refine(picture: npt.NDArray[Any], selected: npt.NDArray[Any]) -> Float:
    """A soft alpha at the picture's size from a rough (h, w) selection of any size."""
    shape = (picture.shape[0], picture.shape[1])
    rough = resized(selected.astype(np.float32), shape)
    return rematte(picture, rough, max(3.0, max(shape) * BAND_SHARE))


def rectangle_grabcut(
    picture: npt.NDArray[Any], box: tuple[int, int, int, int], *, rounds: int = 5
) -> Float:
    """Plain GrabCut at 512 px from a rectangle (left, top, right, bottom): a yardstick."""
    shape = fitted_shape(picture.shape[:2], WORKING_PX)
    rgb = np.round(resized(rgb_of(picture), shape) * 255).astype(np.uint8)
    scale = shape[0] / picture.shape[0]
    left, top, right, bottom = (round(side * scale) for side in box)
    labels = np.zeros(shape, np.uint8)
    area = (left, top, max(1, right - left), max(1, bottom - top))
    cv2.setRNGSeed(0)
    cv2.grabCut(rgb, labels, area, *_models(), rounds, cv2.GC_INIT_WITH_RECT)
    rough = resized(_is_object(labels).astype(np.float32), (picture.shape[0], picture.shape[1]))
    return (rough >= 0.5).astype(np.float32)


def _drawn(
    scribbles: Sequence[Scribble],
    shape: tuple[int, int],
    scale: tuple[float, float],
    *,
    is_object: bool,
) -> Bool:
    canvas = np.zeros(shape, np.uint8)
    for scribble in scribbles:
        if scribble.is_object is is_object and scribble.points:
            points = np.round((np.array(scribble.points) + 0.5) * scale - 0.5).astype(np.int32)
            width = max(1, round(scribble.width * scale[0]))
            cv2.polylines(canvas, [points.reshape(-1, 1, 2)], isClosed=False, color=1,
                          thickness=width)  # fmt: skip
            if len(points) == 1:
                cv2.circle(canvas, points[0].tolist(), (width + 1) // 2, 1, -1)
    return canvas > 0


def _frame(shape: tuple[int, int]) -> Bool:
    """The picture's border: without a stroke it stands for the backdrop."""
    frame = np.ones(shape, np.bool_)
    frame[FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX] = False
    return frame


def _grown_from(rgb: Bytes, on_object: Bool, on_backdrop: Bool, *, framed: bool) -> Bool:
    """GrabCut near the strokes from a first guess; parts that hold no stroke are dropped.

    A stroke around the object tells that everything outside is backdrop: only what can be reached
    from the object's strokes without crossing a backdrop stroke may belong to it.
    """
    whole = _touched(~on_backdrop, on_object)
    box = box_of(whole, max(8, round(max(whole.shape) * RING_SHARE)))
    rgb, on_object, inside = rgb[box], on_object[box], whole[box]
    is_enclosed = framed or bool(whole.mean() < ENCLOSED_SHARE)
    guess = _first_guess(rgb, on_object, ~inside, is_enclosed=is_enclosed)
    labels = np.where(guess, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[on_object] = cv2.GC_FGD
    labels[~inside] = cv2.GC_BGD
    # GrabCut seeds its colour clusters at random.
    cv2.setRNGSeed(0)
    unused = (0, 0, 0, 0)
    rgb = np.ascontiguousarray(rgb)
    cv2.grabCut(rgb, labels, unused, *_models(), ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = np.zeros(on_backdrop.shape, np.bool_)
    found[box] = _touched(_is_object(labels), on_object)
    return found


def _touched(region: Bool, by: Bool) -> Bool:
    """The connected parts of `region` that hold a pixel of `by`."""
    _, found = cv2.connectedComponents(region.astype(np.uint8), connectivity=4)
    parts = found.astype(np.int32)
    kept = np.zeros(int(parts.max()) + 1, np.bool_)
    kept[np.unique(parts[by & region])] = True
    kept[0] = False
    return kept[parts]


def _first_guess(rgb: Bytes, on_object: Bool, on_backdrop: Bool, *, is_enclosed: bool) -> Bool:
    """What looks like the object: nearer to its strokes' colours, or unlike any backdrop.

    Places count beside colours, as light changes over a picture. That something unlike the
    backdrop is object holds only where a stroke runs around it.
    """
    spots = _colours_and_places(rgb)
    far = _nearest(spots, on_backdrop, BACKDROP_CLUSTERS)
    like = _nearest(spots, on_object, OBJECT_CLUSTERS) < far
    if is_enclosed:
        usual = float(np.quantile(far[on_backdrop], 0.95))
        like |= far > max(usual * UNLIKE, LEAST_UNLIKE**2)
    return like


def _colours_and_places(rgb: Bytes) -> Float:
    """(h, w, 5): CIE Lab in 8-bit units, and x, y scaled so that PLACE_WEIGHT spans 512 px."""
    lab = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2LAB).astype(np.float32)
    y, x = np.mgrid[: rgb.shape[0], : rgb.shape[1]].astype(np.float32) * (PLACE_WEIGHT / WORKING_PX)
    return np.dstack([lab, x, y]).astype(np.float32)


def _nearest(spots: Float, chosen: Bool, clusters: int) -> Float:
    """Squared distance of each pixel to the nearest cluster of the chosen pixels."""
    samples = spots[chosen]
    samples = samples[:: len(samples) // 4000 + 1]
    ending = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 0.5)
    cv2.setRNGSeed(0)
    count, labels = min(clusters, len(samples)), np.zeros((len(samples), 1), np.int32)
    _, _, centres = cv2.kmeans(samples, count, labels, ending, 1, cv2.KMEANS_PP_CENTERS)
    # |s - c|^2 = |s|^2 - 2 s . c + |c|^2, with the clusters along the last axis.
    inner = (-2.0 * spots) @ centres.T + np.square(centres).sum(axis=1)
    return np.maximum(inner.min(axis=2) + np.square(spots).sum(axis=2), 0.0)


def _models() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return np.zeros((1, 65)), np.zeros((1, 65))


def _is_object(labels: npt.NDArray[np.uint8]) -> Bool:
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
