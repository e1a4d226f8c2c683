"""Panoptic masks as COCO has them: a PNG whose colours are segment ids, and a JSON that names them.

A pixel's id is R + 256 G + 65536 B, 0 for none. The JSON has `annotations` with `file_name` and
`segments_info` (`id`, `category_id`), and `categories` with names; one annotation by itself works
too. A segment may have a `caption` of its own.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from collage_studio.formats.errors import FormatError
from collage_studio.formats.layouts.regions import Layout, Region, layout_document
from collage_studio.formats.layouts.sources import (
    beside,
    list_of,
    number_of,
    object_of,
    read_colours,
    read_json,
    size_of,
    text_of,
)
from collage_studio.formats.opened import Opened

_KIND_WORDS = re.compile(r"-(merged|other|stuff)\b")

Names = dict[int, str]


def is_panoptic(data: object) -> bool:
    """Whether `data` looks like panoptic annotations."""
    if not isinstance(data, dict):
        return False
    inner = cast(dict[str, Any], data)
    return "segments_info" in inner or "annotations" in inner


def panoptic_cases(path: Path) -> tuple[Layout, ...]:
    """A layout for each annotation, named after its picture.

    Raises:
        FormatError: the file is no set of panoptic annotations.
    """
    data = cast(dict[str, Any], read_json(path))
    names, sizes = _names(data, path), _sizes(data, path)
    given = list_of(data.get("annotations", [data]), f"annotations of {path.name}")
    cases = list[Layout]()
    for at, value in enumerate(given, start=1):
        one = object_of(value, f"Annotation {at} of {path.name}")
        if "segments_info" not in one:
            raise FormatError(
                f"Annotation {at} of {path.name} has no segments_info. Choose panoptic annotations."
            )
        file = one.get("file_name") or f"{path.stem}.png"
        name = text_of(file, f"file_name of annotation {at} of {path.name}")
        size = sizes.get(str(one.get("image_id")))
        cases.append(
            Layout(
                PurePosixPath(name).stem,
                lambda one=one, name=name, size=size: _read(path, name, one, names, size),
            )
        )
    return tuple(cases)


def _names(data: dict[str, Any], path: Path) -> Names:
    """Categories in plain words: "wall-other-merged" is a wall."""
    found: Names = {}
    for value in list_of(data.get("categories", []), f"categories of {path.name}"):
        one = object_of(value, f"A category of {path.name}")
        words = text_of(one.get("name"), f"The name of a category of {path.name}")
        key = int(number_of(one.get("id"), f"The id of a category of {path.name}"))
        found[key] = _KIND_WORDS.sub("", words).replace("-", " ").replace("_", " ").strip() or words
    return found


def _sizes(data: dict[str, Any], path: Path) -> dict[str, tuple[int, int]]:
    """(width, height) by the id of an image, where the file says so."""
    found = dict[str, tuple[int, int]]()
    for value in list_of(data.get("images", []), f"images of {path.name}"):
        one = object_of(value, f"An image of {path.name}")
        if "width" in one and "height" in one:
            sides = [number_of(one[key], f"A size in {path.name}") for key in ("width", "height")]
            found[str(one.get("id"))] = (int(sides[0]), int(sides[1]))
    return found


def _read(
    path: Path,
    name: str,
    annotation: dict[str, Any],
    names: Names,
    expected: tuple[int, int] | None,
) -> Opened:
    ids = _ids(path, name)
    size = size_of(ids)
    if expected is not None and (size.width, size.height) != expected:
        raise FormatError(
            f"{name} is {size.width} × {size.height} px, and {path.name} says {expected[0]} × "
            f"{expected[1]} px. Get the mask that belongs to it."
        )
    regions = _regions(ids, annotation, names, name)
    regions.sort(key=lambda one: -int(one.covered.sum()))
    caption = text_of(annotation.get("caption"), f"The caption of {name}", needed=False)
    return Opened(
        layout_document(size, regions, name=name, method="dense_diffusion", caption=caption)
    )


def _ids(path: Path, name: str) -> npt.NDArray[np.uint32]:
    """(H, W) segment ids; the mask lies beside the JSON or in the folder named after it."""
    inner = path.parent / path.stem
    folder = inner if inner.is_dir() and not (path.parent / name).is_file() else path.parent
    colours = read_colours(beside(folder, name, path.name)).astype(np.uint32)
    return colours[..., 0] + 256 * colours[..., 1] + 65536 * colours[..., 2]


def _regions(
    ids: npt.NDArray[np.uint32], annotation: dict[str, Any], names: Names, name: str
) -> list[Region]:
    regions, known = list[Region](), {0}
    for at, value in enumerate(list_of(annotation["segments_info"], f"Segments of {name}"), 1):
        where = f"Segment {at} of {name}"
        one = object_of(value, where)
        key = int(number_of(one.get("id"), f"The id of {where}"))
        if key in known:
            raise FormatError(f"{where} has the id {key}, which is taken. Number segments apart.")
        known.add(key)
        covered = ids == key
        if not covered.any():
            raise FormatError(f"{where} (id {key}) covers no pixel of the mask. Take it out.")
        regions.append(Region(covered, _text(one, names, where), where))
    strange = np.setdiff1d(np.unique(ids), np.array(sorted(known), np.int64))
    if len(strange):
        raise FormatError(
            f"{name} has pixels of segment {int(strange[0])}, which its JSON does not name. "
            "Get the JSON that belongs to it."
        )
    return regions


def _text(segment: dict[str, Any], names: Names, where: str) -> str:
    if segment.get("caption"):
        return text_of(segment["caption"], f"The caption of {where}")
    category = segment.get("category_id")
    words = names.get(category) if isinstance(category, int) else None
    return text_of(words or segment.get("category_name"), f"The category's name of {where}")
