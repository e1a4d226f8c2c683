"""From the model's picture back to the canvas: size, source detail, exact restore."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Rect
from collage_studio.engine.api import Picture
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.workspace import Floats

FULLY_NEW = 0.1
"""Noise from which on a pixel is the model's alone; below, the base shows through."""


def newness(noise: Floats) -> Floats:
    """Share of the model's picture in each pixel, (H, W, 1): 0 exactly where the noise is 0."""
    t = np.clip(noise / FULLY_NEW, 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t)).astype(np.float32)[..., None]


def as_floats(picture: Picture) -> Floats:
    """(H, W, 3) uint8 to float32 [0, 1]."""
    return picture.astype(np.float32) / np.float32(255.0)


def as_picture(values: npt.NDArray[np.floating]) -> Picture:
    """(H, W, 3) [0, 1] to uint8, rounded to nearest."""
    return np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)


def finished(plan: RunPlan, window: Floats, detail: Floats | None = None) -> Picture:
    """The canvas-size outcome of one seed.

    Args:
        window: (h, w, 3) float32 [0, 1], the decoded window in working pixels.
        detail: what `source_detail` found; None adds none.
    """
    space = plan.workspace
    base = as_floats(plan.base)
    work = space.shrink(base).copy()
    work[space.pixels.slices] = window
    full = space.enlarge(work)
    if detail is not None:
        full = full + detail
    share = newness(plan.noise)
    picture = as_picture(full * share + base * (1.0 - share))
    kept = share[..., 0] == 0.0
    picture[kept] = plan.base[kept]
    return picture


def source_detail(plan: RunPlan, echo: Floats) -> Floats:
    """What working size and autoencoder lose of the start picture, less where more is repainted.

    Args:
        echo: (h, w, 3) [0, 1], the window of the start picture, encoded and decoded again.

    Returns:
        (H, W, 3), to be added to an enlarged picture.
    """
    space, start = plan.workspace, as_floats(plan.start)
    work = space.shrink(start).copy()
    work[space.pixels.slices] = echo
    kept = np.float32(plan.settings.detail) * (1.0 - plan.noise)
    detail = (start - space.enlarge(work)) * kept[..., None]
    return detail.astype(np.float32, copy=False)


def change_box(noise: Floats) -> Rect:
    """Smallest canvas box outside which nothing changes; empty if nothing may."""
    rows, columns = np.flatnonzero(noise.any(axis=1)), np.flatnonzero(noise.any(axis=0))
    if not rows.size:
        return Rect(0, 0, 0, 0)
    return Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
