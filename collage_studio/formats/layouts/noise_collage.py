"""Case folders of NoiseCollage: PALL for the canvas, P000, P001, … for its regions.

Each folder holds `bbox_mask_image.png` (the box that generation uses), `mask_image.png` (the
outline) and captions, which are JSON files with nothing but a text. `margin_mask_image.png` of
PALL says where the picture lies between the bars of a letterbox; the canvas is cut to it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.model import Document
from collage_studio.formats.errors import FormatError
from collage_studio.formats.layouts.regions import (
    Covered,
    Layout,
    Region,
    box_of,
    layout_document,
    regions_of,
)
from collage_studio.formats.layouts.sources import read_json, read_mask, size_of, text_of
from collage_studio.formats.opened import Opened
from collage_studio.formats.pixels_png import encode_png

CANVAS = "PALL"
PREFIX = "testcase_"
_OUTLINE, _BOX, _MARGIN = "mask_image.png", "bbox_mask_image.png", "margin_mask_image.png"
_CAPTIONS = ("self_caption.json", "blip_caption.json", "catname_caption.json")
_NUMBERED = re.compile(r"^P(\d{3})$")
_DRAWN_LARGER = 2
"""Pixels by which the drawn box may differ from the outline's."""


def noise_collage_cases(folder: Path) -> tuple[Layout, ...]:
    """The cases in a case folder, in a folder of cases, or around a region's folder."""
    folder = case_around(folder) or folder
    folders = [folder] if _is_case(folder) else sorted(filter(_is_case, folder.iterdir()))
    return tuple(
        Layout(one.name.removeprefix(PREFIX), lambda one=one: read_case(one)) for one in folders
    )


def case_around(part: Path) -> Path | None:
    """The case that PALL, P000, … belong to; None for other folders."""
    return part.parent if _is_part(part) and part.is_dir() else None


def _is_part(folder: Path) -> bool:
    return folder.name == CANVAS or bool(_NUMBERED.match(folder.name))


def _is_case(folder: Path) -> bool:
    try:
        return folder.is_dir() and any(_is_part(one) and one.is_dir() for one in folder.iterdir())
    except OSError:
        return False


def read_case(folder: Path) -> Opened:
    """One case; regions lie in the order of their numbers, P000 at the back.

    Raises:
        FormatError: a folder, mask or caption is missing, has another size or is damaged.
    """
    canvas = folder / CANVAS
    if not canvas.is_dir():
        raise FormatError(f"{folder.name} has no folder {CANVAS}. Choose a complete case.")
    whole = _mask_of(canvas, None)
    size = size_of(whole)
    regions = [_region(one, size) for one in _parts_of(folder)]
    kept, notices = _content(canvas, size)
    if kept != Rect.of_size(size):
        regions = [Region(one.covered[kept.slices], one.text, one.where) for one in regions]
        size = Size(kept.width, kept.height)
    document = layout_document(
        size, regions, name=folder.name, method="noise_collage", caption=_caption(canvas)
    )
    return Opened(document, notices)


def _parts_of(folder: Path) -> list[Path]:
    """P000, P001, … without a gap."""
    parts = sorted(one for one in folder.iterdir() if one.is_dir() and _NUMBERED.match(one.name))
    for number, part in enumerate(parts):
        if part.name != f"P{number:03}":
            raise FormatError(
                f"{folder.name} has {part.name} but no P{number:03}. "
                "Number the regions from P000 without gaps."
            )
    return parts


def _region(part: Path, size: Size) -> Region:
    where = f"{part.name} of {part.parent.name}"
    covered = _mask_of(part, size)
    if not covered.any():
        raise FormatError(f"{where} covers no pixel of the canvas. Draw it or take it out.")
    return Region(covered, _caption(part), where)


def _mask_of(part: Path, size: Size | None) -> Covered:
    """The outline where it fills the box that generation uses, else what that box's file shows."""
    found = [part / name for name in (_BOX, _OUTLINE) if (part / name).is_file()]
    if not found:
        raise FormatError(f"{part.parent.name}/{part.name} has no {_BOX}. Get a complete copy.")
    masks = [read_mask(path, size, like=CANVAS) for path in found]
    if len(masks) == 1:
        return masks[0]
    box, outline = masks
    if size_of(box) != size_of(outline):
        raise FormatError(
            f"The masks of {part.parent.name}/{part.name} differ in size. Make them the same size."
        )
    return outline if _fits(box_of(outline), box_of(box)) else box


def _fits(one: Rect, other: Rect) -> bool:
    sides = zip(
        (one.left, one.top, one.right, one.bottom),
        (other.left, other.top, other.right, other.bottom),
        strict=True,
    )
    return not one.is_empty and all(abs(a - b) <= _DRAWN_LARGER for a, b in sides)


def _caption(part: Path) -> str:
    """The hand-written caption, else the one a model wrote, else the category."""
    for name in _CAPTIONS:
        if (part / name).is_file():
            return text_of(read_json(part / name), f"The caption {part.name}/{name}")
    raise FormatError(
        f"{part.parent.name}/{part.name} has no {_CAPTIONS[0]}. Write what shall be there."
    )


def _content(canvas: Path, size: Size) -> tuple[Rect, tuple[str, ...]]:
    """Where the picture lies between the bars of a letterbox."""
    whole = Rect.of_size(size)
    if not (canvas / _MARGIN).is_file():
        return whole, ()
    kept = box_of(read_mask(canvas / _MARGIN, size, like=CANVAS))
    if kept.is_empty:
        raise FormatError(
            f"{canvas.parent.name}/{CANVAS}/{_MARGIN} leaves no picture. Make it white."
        )
    if kept == whole:
        return whole, ()
    return kept, (
        f"The bars around the picture were cut off: {kept.width} × {kept.height} px are left.",
    )


def write_case(document: Document, folder: Path) -> None:
    """Fill an empty folder with a case that has the document's regions, P000 at the back.

    Raises:
        FormatError: the document makes no layout.
    """
    regions = regions_of(document)
    caption = document.written_caption()[0].strip() or ", ".join(one.text for one in regions)
    full = np.ones(document.size.shape, np.bool_)
    _write_part(folder / CANVAS, full, caption)
    (folder / CANVAS / _MARGIN).write_bytes(_png(full))
    for number, region in enumerate(regions):
        _write_part(folder / f"P{number:03}", region.covered, region.text)


def _write_part(part: Path, covered: Covered, text: str) -> None:
    part.mkdir(parents=True)
    box = np.zeros_like(covered)
    box[box_of(covered).slices] = True
    (part / _OUTLINE).write_bytes(_png(covered))
    (part / _BOX).write_bytes(_png(box))
    (part / _CAPTIONS[0]).write_text(json.dumps(text, ensure_ascii=False), encoding="utf-8")


def _png(covered: Covered) -> bytes:
    return encode_png(covered.astype(np.uint8) * 255)
