"""Mask and prompt sets of MultiDiffusion: a text for the background, a mask and text per region.

Either a JSON file with the names the released script gives its arguments (`mask_paths`,
`bg_prompt`, `bg_negative`, `fg_prompts`, `fg_negative`), or a folder with masks and a
`prompts.txt`: the background's text in the first line, one line per mask after it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from collage_studio.formats.errors import FormatError
from collage_studio.formats.layouts.regions import Layout, Region, layout_document
from collage_studio.formats.layouts.sources import (
    beside,
    list_of,
    read_json,
    read_mask,
    read_text,
    size_of,
    text_of,
)
from collage_studio.formats.opened import Opened

PROMPTS = "prompts.txt"
_TEXTS = "fg_prompts"
_MASKS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


def is_multi_diffusion(data: object) -> bool:
    """Whether `data` looks like a set."""
    return isinstance(data, dict) and _TEXTS in data


def multi_diffusion_cases(path: Path) -> tuple[Layout, ...]:
    """The one layout of a JSON file, or of a `prompts.txt` and the masks beside it."""
    if path.name == PROMPTS:
        return (Layout(path.parent.name, lambda: _read_folder(path)),)
    return (Layout(path.stem, lambda: _read_json(path)),)


def _read_json(path: Path) -> Opened:
    data = cast(dict[str, Any], read_json(path))
    texts = list_of(data.get(_TEXTS), f"{_TEXTS} of {path.name}")
    names = list_of(data.get("mask_paths"), f"mask_paths of {path.name}")
    masks = [
        beside(path.parent, text_of(name, f"Mask {at} of {path.name}"), path.name)
        for at, name in enumerate(names, start=1)
    ]
    avoid = data.get("bg_negative")
    others = data.get("fg_negative")
    lost = bool(others) and any(one not in ("", avoid) for one in cast(list[Any], others))
    notices = ("Words to avoid of single regions are left out.",) if lost else ()
    return _opened(path, data.get("bg_prompt"), texts, masks, avoid=avoid, notices=notices)


def _read_folder(path: Path) -> Opened:
    background, *texts = [line.strip() for line in read_text(path).strip().splitlines()] or [""]
    masks = [one for one in path.parent.iterdir() if one.suffix.lower() in _MASKS]
    return _opened(path, background, texts, sorted(masks, key=_by_number))


def _by_number(path: Path) -> tuple[Any, ...]:
    """mask2 comes before mask10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return tuple(int(part) if at % 2 else part for at, part in enumerate(parts))


def _opened(
    path: Path,
    background: object,
    texts: list[Any],
    masks: list[Path],
    *,
    avoid: object = None,
    notices: tuple[str, ...] = (),
) -> Opened:
    name = path.name
    ground = text_of(background, f"The background's text in {name}")
    if len(texts) != len(masks):
        raise FormatError(
            f"{name} has {len(texts)} texts and {len(masks)} masks. Give each mask one text."
        )
    size, regions = None, list[Region]()
    for at, (text, mask) in enumerate(zip(texts, masks, strict=True), start=1):
        words = text_of(text, f"Text {at} of {name}")
        covered = read_mask(mask, size)
        size = size_of(covered)
        if not covered.any():
            raise FormatError(f"{mask.name} covers no pixel of the canvas. Draw it in white.")
        regions.append(Region(covered, words, mask.name))
    if size is None:
        raise FormatError(f"{name} has no masks. Put one for each region beside it.")
    document = layout_document(
        size, regions, name=name, method="multi_diffusion", caption=ground, background=ground,
        avoid=text_of(avoid, f"bg_negative of {name}", needed=False),
    )  # fmt: skip
    return Opened(document, notices)
