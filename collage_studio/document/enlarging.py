"""A document on a larger canvas: every source pixel stays, so an export of it is sharper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collage_studio.document.compositing import flatten, flatten_deep
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.harmonised import harmonised_stack, has_harmonised
from collage_studio.document.model import Document, Layer, LayerKind, Raster, Variation

_SAME = 1
"""How far, of 255, the stack given back may be from the accepted picture to stand for it."""


def enlarged(document: Document, factor: int) -> Document:
    """`document` on a canvas of `factor` times the size, without variations not accepted.

    The accepted picture is made anew from the layers it was given back to, which have the detail
    of their sources, while they still show it; else it is resampled.
    """
    if factor == 1:
        return document
    size = Size(document.size.width * factor, document.size.height * factor)
    grow = Affine.scaling(factor)
    accepted = document.accepted
    larger = replace(
        document,
        size=size,
        layers=tuple(_grown(layer, grow) for layer in document.layers),
        background=_grown(document.background, grow),
        beside=tuple(_grown(layer, grow) for layer in document.beside),
        variations=(),
    )
    if accepted is None:
        return larger
    return replace(larger, accepted=_larger_variation(document, larger, accepted, grow))


def _grown(layer: Layer, grow: Affine) -> Layer:
    return replace(layer, placement=grow.after(layer.placement))


def _larger_variation(
    document: Document, larger: Document, accepted: Variation, grow: Affine
) -> Variation:
    box = accepted.box
    if box is not None:
        box = grow.after(Affine.translation(box.left, box.top)).bounds(Size(box.width, box.height))
    if _still_shows(document, accepted):
        source = harmonised_stack(larger)
    else:
        clear = Layer("ground", "", LayerKind.FILL, fill=(0, 0, 0, 0))
        picture = Layer("picture", "", raster=accepted.picture, placement=grow)
        source = Document(larger.size, (picture,), clear)
    flat = flatten_deep if accepted.picture.depth == 16 else flatten
    return replace(accepted, picture=Raster(flat(source)), box=box)


def _still_shows(document: Document, accepted: Variation) -> bool:
    """Whether the stack given back is the accepted picture, with nothing moved since."""
    if not has_harmonised(document) or accepted.picture.depth == 16:
        return False
    if accepted.picture.size != document.size or document.written_back != accepted.id:
        return False
    stack = flatten(harmonised_stack(document))
    return int(np.abs(stack.astype(np.int16) - accepted.picture.pixels).max()) <= _SAME
