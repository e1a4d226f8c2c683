"""Turns dropped, pasted and chosen pictures into layers with sensible starting values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from collage_studio.document.edits import add_chip, add_layer
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, Raster, new_id
from collage_studio.document.suggesting import with_suggestions

_MIN_SIZE = 8
_COPY_MARKS = re.compile(
    r"(\(\d+\)|\bcopy\b|\bcutout\b|\bno ?bg\b|\bremovebg\b|\bpreview\b)", re.IGNORECASE
)
_CAMERA_NAME = re.compile(
    r"^(img|dsc|dscn|dscf|pxl|p|photo|image|picture|pasted|screenshot|untitled|scan|wa)?\W*"
    r"[\d\W]*(at|of)?[\d\W]*$",
    re.IGNORECASE,
)
_HASH_NAME = re.compile(r"^[0-9a-f]{8}[0-9a-f -]{8,}$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A picture on its way into the document; `name` is a file's stem or a word like "Pasted"."""

    raster: Raster
    name: str


def text_from_name(name: str) -> str:
    """The words in a file's stem: "red_car-02 (1)" says "red car"; camera names say nothing."""
    words = re.sub(r"[_\-.+]+", " ", name)
    if _HASH_NAME.match(words.strip()):
        return ""
    words = _COPY_MARKS.sub(" ", words)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", words)
    words = re.sub(r"(\s+\d+)+\s*$", "", words)
    words = " ".join(words.split()).lower()
    return "" if _CAMERA_NAME.match(words) else words


def fitting_placement(raster: Size, canvas: Size, at: tuple[float, float] | None) -> Affine:
    """Whole picture inside the canvas, never enlarged, its centre at `at` or the canvas's."""
    scale = min(1.0, canvas.width / raster.width, canvas.height / raster.height)
    scale = max(scale, _MIN_SIZE / max(raster.width, raster.height))
    x, y = at or (canvas.width / 2, canvas.height / 2)
    return Affine(a=scale, c=x - scale * raster.width / 2, e=scale, f=y - scale * raster.height / 2)


def picture_layer(
    incoming: Incoming, document: Document, at: tuple[float, float] | None = None
) -> Layer:
    """The layer that `incoming` becomes; `at` is its centre in canvas px."""
    raster, canvas = incoming.raster, document.size
    placement = fitting_placement(raster.size, canvas, at)
    text = text_from_name(incoming.name)
    name = text[:1].upper() + text[1:] if text else incoming.name or "Picture"
    return Layer(new_id(), name, raster=raster, placement=placement, text=text)


def add_pictures(
    document: Document,
    pictures: Sequence[Incoming],
    at: tuple[float, float] | None = None,
) -> tuple[Document, tuple[str, ...]]:
    """Put `pictures` on top with suggested values, each with a chip if it has a text.

    Several pictures are fanned out a little so that each can be seen.

    Returns:
        The document and the new layers' ids.
    """
    ids = list[str]()
    step = min(document.size.width, document.size.height) / 24
    x, y = at or (document.size.width / 2, document.size.height / 2)
    for number, incoming in enumerate(pictures):
        shift = (number - (len(pictures) - 1) / 2) * step
        layer = picture_layer(incoming, document, (x + shift, y + shift))
        document = add_layer(document, layer)
        if layer.text:
            document = add_chip(document, layer.id)
        ids.append(layer.id)
    return with_suggestions(document, ids), tuple(ids)
