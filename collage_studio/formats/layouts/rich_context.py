"""Rich-context layout JSON: `bboxes` (x1, y1, x2, y2 in px) and as many `labels`.

Additions that others ignore are written and read: `caption`, `width`, `height`, and `z`, the place
of each box in the stack. `annos` with `bbox` (x, y, width, height) and `caption`, as the training
data have them, are read as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.model import Document
from collage_studio.formats.errors import FormatError
from collage_studio.formats.images import SUFFIXES, load_image
from collage_studio.formats.layouts.regions import (
    Layout,
    Region,
    box_of,
    layout_document,
    regions_of,
)
from collage_studio.formats.layouts.sources import list_of, number_of, object_of, read_json, text_of
from collage_studio.formats.limits import check_picture_size
from collage_studio.formats.opened import Opened

_USUAL = Size(512, 512)


@dataclass(frozen=True, slots=True)
class _Box:
    sides: tuple[float, float, float, float]
    text: str
    where: str


def is_rich_context(data: object) -> bool:
    """Whether `data` looks like a layout of boxes."""
    return isinstance(data, dict) and ("bboxes" in data or "annos" in data)


def rich_context_cases(path: Path) -> tuple[Layout, ...]:
    """The one layout of a file."""
    return (Layout(path.stem, lambda: read_rich_context(path)),)


def read_rich_context(path: Path) -> Opened:
    """The boxes as layers: by `z` where the file has it, else the largest at the back.

    The canvas is what the file says, else the picture of the same name beside it, else 512 px.

    Raises:
        FormatError: a box or its text is missing, empty or outside of the canvas.
    """
    data = cast(dict[str, Any], read_json(path))
    boxes = _annotated(data, path) if "annos" in data else _boxes(data, path)
    size = _size(data, path)
    regions = [_region(box, size) for box in boxes]
    document = layout_document(
        size,
        [regions[at] for at in _order(data, regions, path)],
        name=path.name,
        method="noise_collage",
        caption=text_of(data.get("caption"), f"The caption of {path.name}", needed=False),
    )
    return Opened(document)


def _boxes(data: dict[str, Any], path: Path) -> list[_Box]:
    sides = list_of(data.get("bboxes"), f"bboxes of {path.name}")
    texts = list_of(data.get("labels"), f"labels of {path.name}")
    if len(sides) != len(texts):
        raise FormatError(
            f"{path.name} has {len(sides)} boxes and {len(texts)} labels. Give each box one label."
        )
    return [
        _box(four, text, f"Box {at} of {path.name}")
        for at, (four, text) in enumerate(zip(sides, texts, strict=True), start=1)
    ]


def _annotated(data: dict[str, Any], path: Path) -> list[_Box]:
    found = list[_Box]()
    for at, value in enumerate(list_of(data["annos"], f"annos of {path.name}"), start=1):
        where = f"Box {at} of {path.name}"
        one = object_of(value, where)
        box = _box(one.get("bbox"), one.get("caption") or one.get("category_name"), where)
        left, top, width, height = box.sides
        found.append(_Box((left, top, left + width, top + height), box.text, where))
    return found


def _box(four: object, text: object, where: str) -> _Box:
    numbers = [number_of(side, f"A side of {where}") for side in list_of(four, where)]
    if len(numbers) != 4:
        raise FormatError(f"{where} has {len(numbers)} numbers and needs 4. Correct the layout.")
    words = text_of(text, f"The text of {where}").replace(";", "").strip()
    left, top, right, bottom = numbers
    return _Box((left, top, right, bottom), text_of(words, f"The text of {where}"), where)


def _size(data: dict[str, Any], path: Path) -> Size:
    given = data.get("width"), data.get("height")
    if given != (None, None):
        width, height = (int(number_of(side, f"The size in {path.name}")) for side in given)
        check_picture_size(path.name, width, height)
        return Size(width, height)
    for suffix in SUFFIXES:
        if path.with_suffix(suffix).is_file():
            return load_image(path.with_suffix(suffix)).size
    return _USUAL


def _region(box: _Box, size: Size) -> Region:
    left, top, right, bottom = box.sides
    if right <= left or bottom <= top:
        raise FormatError(f"{box.where} is empty. Give it a width and a height.")
    whole = Rect(round(left), round(top), round(right), round(bottom))
    if whole.is_empty:  # less than a pixel
        whole = Rect(int(left), int(top), int(left) + 1, int(top) + 1)
    inside = whole.intersect(Rect.of_size(size))
    if inside.is_empty:
        raise FormatError(
            f"{box.where} lies outside of the canvas of {size.width} × {size.height} px. Move it."
        )
    covered = np.zeros(size.shape, np.bool_)
    covered[inside.slices] = True
    return Region(covered, box.text, box.where)


def _order(data: dict[str, Any], regions: list[Region], path: Path) -> list[int]:
    """Numbers of the regions, back to front."""
    places = [-float(region.covered.sum()) for region in regions]
    if "z" in data:
        given = list_of(data["z"], f"z of {path.name}")
        if len(given) != len(regions):
            raise FormatError(f"{path.name} has {len(given)} places z for {len(regions)} boxes.")
        places = [number_of(place, f"z of {path.name}") for place in given]
    return sorted(range(len(regions)), key=places.__getitem__)


def rich_context_data(document: Document) -> bytes:
    """The document's layers as boxes, in the order of the stack; outlines become their boxes.

    Raises:
        FormatError: the document makes no layout.
    """
    regions = regions_of(document)
    boxes = [box_of(one.covered) for one in regions]
    texts = [text_of(one.text.replace(";", ""), f"The text of “{one.where}”") for one in regions]
    data = {
        "bboxes": [[box.left, box.top, box.right, box.bottom] for box in boxes],
        "labels": texts,
        "caption": document.written_caption()[0].strip(),
        "width": document.size.width,
        "height": document.size.height,
        "z": list(range(len(regions))),
    }
    return json.dumps(data, ensure_ascii=False, indent=1).encode()
