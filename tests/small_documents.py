"""Small collages for tests of jobs and app."""

from __future__ import annotations

import numpy as np

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Caption, Document, Layer, LayerRef, Mask, Raster
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import HarmoniseRequest


def raster(seed: int, width: int = 96, height: int = 80) -> Raster:
    """Random pixels with alpha; large enough to travel in shared memory."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    return Raster(pixels)


_SIZE = Size(160, 128)


def collage(layers: int = 2, size: Size = _SIZE) -> Document:
    """Layers "layer0", "layer1", ... each with a mask, a text and a chip in the caption."""
    made = [
        Layer(
            f"layer{number}",
            f"Layer {number}",
            raster=raster(number),
            mask=Mask(np.full((80, 96), 200, np.uint8)),
            placement=Affine.translation(8 * number, 4 * number),
            text=f"a thing {number}",
        )
        for number in range(layers)
    ]
    caption = Caption(("on a table: ", *(LayerRef(layer.id) for layer in made)))
    return Document(size, tuple(made), caption=caption)


def request(
    *seeds: int, steps: int = 3, pause_ms: float = 0.0, document: Document | None = None
) -> HarmoniseRequest:
    """A harmonise run for the tiny engine."""
    settings = RunSettings(steps=steps, guidance=pause_ms)
    return HarmoniseRequest(document or collage(), seeds, settings)
