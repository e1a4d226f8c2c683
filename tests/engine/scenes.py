"""Small collages for the engine's tests."""

from __future__ import annotations

import numpy as np

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Caption, Document, Layer, LayerKind, LayerRef, Raster
from collage_studio.document.recipe import RunSettings
from tests.engine import tiny


def cutout(
    layer_id: str, box: tuple[int, int, int, int], text: str, noise: float, **more: object
) -> Layer:
    """An opaque textured rectangle at box = (left, top, width, height)."""
    left, top, width, height = box
    raster = Raster.from_rgb(tiny.photograph(width, height, seed=len(layer_id)))
    return Layer(
        layer_id,
        layer_id.title(),
        raster=raster,
        placement=Affine.translation(left, top),
        text=text,
        noise=noise,
        **more,  # pyright: ignore[reportArgumentType]
    )


def cat_and_dog(
    settings: RunSettings, *, width: int = 128, height: int = 96, noises=(0.8, 0.4, 0.6)
) -> Document:
    """Two cutouts on a plain canvas; noises of background, cat and dog."""
    ground, cat, dog = noises
    return Document(
        Size(width, height),
        (
            cutout("cat", (8, 16, width // 3, height // 2), "cat", cat),
            cutout("dogdog", (width // 2, 24, width // 3, height // 2), "dog", dog),
        ),
        Layer("background", "Background", LayerKind.FILL, noise=ground),
        Caption(("a ", LayerRef("cat"), " and a ", LayerRef("dogdog"))),
        settings,
    )


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(H, W) largest difference of each pixel's channels."""
    return np.abs(a.astype(int) - b.astype(int)).max(axis=2)
