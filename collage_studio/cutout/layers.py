"""Masks and pictures of layers, as cutting out and mask painting need them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.cutout.edges import decontaminate
from collage_studio.document.model import Layer, LayerKind, Mask, Raster

MaskValues = npt.NDArray[np.uint8]


def is_cuttable(layer: Layer | None) -> bool:
    """The layer has pixels of its own and may be changed."""
    return (
        layer is not None
        and layer.kind is LayerKind.PICTURE
        and layer.raster is not None
        and not layer.locked
    )


def mask_of(layer: Layer) -> MaskValues:
    """The layer's mask, (H, W) uint8; everything belongs to a layer without one."""
    if layer.mask is not None:
        return layer.mask.values
    assert layer.raster is not None
    return np.full(layer.raster.size.shape, 255, np.uint8)


def outline_of(layer: Layer) -> MaskValues:
    """What is seen of the layer, (H, W) uint8: its mask, or its own alpha where it has none."""
    if layer.mask is not None and layer.mask_enabled:
        return layer.mask.values
    assert layer.raster is not None
    return alpha_of(layer.raster)


def alpha_of(raster: Raster) -> MaskValues:
    """A raster's own alpha, (H, W) uint8."""
    alpha = raster.pixels[..., 3]
    if alpha.dtype == np.uint16:
        return (alpha >> 8).astype(np.uint8)
    return np.ascontiguousarray(alpha).astype(np.uint8, copy=False)


def picture_of(raster: Raster) -> npt.NDArray[np.uint8]:
    """The raster over mid grey, (H, W, 3) uint8: clear pixels have no colour of their own."""
    pixels: npt.NDArray[Any] = raster.pixels
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=255.0 / 65535.0)
    rgb = pixels[..., :3]
    if pixels[..., 3].min() == 255:
        return np.ascontiguousarray(rgb).astype(np.uint8, copy=False)
    alpha = pixels[..., 3:].astype(np.float32) / 255.0
    flat = rgb * alpha + 128.0 * (1.0 - alpha)
    return np.round(flat).astype(np.uint8)


def as_mask(alpha: npt.NDArray[Any]) -> Mask:
    """A mask from an alpha, float32 in [0, 1] or uint8."""
    if alpha.dtype != np.uint8:
        alpha = np.round(np.clip(alpha, 0.0, 1.0) * 255.0).astype(np.uint8)
    values = np.ascontiguousarray(alpha)
    values.setflags(write=False)
    return Mask(values)


def cleaned_raster(layer: Layer) -> Raster:
    """The layer's pixels with the backdrop's colour taken out along its outline."""
    assert layer.raster is not None
    seen = np.minimum(outline_of(layer), alpha_of(layer.raster))
    return Raster(decontaminate(layer.raster.pixels, seen))
