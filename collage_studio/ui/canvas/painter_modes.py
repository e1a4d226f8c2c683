"""Blend one premultiplied picture onto another: by QPainter where its modes are right.

Colour dodge, hue, saturation, colour and luminosity go through the document's own blending.
"""

from __future__ import annotations

from typing import TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QImage, QPainter

from collage_studio.document.blending import composite_atop, composite_over
from collage_studio.document.geometry import Affine, Rect
from collage_studio.document.model import BlendMode, Mask
from collage_studio.document.placing import Placed, mask_source
from collage_studio.ui.canvas.sources import view_of

Float: TypeAlias = "npt.NDArray[np.float32]"

_Mode = QPainter.CompositionMode
QT_MODES: dict[BlendMode, QPainter.CompositionMode] = {
    BlendMode.NORMAL: _Mode.CompositionMode_SourceOver,
    BlendMode.PASS_THROUGH: _Mode.CompositionMode_SourceOver,
    BlendMode.MULTIPLY: _Mode.CompositionMode_Multiply,
    BlendMode.SCREEN: _Mode.CompositionMode_Screen,
    BlendMode.OVERLAY: _Mode.CompositionMode_Overlay,
    BlendMode.SOFT_LIGHT: _Mode.CompositionMode_SoftLight,
    BlendMode.HARD_LIGHT: _Mode.CompositionMode_HardLight,
    BlendMode.DARKEN: _Mode.CompositionMode_Darken,
    BlendMode.LIGHTEN: _Mode.CompositionMode_Lighten,
    BlendMode.COLOR_BURN: _Mode.CompositionMode_ColorBurn,
    BlendMode.DIFFERENCE: _Mode.CompositionMode_Difference,
    BlendMode.EXCLUSION: _Mode.CompositionMode_Exclusion,
}


def blend_with_compositor(
    image: QImage,
    image_box: Rect,
    source: QImage,
    source_box: Rect,
    part: Rect,
    mode: BlendMode,
    opacity: float,
    *,
    atop: bool = False,
) -> None:
    """Blend the `part` of `source` onto `image` as the document's compositor does.

    The boxes say where each picture lies; `part` lies inside both. With `atop`, `image` keeps
    its alpha.
    """
    target = view_of(image)[_inside(part, image_box)]
    backdrop = _planes(target)
    over = _planes(view_of(source)[_inside(part, source_box)])
    over *= np.float32(opacity)
    composite = composite_atop if atop else composite_over
    composite(backdrop, over, mode)
    target[...] = cv2.merge([_byte(backdrop[i]) for i in (2, 1, 0, 3)])


def mask_picture(image: QImage, box: Rect, mask: Mask, placed: Affine) -> None:
    """Multiply `image`, which shows `box`, by a mask that `placed` maps onto the same pixels."""
    pixels = view_of(image)
    covered = _sampled(mask, placed, box)[..., np.newaxis]
    pixels[...] = (pixels * covered + np.float32(0.5)).astype(np.uint8)


def fade_in(
    image: QImage, before: QImage, box: Rect, part: Rect, opacity: float, mask: Mask | None,
    placed: Affine,
) -> None:  # fmt: skip
    """Take `image` back towards `before` inside `part`, where opacity times mask is below 1.

    `image` shows `box`, `before` shows `part`.
    """
    after = view_of(image)[_inside(part, box)]
    share = np.float32(opacity)
    if mask is not None:
        share = _sampled(mask, placed, part)[..., np.newaxis] * share
    old = view_of(before).astype(np.float32)
    after[...] = (old + (after - old) * share + np.float32(0.5)).astype(np.uint8)


def _sampled(mask: Mask, placed: Affine, box: Rect) -> Float:
    """(h, w) of a placed mask inside `box`; 0 outside the mask."""
    sampler = Placed(mask_source(mask), placed)
    part = sampler.bounds.intersect(box)
    covered = np.zeros((box.height, box.width), np.float32)
    if not part.is_empty:
        covered[_inside(part, box)] = sampler.sample(part)[0]
    return covered


def _inside(part: Rect, box: Rect) -> tuple[slice, slice]:
    return (
        slice(part.top - box.top, part.bottom - box.top),
        slice(part.left - box.left, part.right - box.left),
    )


def _planes(pixels: npt.NDArray[np.uint8]) -> Float:
    """(4, h, w) premultiplied RGBA in [0, 1] of QImage bytes."""
    scale = np.float32(1 / 255)
    return np.stack([np.multiply(pixels[..., i], scale, dtype=np.float32) for i in (2, 1, 0, 3)])


def _byte(plane: Float) -> npt.NDArray[np.uint8]:
    return cast(npt.NDArray[np.uint8], cv2.convertScaleAbs(plane, alpha=255.0))
