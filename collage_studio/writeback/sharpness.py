"""A harmonised layer at the size of its source: light from the run, detail from the cutout.

A run sees the canvas, often at 512 or 1024 px; the cutout may have thousands. The harmonised
pixels give colour and light, the source gives what is finer than a width that shrinks as the
layer's noise grows: a layer that was to be repainted keeps the model's own detail.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Layer, Raster
from collage_studio.document.noise_paint import noise_by_pixel
from collage_studio.writeback.relight import blurred, light_between

Float = npt.NDArray[np.float32]

FULL_UNTIL = 0.4
"""Noise up to which all of the source's detail is kept."""
_WIDEST_PX, _NARROWEST_PX = 4.0, 0.75
_SPARE = 4


def detail_kept(noise: float) -> float:
    """Share of the source's detail that a layer of this noise keeps: 1 up to 0.4, 0 at 1."""
    t = min(max((1.0 - noise) / (1.0 - FULL_UNTIL), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


def full_size(layer: Layer, noise: float | None = None) -> Raster:
    """The layer's harmonised picture in the pixels of its own raster, with the source's detail.

    With L the low-pass at the split width, S the source, H the harmonised pixels placed on it and
    g the local gain from S to H: L(H) + k g (S - L(S)) + (1 - k) (H - L(H)), k = `detail_kept`.

    Args:
        noise: what the run used, [0, 1]; the layer's own, with what is painted, if not given.

    Raises:
        ValueError: the layer is no picture or has no harmonised pixels.
    """
    if layer.raster is None or layer.harmonised is None:
        raise ValueError(f"Layer {layer.name!r} has no harmonised pixels yet.")
    source, kept = _unit(layer.raster), detail_kept(layer.noise if noise is None else noise)
    back = layer.harmonised_placement
    lit, seen = _placed(layer.harmonised, back, layer.raster.size)
    scale = max(1.0, abs(back.determinant) ** 0.5)
    sigma = scale * max(_NARROWEST_PX, _WIDEST_PX * kept)
    weight = source[..., 3] * seen
    low_lit, low_own = _low(lit, weight, sigma), _low(source[..., :3], weight, sigma)
    # Both low-passed: what the run lost of the detail must not count as less light.
    light = light_between(low_own, low_lit, weight, 4 * sigma)
    gain = light.gain.mean(axis=2, keepdims=True)
    detail = gain * (source[..., :3] - low_own)
    share = _kept_by_pixel(layer, kept) if noise is None else kept
    mixed = low_lit + share * detail + (1 - share) * (lit - low_lit)
    unseen = light.on(source[..., :3])
    colours = mixed * seen[..., None] + unseen * (1 - seen[..., None])
    return _raster(colours, layer.raster)


def _kept_by_pixel(layer: Layer, kept: float) -> float | Float:
    """The share of the source's detail: (H, W, 1) where noise is painted."""
    if layer.noise_paint is None:
        return kept
    levels = np.array([detail_kept(level / 255) for level in range(256)], np.float32)
    return levels[np.rint(noise_by_pixel(layer) * 255).astype(np.uint8)][..., None]


def _placed(picture: Raster, back: Affine, size: Size) -> tuple[Float, Float]:
    """The harmonised colours on the source's grid, and where there are any (0 or 1, softened)."""
    values = _unit(picture)
    colours = _spread(values)
    inside = np.zeros(picture.size.shape, np.float32)
    inside[1:-1, 1:-1] = 1.0
    matrix = back.matrix()
    # OpenCV counts from pixel centres, placements from pixel corners.
    matrix[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    target = (size.width, size.height)
    lit = cv2.warpAffine(
        colours, matrix, target, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    seen = cv2.warpAffine(inside, matrix, target, flags=cv2.INTER_LINEAR)
    return cast(Float, np.clip(lit, 0, 1)), cast(Float, seen.astype(np.float32))


def _spread(values: Float) -> Float:
    """Colours continued into transparent pixels, so that no border bleeds in."""
    alpha = values[..., 3:]
    clear = (alpha[..., 0] < 1 / 255).astype(np.uint8)
    if not clear.any():
        return np.ascontiguousarray(values[..., :3])
    found = values[..., :3] * alpha
    weight = alpha.copy()
    for sigma in (1.0, 2.0, 4.0, 8.0):
        blurred = cv2.GaussianBlur(found, (0, 0), sigma)
        share = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
        missing = weight[..., 0] < 0.05
        found[missing] = (blurred / np.maximum(share, 1e-6))[missing]
        weight[missing & (share[..., 0] > 1e-3)] = 1.0
    own = values[..., :3]
    return np.where(clear[..., None] > 0, found, own).astype(np.float32)


def _low(values: Float, weight: Float, sigma: float) -> Float:
    """Gaussian mean inside the layer, so that nothing around it bleeds in."""
    weight = (weight + np.float32(1e-4))[..., None]
    return blurred(values * weight, sigma) / blurred(weight[..., 0], sigma)[..., None]


def _unit(raster: Raster) -> Float:
    return raster.pixels.astype(np.float32) / np.float32(65535 if raster.depth == 16 else 255)


def _raster(colours: Float, source: Raster) -> Raster:
    """With the source's depth and alpha."""
    top = 65535 if source.depth == 16 else 255
    pixels = source.pixels.copy()
    pixels[..., :3] = np.rint(np.clip(colours, 0, 1) * top)
    return Raster(pixels)
