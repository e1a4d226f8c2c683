"""DenseDiffusion's sets: captions with the texts of segments, and one colour picture per case.

A set is `{case: {"textual_condition": text, "segment_descriptions": [background, …]}}` in a
pickle or JSON file, its pictures are `<case>.png` beside it or in a folder beside it. Colours
belong to texts by descending number of pixels; white or black is the background.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from collage_studio.document.model import Document
from collage_studio.formats.errors import FormatError
from collage_studio.formats.layouts.plain_pickle import read_plain_pickle
from collage_studio.formats.layouts.regions import (
    Covered,
    Layout,
    Region,
    layout_document,
    regions_of,
)
from collage_studio.formats.layouts.sources import (
    list_of,
    object_of,
    read_colours,
    read_json,
    size_of,
    text_of,
)
from collage_studio.formats.opened import Opened
from collage_studio.formats.pixels_png import encode_png

PICKLES = (".pkl", ".pickle")
_CAPTION, _TEXTS = "textual_condition", "segment_descriptions"
_WHITE, _BLACK = 0xFFFFFF, 0
_LEAST_SHARE = 0.001
"""Part of the canvas below which a colour is the edge between two others."""
_SEGMENT_SHARE = 0.02
"""Part of the canvas above which a colour without a text is a segment that lacks one."""
_EXPORTED = "layout"

Keys = npt.NDArray[np.uint32]


def is_dense(data: object) -> bool:
    """Whether `data` looks like a set."""
    return isinstance(data, dict) and any(
        isinstance(case, dict) and _TEXTS in case for case in cast(dict[Any, Any], data).values()
    )


def dense_cases(path: Path) -> tuple[Layout, ...]:
    """The cases of a set file, by name.

    Raises:
        FormatError: the set is no plain data or no set.
    """
    data = read_plain_pickle(path) if path.suffix.lower() in PICKLES else read_json(path)
    if not is_dense(data):
        raise FormatError(f"{path.name} is no set of DenseDiffusion. It lacks {_TEXTS}.")
    return tuple(
        Layout(str(name), lambda name=name, case=case: _read_case(path, str(name), case))
        for name, case in cast(dict[Any, Any], data).items()
    )


def _read_case(path: Path, name: str, data: object) -> Opened:
    where = f"Case {name} of {path.name}"
    case = object_of(data, where)
    caption = text_of(case.get(_CAPTION), f"The caption of {where}")
    given = list_of(case.get(_TEXTS), f"{_TEXTS} of {where}")
    if not given:
        raise FormatError(f"{where} has no texts. Write one for the background and each segment.")
    background = text_of(given[0], f"The background text of {where}", needed=False)
    texts = [text_of(text, f"Text {at} of {where}") for at, text in enumerate(given[1:], start=1)]
    keys = _keys(read_colours(_picture_of(path, name)))
    regions = [
        Region(keys == key, text, f"Segment {at} of {where}")
        for at, (key, text) in enumerate(
            zip(_segment_keys(keys, len(texts), where), texts, strict=True), start=1
        )
    ]
    regions = [Region(_with_edges(keys, one, regions), one.text, one.where) for one in regions]
    document = layout_document(
        size_of(keys), regions, name=where, method="dense_diffusion", caption=caption,
        background=background,
    )  # fmt: skip
    chips = set(document.caption.layer_ids)
    absent = [one.text for one in document.layers if one.id not in chips]
    return Opened(document, tuple(f"The caption does not say “{text}”." for text in absent))


def _picture_of(path: Path, name: str) -> Path:
    """`<case>.png` beside the set or one folder further in."""
    if name in ("", ".", "..") or any(character in name for character in '/\\:*?"<>|'):
        raise FormatError(f"{path.name} has a case named {name!r}. Give cases plain names.")
    folder = path.parent
    places = [folder, *sorted(one for one in folder.iterdir() if one.is_dir())]
    places.sort(key=lambda one: not one.name.startswith(path.stem) and one != folder)
    for place in places:
        if (place / f"{name}.png").is_file():
            return place / f"{name}.png"
    raise FormatError(f"{path.name} needs {name}.png, which is missing. Put it beside the set.")


def _keys(colours: npt.NDArray[np.uint8]) -> Keys:
    """(H, W) one number per colour."""
    wide = colours.astype(np.uint32)
    return np.asarray((wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2], np.uint32)


def _segment_keys(keys: Keys, count: int, where: str) -> list[int]:
    """The colours of `count` segments, the largest first, the darker first of equal ones."""
    found, pixels = np.unique(keys, return_counts=True)
    sizes = dict(zip(found.tolist(), pixels.tolist(), strict=True))
    background = max((_WHITE, _BLACK), key=lambda key: sizes.get(key, 0))
    sizes.pop(background, None)
    ranked = sorted(sizes, key=lambda key: (-sizes[key], key))
    if len(ranked) > count:  # smoothed edges bring colours of their own
        ranked = [key for key in ranked if sizes[key] >= _LEAST_SHARE * keys.size]
    is_more = len(ranked) > count and sizes[ranked[count]] >= _SEGMENT_SHARE * keys.size
    if len(ranked) < count or is_more:
        raise FormatError(
            f"{where} has texts for {count} segments and a picture with {len(ranked)}. "
            "Give each segment a colour of its own and a text."
        )
    return ranked[:count]


def _with_edges(keys: Keys, region: Region, regions: list[Region]) -> Covered:
    """The region with those pixels of smoothed edges whose colour is nearest to its own."""
    own = [int(keys[one.covered][0]) for one in regions]
    known = np.array([_WHITE, _BLACK, *own], np.uint32)
    rest = ~np.isin(keys, known)
    if not rest.any():
        return region.covered
    used = known[np.isin(known, keys)]
    distance = np.abs(_channels(keys[rest])[:, None] - _channels(used)[None]).sum(axis=2)
    covered = region.covered.copy()
    covered[rest] = used[distance.argmin(axis=1)] == keys[region.covered][0]
    return covered


def _channels(keys: Keys) -> npt.NDArray[np.int64]:
    wide = keys.astype(np.int64)
    return np.stack([wide >> 16, (wide >> 8) & 255, wide & 255], axis=-1)


def write_set(document: Document, folder: Path) -> None:
    """Fill an empty folder with a set of one case: `layout.pkl` and `0.png`.

    Raises:
        FormatError: the document makes no layout, or its regions overlap.
    """
    regions = sorted(regions_of(document), key=lambda one: -int(one.covered.sum()))
    colours = _spread_colours(len(regions))
    pixels = np.full((*document.size.shape, 3), 255, np.uint8)
    owner = np.full(document.size.shape, -1, np.int64)
    for at, region in enumerate(regions):
        if (owner[region.covered] >= 0).any():
            other = regions[int(owner[region.covered].max())]
            raise FormatError(
                f"The layers “{other.where}” and “{region.where}” overlap, and a segment map "
                "holds one for each pixel. Move one of them or change its shape."
            )
        owner[region.covered] = at
        pixels[region.covered] = colours[at]
    case = {
        _CAPTION: _caption_with_all(document, [one.text for one in regions]),
        _TEXTS: [document.background.text.strip(), *(one.text for one in regions)],
    }
    (folder / "0.png").write_bytes(encode_png(pixels))
    (folder / f"{_EXPORTED}.pkl").write_bytes(pickle.dumps({0: case}, protocol=4))


def _caption_with_all(document: Document, texts: list[str]) -> str:
    """The caption, with the texts that it lacks at its end: the format looks them up there."""
    caption = document.written_caption()[0].strip()
    for text in texts:
        if text.lower() not in caption.lower():
            caption = f"{caption}, {text}" if caption else text
    return caption


def _spread_colours(count: int) -> list[tuple[int, int, int]]:
    """`count` distinct colours, none black or white, rising as numbers 0xRRGGBB."""
    step = 0xE0E0E0 // max(1, count)
    numbers = [0x101010 + step * at + (at % 2) * 0x40 for at in range(count)]
    return [(number >> 16, (number >> 8) & 255, number & 255) for number in sorted(numbers)]
