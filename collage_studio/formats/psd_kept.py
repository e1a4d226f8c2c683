"""What a foreign PSD holds that a document has no place for, kept as bytes for the next export.

It lies in `unknown["psd"]` of the layer or document, as plain data, so that a .collage keeps it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from collage_studio.document.geometry import IDENTITY, Affine
from collage_studio.document.model import Document, Layer
from collage_studio.formats.text import plain_text

KEY = "psd"
EFFECT_BLOCKS = ("lfx2", "lrFX", "lmfx")
"""Drawn by other programs from whatever pixels the layer has."""
TYPE_BLOCK = "TySh"
OBJECT_BLOCKS = (TYPE_BLOCK, "SoLd", "SoLE", "PlLd")
"""Text and smart objects: true only while the pixels are as they were."""
LOOK_BLOCKS = ("lclr",)
ALL_TEXT_BLOCK = "Txt2"
"""What Photoshop knows of all text layers together: wrong once one of them has other words."""
DOCUMENT_BLOCKS = ("Patt", "Pat2", "Pat3", "lnkD", "lnk2", "lnk3", "lnkE", ALL_TEXT_BLOCK, "FEid")
RESOURCES = frozenset({1028, 1032, 1034, 1035, 1050, 1058, 1065, *range(2000, 2998)})
"""Captions, guides, copyright, slices, camera data, layer comps and paths."""
MAX_BYTES = 8_000_000
"""Of one document."""


@dataclass(frozen=True, slots=True)
class KeptType:
    """What is known of a text layer: its words, its type block (may be empty), and its place then.

    `place` takes the layer's pixels to the canvas as they lay in the file that was read.
    """

    words: str
    block: bytes
    place: Affine


def kept_of_layer(blocks: Mapping[str, bytes], layer: Layer, text: str = "") -> Layer:
    """`layer` with what its record holds beside; the pixels' key tells later if it still holds."""
    data: dict[str, Any] = {"blocks": _encoded(blocks)}
    if text or any(key in OBJECT_BLOCKS for key in blocks):
        data["pixels"] = layer.raster.key if layer.raster else ""
        data["placement"] = list(layer.placement.as_tuple())
    if text:
        data["text"] = text
    return _with(layer, data)


def _with(layer: Layer, data: dict[str, Any]) -> Layer:
    return replace(layer, unknown={**layer.unknown, KEY: data})


def kept_of_document(blocks: Mapping[str, bytes], resources: Mapping[int, bytes]) -> dict[str, Any]:
    """The value of `unknown["psd"]` for a document."""
    numbered = {str(number): data for number, data in resources.items()}
    return {"blocks": _encoded(blocks), "resources": _encoded(numbered)}


def layer_blocks(layer: Layer, outer: Affine = IDENTITY) -> dict[str, bytes]:
    """The blocks to write with a layer: those that are still true.

    Args:
        outer: the placements of the groups around it.
    """
    data = _kept(layer.unknown)
    blocks = _decoded(data.get("blocks"))
    place = outer.after(layer.placement)
    is_same = _has_its_pixels(layer, data) and data.get("placement") == list(place.as_tuple())
    allowed = (*EFFECT_BLOCKS, *LOOK_BLOCKS, *(OBJECT_BLOCKS if is_same else ()))
    return {key: value for key, value in blocks.items() if key in allowed}


def document_blocks(document: Document) -> dict[str, bytes]:
    """The blocks to write with the whole document."""
    blocks = _decoded(_kept(document.unknown).get("blocks"))
    return {key: value for key, value in blocks.items() if key in DOCUMENT_BLOCKS}


def document_resources(document: Document) -> dict[int, bytes]:
    """The image resources to write with the whole document, by number."""
    found = _decoded(_kept(document.unknown).get("resources"))
    numbered = {int(key): value for key, value in found.items() if key.isdecimal()}
    return {key: value for key, value in numbered.items() if key in RESOURCES}


def kept_text(layer: Layer) -> str:
    """The words of a text layer that became a picture; empty for others."""
    text = _kept(layer.unknown).get("text")
    return text if isinstance(text, str) else ""


def kept_type(layer: Layer) -> KeptType | None:
    """What to make a text layer of again; None where the pixels are not those of its words."""
    data = _kept(layer.unknown)
    words, place = plain_text(kept_text(layer)), _place(data.get("placement"))
    if not words.strip() or place is None or not _has_its_pixels(layer, data):
        return None
    return KeptType(words, _decoded(data.get("blocks")).get(TYPE_BLOCK, b""), place)


def text_layers(document: Document) -> tuple[Layer, ...]:
    """The layers that can be written as editable text."""
    return tuple(layer for layer in document.walk() if kept_type(layer) is not None)


def _has_its_pixels(layer: Layer, data: Mapping[str, Any]) -> bool:
    return "pixels" in data and data["pixels"] == (layer.raster.key if layer.raster else "")


def _place(data: object) -> Affine | None:
    """A placement that can be undone."""
    try:
        place = Affine(*(float(number) for number in cast(list[Any], data)))
        place.inverse()
    except (TypeError, ValueError):
        return None
    return place


def _kept(unknown: Mapping[str, Any]) -> Mapping[str, Any]:
    data = unknown.get(KEY)
    return cast(Mapping[str, Any], data) if isinstance(data, dict) else {}


def _encoded(blocks: Mapping[str, bytes]) -> dict[str, str]:
    return {key: base64.b64encode(data).decode() for key, data in blocks.items()}


def _decoded(data: object) -> dict[str, bytes]:
    """Bytes by key; what a damaged file put there is passed over."""
    if not isinstance(data, dict):
        return {}
    found = dict[str, bytes]()
    for key, text in cast(dict[Any, Any], data).items():
        if isinstance(key, str) and isinstance(text, str) and len(key.encode()) <= 5:
            try:
                found[key] = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                continue
    return found
