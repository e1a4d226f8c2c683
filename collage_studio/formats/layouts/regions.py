"""What all layout formats share: regions of one canvas with texts, as layers and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.layouts import TINTS, layout_layer, own_masks
from collage_studio.document.model import Caption, Document, Layer, LayerKind, LayerRef, Mask
from collage_studio.document.recipe import RunSettings
from collage_studio.formats.errors import FormatError
from collage_studio.formats.limits import check_picture_size
from collage_studio.formats.opened import Opened

Covered = npt.NDArray[np.bool_]
MAX_REGIONS = 256
"""Regions of one layout."""
_MAX_NAME = 40


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One place of a layout.

    Args:
        covered: (H, W) of the canvas, True where the region lies.
        text: its words, not empty.
        where: what messages call it: "P003 of wedding".
    """

    covered: Covered
    text: str
    where: str


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout that a file or folder holds; `read` raises FormatError, naming what is wrong."""

    name: str
    read: Callable[[], Opened]


def box_of(covered: npt.NDArray[Any]) -> Rect:
    """The smallest box around everything that is not 0 in (H, W); empty where all is."""
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    if not len(rows):
        return Rect(0, 0, 0, 0)
    return Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def layout_document(
    size: Size,
    regions: Sequence[Region],
    *,
    name: str,
    method: str,
    caption: str = "",
    background: str = "",
    avoid: str = "",
) -> Document:
    """A document with a layout layer for each region, back to front.

    Without a caption, the regions' texts in order make one.

    Raises:
        FormatError: no region, too many, one without pixels or without a text.
    """
    check_picture_size(name, size.width, size.height)
    if not regions:
        raise FormatError(f"{name} has no regions. Choose a layout with at least one.")
    if len(regions) > MAX_REGIONS:
        raise FormatError(
            f"{name} has {len(regions)} regions, and at most {MAX_REGIONS} can be imported. "
            "Divide it into several layouts."
        )
    layers = tuple(_layer(region, number) for number, region in enumerate(regions))
    document = Document(size, layers, settings=RunSettings(method=method, avoid=avoid))
    ground = replace(document.background, text=background.strip(), noise=1.0)
    return replace(document, background=ground, caption=caption_of(caption, layers))


def _layer(region: Region, number: int) -> Layer:
    text, box = region.text.strip(), box_of(region.covered)
    if not text:
        raise FormatError(f"{region.where} has no text. Write what shall be there.")
    if box.is_empty:
        raise FormatError(f"{region.where} covers no pixel of the canvas. Draw it or take it out.")
    shape = Mask(region.covered[box.slices].astype(np.uint8) * 255)
    layer = layout_layer(shape, (box.left, box.top), text=text, name=text[:_MAX_NAME])
    return replace(layer, fill=TINTS[number % len(TINTS)])


def caption_of(text: str, layers: Sequence[Layer]) -> Caption:
    """The caption `text` with a chip wherever it holds a layer's words.

    Case does not count, longer texts are looked for first and each place serves one layer only:
    the second of two dogs gets the second "a dog". An empty text becomes all chips.
    """
    if not text.strip():
        parts: list[str | LayerRef] = []
        for layer in layers:
            parts += [", ", LayerRef(layer.id)] if parts else [LayerRef(layer.id)]
        return Caption(tuple(parts))
    taken = dict[int, tuple[int, str]]()
    for layer in sorted(layers, key=lambda one: -len(one.text)):
        for found in _places(layer.text, text):
            if all(
                found.end() <= start or end <= found.start() for start, (end, _) in taken.items()
            ):
                taken[found.start()] = (found.end(), layer.id)
                break
    return Caption(_parts(text, taken))


def _places(words: str, text: str) -> Sequence[re.Match[str]]:
    """Where `words` stand in `text` as whole words."""
    before, after = (
        (r"(?<!\w)" if words[:1].isalnum() else ""),
        (r"(?!\w)" if words[-1:].isalnum() else ""),
    )
    return list(re.finditer(before + re.escape(words) + after, text, re.IGNORECASE))


def _parts(text: str, taken: dict[int, tuple[int, str]]) -> tuple[str | LayerRef, ...]:
    parts, position = list[str | LayerRef](), 0
    for start, (end, layer_id) in sorted(taken.items()):
        if text[position:start]:
            parts.append(text[position:start])
        parts.append(LayerRef(layer_id))
        position = end
    return (*parts, text[position:]) if text[position:] else tuple(parts)


def regions_of(document: Document) -> tuple[Region, ...]:
    """The shown layers of a document as regions, back to front; fills without a text are none.

    A pixel belongs to a layer that covers at least half of it, whatever lies in front.

    Raises:
        FormatError: no layer, one without a text, one that covers no pixel.
    """
    masks, found = own_masks(document), list[Region]()
    for layer in document.walk():
        if layer.id not in masks or (layer.kind is LayerKind.FILL and not layer.text.strip()):
            continue
        if not layer.text.strip():
            raise FormatError(f"The layer “{layer.name}” has no text. Write one or hide the layer.")
        covered = masks[layer.id] >= 0.5
        if not covered.any():
            raise FormatError(f"The layer “{layer.name}” covers nothing of the canvas. Hide it.")
        found.append(Region(covered, layer.text.strip(), layer.name))
    if not found:
        raise FormatError("The collage has no layers to export as a layout. Add one with a text.")
    if len(found) > MAX_REGIONS:
        raise FormatError(f"A layout holds at most {MAX_REGIONS} regions, not {len(found)}.")
    return tuple(found)
