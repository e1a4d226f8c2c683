"""The noise brush: a stroke in canvas px becomes painted noise of one layer, no Qt."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from collage_studio.cutout.brush import MaskStroke
from collage_studio.document.geometry import Affine, Rect
from collage_studio.document.model import Layer, Raster
from collage_studio.document.noise_paint import over


class PaintMode(StrEnum):
    """What a stroke does to the noise under it."""

    SET = "set"
    RAISE = "raise"
    LOWER = "lower"


def value_of(mode: PaintMode, noise: float) -> float:
    """What a stroke draws the noise towards: `noise` in [0, 1], or the end of the scale."""
    return {PaintMode.SET: noise, PaintMode.RAISE: 1.0, PaintMode.LOWER: 0.0}[mode]


class NoiseStroke:
    """One stroke in progress over a layer with a raster.

    Args:
        to_canvas: source px to canvas px.
        value: noise in [0, 1] that the stroke draws the places towards.
        radius: canvas px; hardness and flow in [0, 1], as of a mask stroke.
    """

    def __init__(
        self,
        layer: Layer,
        to_canvas: Affine,
        *,
        value: float,
        radius: float,
        hardness: float,
        flow: float,
    ) -> None:
        if layer.raster is None:
            raise ValueError(f"Layer {layer.name!r} has no pixels to paint noise on.")
        self.layer, self.value, self._size = layer, value, layer.raster.size
        self._touched = Rect(0, 0, 0, 0)
        empty = np.zeros(self._size.shape, np.uint8)
        self._cover = MaskStroke(
            empty, to_canvas, radius=radius, hardness=hardness, flow=flow, adds=True
        )

    def move_to(self, x: float, y: float) -> Rect:
        """Paint from the last point to this one, canvas px; tells the changed box in source px."""
        box = self._cover.move_to(x, y)
        self._touched = self._touched.union(box)
        return box

    def painted(self) -> Raster:
        """The layer's painted noise with the stroke as far as it went."""
        part = self._cover.values[self._touched.slices]
        cover = np.multiply(part, np.float32(1 / 255), dtype=np.float32)
        return over(self.layer.noise_paint, self._size, self.value, cover, box=self._touched)
