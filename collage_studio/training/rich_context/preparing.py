"""Training folders made of other data: COCO, label files of the paper's kind, our own documents.

Pictures stay where they are where they can; the manifest names them relative to its folder.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from collage_studio.document.compositing import composite_picture
from collage_studio.document.layouts import own_masks
from collage_studio.document.model import Document
from collage_studio.formats.collage_file import load_collage
from collage_studio.starter.render import render_lit, warp_sticker
from collage_studio.starter.rich_context import POOL_FROM, crowded_scene, long_phrase
from collage_studio.starter.world import caption_text
from collage_studio.training.rich_context.config import TrainingRefused
from collage_studio.training.rich_context.items import (
    Corners,
    Item,
    ItemObject,
    beside,
    picture_size,
)

PICTURES = "pictures"
_LEAST_ALPHA = 0.05
_MOST_OBJECTS = 30


def from_coco(
    annotations: Path, images: Path, out: Path, captions: Path | None, least_area: float
) -> Iterator[Item]:
    """Items of COCO's instances; texts are category names, crowds and tiny objects are left out.

    Args:
        captions: COCO's captions of the same pictures; the first of each is used.
        least_area: of objects, as a share of the picture.

    Raises:
        TrainingRefused: a file is not of that layout.
    """
    said = _json(annotations)
    try:
        names = {int(kind["id"]): str(kind["name"]) for kind in said["categories"]}
        by_image = defaultdict[int, list[dict[str, Any]]](list)
        for note in said["annotations"]:
            if not note.get("iscrowd"):
                by_image[int(note["image_id"])].append(note)
        first = _first_captions(captions) if captions else {}
        for image in said["images"]:
            number = int(image["id"])
            whole = int(image["width"]) * int(image["height"])
            objects = [
                ItemObject(_corners(note["bbox"]), names[int(note["category_id"])])
                for note in by_image[number]
                if note["bbox"][2] * note["bbox"][3] > least_area * whole
            ]
            if objects:
                path = beside(images / str(image["file_name"]), out)
                kept = tuple(objects[:_MOST_OBJECTS])
                yield Item(path, first.get(number, ""), kept, "coco", f"coco-{number}")
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise TrainingRefused(f"{annotations} is no instances file of COCO.") from error


def from_labels(
    files: Sequence[Path], images: Path, out: Path, least_area: float
) -> Iterator[Item]:
    """Items of label files: one picture each, with `annos` of x, y, width and height in px.

    An object's text is its caption, or its category's name where it has none.

    Raises:
        TrainingRefused: a file is not of that layout.
    """
    for file in files:
        said = _json(file)
        try:
            path = images / str(said["file_name"])
            whole = _area(path)
            objects = [
                ItemObject(_corners(note["bbox"]), _text_of(note))
                for note in said["annos"]
                if note["bbox"][2] * note["bbox"][3] > least_area * whole and _text_of(note)
            ]
            caption = str(said.get("caption", ""))
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise TrainingRefused(
                f"{file} is no label file: it needs file_name and annos."
            ) from error
        if objects:
            yield Item(beside(path, out), caption, tuple(objects), "labels", file.stem)


def from_documents(files: Sequence[Path], out: Path) -> Iterator[Item]:
    """Items of our own documents: the accepted picture or the flattened collage, and its layers.

    Layers with a text give an object each, with their outline as its mask.

    Raises:
        FormatError: a file cannot be read.
    """
    for file in files:
        document = load_collage(file).document
        objects = tuple(_document_objects(document, out, file.stem))
        if not objects:
            continue
        accepted = document.accepted
        pixels = accepted.picture.pixels if accepted else composite_picture(document)
        path = Path(PICTURES) / f"{file.stem}.png"
        _save(np.asarray(pixels)[..., :3], out / path)
        yield Item(path.as_posix(), document.written_caption()[0], objects, "document", file.stem)


def from_sticker_world(count: int, out: Path) -> Iterator[Item]:
    """Pictures of crowded sticker scenes with long texts and exact outlines."""
    for seed in range(POOL_FROM, POOL_FROM + count):
        scene, rng = crowded_scene(seed), np.random.default_rng([seed, 10])
        path = Path(PICTURES) / f"{seed}.png"
        _save(render_lit(scene), out / path)
        objects = list[ItemObject]()
        for index, placed in enumerate(scene.objects):
            mask, text = warp_sticker(placed, 256)[1], long_phrase(rng, scene, index)
            found = _object(mask, text, out, f"{seed}-{index}")
            objects += [found] if found else []
        yield Item(path.as_posix(), caption_text(scene), tuple(objects), "sticker", str(seed))


def _document_objects(document: Document, out: Path, stem: str) -> Iterator[ItemObject]:
    masks = own_masks(document)
    for layer in document.walk():
        if layer.text.strip() and layer.id in masks:
            found = _object(masks[layer.id], layer.text.strip(), out, f"{stem}-{layer.id}")
            if found:
                yield found


def _object(mask: Any, text: str, out: Path, name: str) -> ItemObject | None:
    """An object with its outline, (H, W) in 0..1; None if nothing of it is seen."""
    seen = np.asarray(mask) > _LEAST_ALPHA
    if not seen.any():
        return None
    rows, columns = np.nonzero(seen.any(axis=1))[0], np.nonzero(seen.any(axis=0))[0]
    path = Path(PICTURES) / f"{name}-mask.png"
    _save(np.round(np.asarray(mask) * 255).astype(np.uint8), out / path)
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    box = (float(left), float(top), float(right), float(bottom))
    return ItemObject(box, text, path.as_posix())


def _save(pixels: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingRefused(f"{path} cannot be read as JSON.") from error


def _corners(box: Sequence[float]) -> Corners:
    x, y, width, height = (float(value) for value in box)
    return (x, y, x + width, y + height)


def _text_of(note: dict[str, Any]) -> str:
    return str(note.get("caption") or note.get("category_name") or "").strip()


def _first_captions(path: Path) -> dict[int, str]:
    found = dict[int, str]()
    for note in _json(path)["annotations"]:
        found.setdefault(int(note["image_id"]), str(note["caption"]).strip())
    return found


def _area(path: Path) -> int:
    width, height = picture_size(path)
    return width * height
