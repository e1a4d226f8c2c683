"""The manifest: one JSON object per line, a picture with its caption, boxes and their texts.

    {"image": "rel/path.png", "caption": "…", "source": "…",
     "objects": [{"box": [x1, y1, x2, y2], "text": "…", "mask": "rel/mask.png"}]}

Boxes are px of that picture, x2 and y2 exclusive; `mask`, `source` and `id` may be missing.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from collage_studio.training.rich_context.config import TrainingRefused

MANIFEST = "manifest.jsonl"
Corners = tuple[float, float, float, float]
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)
_DAMAGED = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True, slots=True)
class ItemObject:
    """One described object: its box in px, its text, and its mask's file if it has one."""

    box: Corners
    text: str
    mask: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One training picture and what is said about it. `key` is stable between runs."""

    image: str
    caption: str
    objects: tuple[ItemObject, ...]
    source: str = ""
    key: str = ""


def read_manifest(folder: Path) -> list[Item]:
    """The items of a folder that have objects, in the order of the file.

    Raises:
        TrainingRefused: there is no manifest, a line is wrong, or no item has an object.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise TrainingRefused(
            f"There is no {MANIFEST} in {folder}. Make one with collage-studio train prepare."
        )
    items = list[Item]()
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.strip():
            items.append(item_of(line, f"Line {number} of {path.name}"))
    kept = [item for item in items if item.objects]
    if not kept:
        raise TrainingRefused(f"{path} holds no item with objects. Training needs some.")
    return kept


def check_pictures(folder: Path, items: Iterable[Item]) -> None:
    """Refuse items whose picture is missing, cannot be read or does not hold their boxes."""
    for item in items:
        path = folder / item.image
        if not path.is_file():
            raise TrainingRefused(f"The picture {path} of the manifest is missing.")
        width, height = picture_size(path)
        for thing in item.objects:
            x1, y1, x2, y2 = thing.box
            if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
                raise TrainingRefused(
                    f"A box of {item.image} lies outside its {width} × {height} px. "
                    "Boxes are x1, y1, x2, y2 in px of the picture."
                )
            if thing.mask and not (folder / thing.mask).is_file():
                raise TrainingRefused(f"The mask {folder / thing.mask} is missing.")


def write_manifest(folder: Path, items: Iterable[Item]) -> int:
    """Write the manifest of a folder and return how many items it holds."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(item_data(item), ensure_ascii=False) for item in items]
    write_whole(folder / MANIFEST, "".join(f"{line}\n" for line in lines))
    return len(lines)


def write_whole(path: Path, text: str) -> None:
    """Write a text file that is there completely or not at all."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text, "utf-8")
    os.replace(unfinished, path)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in px of a picture the right way up.

    Raises:
        TrainingRefused: it cannot be read.
    """
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            turned = picture.getexif().get(_ORIENTATION, 1) in _LYING
    except _DAMAGED as error:
        raise TrainingRefused(f"The picture {path} cannot be read.") from error
    return (height, width) if turned else (width, height)


def open_picture(path: Path) -> Image.Image:
    """The pixels of a picture in RGB, the right way up as cameras note it.

    Raises:
        TrainingRefused: it cannot be read.
    """
    try:
        with Image.open(path) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except _DAMAGED as error:
        raise TrainingRefused(f"The picture {path} cannot be read.") from error


def beside(picture: Path, out: Path) -> str:
    """The picture's path from the training folder."""
    return Path(os.path.relpath(picture, out)).as_posix()


def item_data(item: Item) -> dict[str, Any]:
    """An item as its line in the manifest says it."""
    objects = [
        {"box": list(thing.box), "text": thing.text, **({"mask": thing.mask} if thing.mask else {})}
        for thing in item.objects
    ]
    said = {"image": item.image, "caption": item.caption, "objects": objects}
    return {**said, "source": item.source, **({"id": item.key} if item.key else {})}


def item_of(line: str, where: str) -> Item:
    """The item that a line of a manifest says.

    Args:
        where: what the line is called in refusals.

    Raises:
        TrainingRefused: the line is wrong.
    """
    try:
        said: Any = json.loads(line)
        image, caption = str(said["image"]), str(said.get("caption", ""))
        objects = tuple(_object(thing, where) for thing in said["objects"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingRefused(
            f"{where} is not an item: it needs image, and objects with box and text."
        ) from error
    return Item(image, caption, objects, str(said.get("source", "")), str(said.get("id") or image))


def _object(thing: Any, where: str) -> ItemObject:
    x1, y1, x2, y2 = (float(value) for value in thing["box"])
    box = (x1, y1, x2, y2)
    if not all(map(math.isfinite, box)) or x2 <= x1 or y2 <= y1:
        raise TrainingRefused(
            f"{where} has the box {list(box)}: x2 and y2 must be the larger ones."
        )
    return ItemObject(box, " ".join(str(thing["text"]).split()), str(thing.get("mask") or ""))
