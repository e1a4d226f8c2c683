"""OpenRaster files, ours and those of other programs -> Document."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import (
    BlendMode,
    Document,
    Layer,
    LayerKind,
    Mask,
    Raster,
    new_id,
)
from collage_studio.formats.errors import FormatError, size_text
from collage_studio.formats.images import load_image
from collage_studio.formats.limits import (
    MAX_DEPTH,
    MAX_DOCUMENT_PIXELS,
    MAX_JSON_BYTES,
    check_picture_size,
)
from collage_studio.formats.opened import Opened
from collage_studio.formats.openraster import (
    MASK_NAME,
    MASK_OPERATOR,
    MERGED,
    OPERATORS,
    STACK,
)
from collage_studio.formats.pixels_png import header_size
from collage_studio.formats.stored_zip import Archive

_MODES = {operator: mode for mode, operator in OPERATORS.items()}


def read_ora(path: Path) -> Opened:
    """Read an OpenRaster file as a document over a transparent background.

    Raises:
        FormatError: it is no OpenRaster file, damaged, or exceeds the limits.
    """
    with Archive(path) as archive:
        return _Reader(archive).document()


def read_merged(path: Path) -> npt.NDArray[Any]:
    """The flat picture inside an OpenRaster file, (H, W, 4) uint8."""
    with Archive(path) as archive:
        return load_image(archive.read(MERGED)).pixels


class _Reader:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._name = archive.path.name
        self._notices = list[str]()
        self._pixels_left = MAX_DOCUMENT_PIXELS

    def document(self) -> Opened:
        root = self._root()
        width, height = (self._whole(root, side, 0) for side in ("w", "h"))
        check_picture_size(self._name, width, height)
        stack = root.find("stack")
        if stack is None:
            raise FormatError(f"{self._name} is damaged: it lists no layers.")
        document = Document(
            Size(width, height),
            layers=tuple(self._layers(stack, Size(width, height), 0)),
        )
        hidden = replace(document.background, visible=False)
        document = replace(document, background=hidden)
        return Opened(document, tuple(self._notices), read_only=bool(self._notices))

    def _root(self) -> Element:
        if STACK not in self._archive.members:
            raise FormatError(f"{self._name} is not an OpenRaster file: it has no {STACK}.")
        text = self._archive.read(STACK, MAX_JSON_BYTES)
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise FormatError(f"{self._name} was not opened: its list of layers is not plain XML.")
        try:
            return ElementTree.fromstring(text)
        except (ElementTree.ParseError, ValueError) as error:
            raise FormatError(
                f"{self._name} is damaged: its list of layers is unreadable."
            ) from error

    def _layers(self, stack: Element, canvas: Size, depth: int) -> Iterator[Layer]:
        """The children of a stack, back to front."""
        if depth > MAX_DEPTH:
            raise FormatError(f"{self._name} has more than {MAX_DEPTH} groups inside each other.")
        for element in reversed(stack):
            layer = self._layer(element, canvas, depth)
            if layer is not None:
                yield layer

    def _layer(self, element: Element, canvas: Size, depth: int) -> Layer | None:
        name = element.get("name") or "Layer"
        common: dict[str, Any] = {
            "id": new_id(),
            "name": name,
            "opacity": min(1.0, max(0.0, self._number(element, "opacity", 1.0))),
            "visible": element.get("visibility", "visible") != "hidden",
            "blend": self._mode(element, name),
            "locked": element.get("edit-locked") == "true",
        }
        if element.tag == "stack":
            return self._group(element, canvas, depth, common)
        if element.tag != "layer" or element.get("composite-op") == MASK_OPERATOR:
            return None
        raster = self._raster(element, name)
        place = Affine.translation(self._number(element, "x", 0), self._number(element, "y", 0))
        return raster and Layer(**common, raster=raster, placement=place)

    def _group(self, element: Element, canvas: Size, depth: int, common: dict[str, Any]) -> Layer:
        children = tuple(self._layers(element, canvas, depth + 1))
        mask = self._mask(element, canvas)
        is_open = element.get("isolation") != "isolate" and mask is None
        if is_open and common["blend"] is BlendMode.NORMAL and common["opacity"] == 1.0:
            common["blend"] = BlendMode.PASS_THROUGH
        return Layer(**common, kind=LayerKind.GROUP, children=children, mask=mask)

    def _mask(self, group: Element, canvas: Size) -> Mask | None:
        """The mask that a layer on top of the group is, as our own writer puts it there."""
        top = next(iter(group), None)
        if top is None or top.get("composite-op") != MASK_OPERATOR:
            return None
        raster = self._raster(top, MASK_NAME)
        if raster is None:
            return None
        alpha = np.zeros((canvas.height, canvas.width), np.uint8)
        x, y = (int(self._number(top, axis, 0)) for axis in ("x", "y"))
        part = Rect(x, y, x + raster.size.width, y + raster.size.height)
        part = part.intersect(Rect.of_size(canvas))
        if not part.is_empty:
            source = Rect(part.left - x, part.top - y, part.right - x, part.bottom - y)
            alpha[part.slices] = raster.pixels[(*source.slices, 3)]
        return Mask(alpha)

    def _raster(self, element: Element, name: str) -> Raster | None:
        try:
            data = self._archive.read(element.get("src") or "")
            width, height, _ = header_size(data)
            check_picture_size(name, width, height)
            self._pixels_left -= width * height
            if self._pixels_left >= 0:
                return load_image(data)
        except FormatError:
            self._notices.append(f"The pixels of {name} in {self._name} are missing or damaged.")
            return None
        raise FormatError(
            f"{self._name} was not opened: its pictures would take more than "
            f"{size_text(4 * MAX_DOCUMENT_PIXELS)} of memory."
        )

    def _mode(self, element: Element, name: str) -> BlendMode:
        operator = element.get("composite-op", "svg:src-over")
        if operator not in _MODES and operator != MASK_OPERATOR:
            self._notices.append(f"{name}: blend mode {operator} is not known; normal is used.")
        return _MODES.get(operator, BlendMode.NORMAL)

    def _number(self, element: Element, key: str, default: float) -> float:
        try:
            value = float(element.get(key, default))
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or abs(value) > 1e6:
            raise FormatError(f"{self._name} is damaged: {key} of a layer is no number.")
        return value

    def _whole(self, element: Element, key: str, default: int) -> int:
        return int(self._number(element, key, default))
