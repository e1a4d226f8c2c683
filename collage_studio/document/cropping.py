"""Another frame for the canvas: cut off, or made larger; layers keep all their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from collage_studio.document.compositing import flatten, flatten_deep
from collage_studio.document.geometry import IDENTITY, Affine, Rect, Size
from collage_studio.document.model import Document, Layer, Raster, Variation

LARGEST_PX = 16384


def cropped(document: Document, frame: Rect) -> Document:
    """The collage on the canvas that `frame` cuts out of the present one, or reaches beyond.

    Layers move with it, so nothing of them is lost. Variations and the accepted picture are cut
    the same way; beyond their edges they go on as the collage does. Their recipes tell the layers'
    places on the new canvas.

    Args:
        frame: in canvas px; it may lie partly outside of the canvas.

    Raises:
        ValueError: nothing of the canvas is inside the frame, or a side would be too large.
    """
    whole = Rect.of_size(document.size)
    if frame == whole:
        return document
    if frame.is_empty or frame.intersect(whole).is_empty:
        raise ValueError("Nothing of the picture lies inside the frame. Draw it over the picture.")
    if max(frame.width, frame.height) > LARGEST_PX:
        longest = max(frame.width, frame.height)
        raise ValueError(f"A canvas side has at most {LARGEST_PX} px, this would be {longest}.")
    move = Affine.translation(-frame.left, -frame.top)
    bare = replace(
        document,
        size=Size(frame.width, frame.height),
        layers=tuple(_moved(layer, move) for layer in document.layers),
        beside=tuple(_moved(layer, move) for layer in document.beside),
        variations=(),
        accepted=None,
    )
    cut = _Cut(document, bare, frame)
    accepted = document.accepted
    return replace(
        bare,
        variations=tuple(cut.variation(one) for one in document.variations),
        accepted=None if accepted is None else cut.variation(accepted),
    )


def _moved(layer: Layer, move: Affine) -> Layer:
    return layer if move == IDENTITY else replace(layer, placement=move.after(layer.placement))


class _Cut:
    """Variations of one document in another frame."""

    def __init__(self, before: Document, after: Document, frame: Rect) -> None:
        self._before, self._after, self._frame = before, after, frame
        self._ids = {layer.id for layer in before.layers}

    def variation(self, variation: Variation) -> Variation:
        """Its picture, its box and its recipe; one of another canvas stays as it is."""
        if variation.picture.size != self._before.size:
            return variation
        box = variation.box
        if box is not None:
            inside = box.intersect(self._frame)
            box = None if inside.is_empty else self._shifted(inside)
        entries = tuple(self._entry(entry) for entry in variation.recipe.layers)
        return replace(
            variation,
            picture=self._picture(variation.picture),
            box=box,
            recipe=replace(variation.recipe, layers=entries),
        )

    def _entry(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a recipe says of a layer; those inside groups move with their group."""
        if entry.get("id") not in self._ids or "placement" not in entry:
            return entry
        move = Affine.translation(-self._frame.left, -self._frame.top)
        place = move.after(Affine(*(float(value) for value in entry["placement"])))
        return {**entry, "placement": list(place.as_tuple())}

    def _picture(self, picture: Raster) -> Raster:
        inside = self._frame.intersect(Rect.of_size(self._before.size))
        if inside == self._frame:
            return Raster(picture.pixels[inside.slices])
        result: Any = (self._deep if picture.depth == 16 else self._plain).copy()
        result[self._shifted(inside).slices] = picture.pixels[inside.slices]
        return Raster(result)

    def _shifted(self, box: Rect) -> Rect:
        left, top = self._frame.left, self._frame.top
        return Rect(box.left - left, box.top - top, box.right - left, box.bottom - top)

    @cached_property
    def _plain(self) -> npt.NDArray[np.uint8]:
        """The collage in the new frame: what is seen beyond a picture's edges."""
        return flatten(self._after)

    @cached_property
    def _deep(self) -> npt.NDArray[np.uint16]:
        return flatten_deep(self._after)
