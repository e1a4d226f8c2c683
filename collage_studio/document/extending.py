"""Extending the picture beyond its edges: a larger canvas that keeps what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.compositing import composite_picture
from collage_studio.document.cropping import LARGEST_PX
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import (
    Document,
    Layer,
    LayerKind,
    NextState,
    Raster,
    new_id,
)

SIDES = ("left", "right", "up", "down")
_GRID = 64

Rgb: TypeAlias = "npt.NDArray[np.uint8]"


def extension_px(side: int) -> int:
    """How far a canvas side of so many px is extended: half of it, in steps of 64."""
    return max(_GRID, side // 2 // _GRID * _GRID)


def extended(
    document: Document, *, left: int = 0, right: int = 0, up: int = 0, down: int = 0
) -> Document:
    """A canvas that is larger by so many px on each side, ready to paint what is new.

    The picture so far, that of the accepted variation or else the collage, is kept to the bit on
    top; the layers below move with it and are kept. Under the new part lies the picture mirrored
    and blurred, for the seam. Windows over the larger canvas are MultiDiffusion's.

    Raises:
        ValueError: a side is negative, nothing is added, or the canvas would be too large.
    """
    if min(left, right, up, down) < 0 or not any((left, right, up, down)):
        raise ValueError("Extend the picture by at least 1 px on one side.")
    size = Size(document.size.width + left + right, document.size.height + up + down)
    longest = max(size.width, size.height)
    if longest > LARGEST_PX:
        raise ValueError(f"A canvas side has at most {LARGEST_PX} px, this would be {longest}.")
    picture = _picture(document)
    shift = Affine.translation(left, up)
    moved = tuple(_kept(layer, shift) for layer in document.layers)
    so_far = Layer(
        new_id(),
        "Picture so far",
        raster=Raster.from_rgb(picture),
        placement=shift,
        noise=0.0,
        state=NextState.KEEP,
        locked=True,
    )
    seam = Layer(
        new_id(),
        "New part",
        raster=Raster.from_rgb(_mirrored(picture, left, right, up, down)),
        text="",
        noise=1.0,
    )
    return replace(
        document,
        size=size,
        layers=(seam, *moved, so_far),
        background=replace(document.background, noise=1.0, state=NextState.HARMONISE),
        settings=replace(document.settings, method="multi_diffusion"),
        variations=(),
        accepted=None,
    )


def _picture(document: Document) -> Rgb:
    """(H, W, 3) of what the person sees as the picture."""
    accepted = document.accepted
    if accepted is None or accepted.picture.size != document.size:
        return composite_picture(document)
    pixels = accepted.picture.pixels[..., :3]
    if accepted.picture.depth == 16:
        pixels = np.rint(pixels / 257.0)
    return np.ascontiguousarray(pixels, np.uint8)


def _kept(layer: Layer, shift: Affine) -> Layer:
    is_layout = layer.kind is LayerKind.LAYOUT
    return replace(
        layer,
        placement=shift.after(layer.placement),
        state=NextState.KEEP,
        visible=layer.visible and not is_layout,
        children=tuple(replace(child, state=NextState.KEEP) for child in layer.children),
    )


def _mirrored(picture: Rgb, left: int, right: int, up: int, down: int) -> Rgb:
    """The picture continued by its mirror image, softer the further away it is."""
    whole = np.pad(picture, ((up, down), (left, right), (0, 0)), mode="symmetric")
    sigma = max(2.0, min(picture.shape[:2]) / 24)
    return np.asarray(cv2.GaussianBlur(whole, (0, 0), sigma), np.uint8)
