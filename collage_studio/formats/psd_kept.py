"""What a foreign PSD holds that a document has no place for, kept as bytes for the next export.

It lies in `unknown["psd"]` of the layer or document, as plain data, so that a .collage keeps it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from collage_studio.document.model import Document, Layer

KEY = "psd"
EFFECT_BLOCKS = ("lfx2", "lrFX", "lmfx")
"""Drawn by other programs from whatever pixels the layer has."""
OBJECT_BLOCKS = ("TySh", "SoLd", "SoLE", "PlLd")
"""Text and smart objects: true only while the pixels are as they were."""
LOOK_BLOCKS = ("lclr",)
DOCUMENT_BLOCKS = ("Patt", "Pat2", "Pat3", "lnkD", "lnk2", "lnk3", "lnkE", "Txt2", "FEid")
RESOURCES = frozenset({1028, 1032, 1034, 1035, 1050, 1058, 1065, *range(2000, 2998)})
"""Captions, guides, copyright, slices, camera data, layer comps and paths."""
MAX_BYTES = 8_000_000
"""Of one document."""


def kept_of_layer(blocks: Mapping[str, bytes], layer: Layer, text: str = "") -> Layer:
    """`layer` with what its record holds beside; the pixels' key tells later if it still holds."""
    data: dict[str, Any] = {"blocks": _encoded(blocks)}
    if any(key in OBJECT_BLOCKS for key in blocks):
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


def layer_blocks(layer: Layer) -> dict[str, bytes]:
    """The blocks to write with a layer: those that are still true."""
    data = _kept(layer.unknown)
    blocks = _decoded(data.get("blocks"))
    is_same = data.get("pixels") == (layer.raster.key if layer.raster else "") and data.get(
        "placement"
    ) == list(layer.placement.as_tuple())
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
