"""Flat pictures of a document: TIFF, WebP, JPEG, AVIF, single layers, before and after."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, features

from collage_studio.document.blending import straight
from collage_studio.document.compositing import bounds, flatten, place_layer
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.harmonised import harmonised_stack, has_harmonised
from collage_studio.document.model import Document, Layer, LayerKind
from collage_studio.document.tree import nodes
from collage_studio.formats.colour import srgb_profile
from collage_studio.formats.errors import FormatError
from collage_studio.formats.picture import (
    accepted_pixels,
    final_deep_picture,
    final_picture,
    is_deep,
    shrunk,
)
from collage_studio.formats.pixels_png import encode_png
from collage_studio.formats.tiff import tiff_bytes
from collage_studio.formats.xmp import xmp_packet

Pixels = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
_JPEG_QUALITY, _AVIF_QUALITY, _FRAME_QUALITY = 92, 85, 90
_WEBP_SIDE, _JPEG_SIDE = 16_383, 65_535
_HOLD_MS = 1200
_GIF_SIDE, _ANIMATION_SIDE = 1024, 2048
_SMALLEST_ALPHA = 0.5 / 255


def can_write_avif() -> bool:
    """Whether this Pillow has an AVIF encoder."""
    return bool(features.check("avif"))


def write_tiff(document: Document, depth: int = 0, *, recipe: bool = True) -> bytes:
    """The final picture as TIFF with 8 or 16 bits per channel; 0 = as deep as its sources.

    Args:
        recipe: caption and recipe go along; so in the other writers.
    """
    deep = (depth or (16 if is_deep(document) else 8)) == 16
    pixels: Any = final_deep_picture(document) if deep else final_picture(document)
    packet = xmp_packet(document, recipe=recipe)
    return tiff_bytes(_without_full_alpha(pixels), srgb_profile(), packet)


def write_webp(document: Document, *, recipe: bool = True) -> bytes:
    """The final picture as lossless WebP.

    Raises:
        FormatError: the canvas is too large for the format.
    """
    _check_side(document.size, _WEBP_SIDE, "WebP")
    picture = Image.fromarray(_without_full_alpha(final_picture(document)))
    packet = xmp_packet(document, recipe=recipe)
    return _saved(picture, packet, "WEBP", lossless=True, exact=True, method=2)


def write_jpeg(document: Document, background: Colour = WHITE, *, recipe: bool = True) -> bytes:
    """The final picture over `background` as JPEG.

    Raises:
        FormatError: the canvas is too large for the format.
    """
    _check_side(document.size, _JPEG_SIDE, "JPEG")
    picture = Image.fromarray(over_colour(final_picture(document), background))
    packet = xmp_packet(document, recipe=recipe)
    return _saved(picture, packet, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)


def write_avif(document: Document, *, recipe: bool = True) -> bytes:
    """The final picture as AVIF.

    Raises:
        FormatError: this installation has no AVIF.
    """
    if not can_write_avif():
        raise FormatError("This installation cannot write AVIF. Export WebP instead.")
    picture = Image.fromarray(_without_full_alpha(final_picture(document)))
    packet = xmp_packet(document, recipe=recipe)
    return _saved(picture, packet, "AVIF", quality=_AVIF_QUALITY, subsampling="4:4:4", speed=8)


def write_before_after(document: Document, kind: str) -> bytes:
    """The collage as placed and the accepted picture in turns, an endless animation.

    Args:
        kind: "WEBP" or "GIF".

    Raises:
        FormatError: no picture was accepted.
    """
    after = accepted_pixels(document)
    if after is None:
        raise FormatError("There is no after yet: accept a variation first.")
    size = _fitting(document.size, _GIF_SIDE if kind == "GIF" else _ANIMATION_SIDE)
    pixels = [flatten(document), after]
    small = [shrunk(one, size) if size != document.size else one for one in pixels]
    first, second = (Image.fromarray(over_colour(one, WHITE)) for one in small)
    output = io.BytesIO()
    more: dict[str, Any] = {"save_all": True, "append_images": [second], "loop": 0}
    if kind == "WEBP":
        more |= {"quality": _FRAME_QUALITY, "method": 2, "icc_profile": srgb_profile()}
    first.save(output, kind, duration=_HOLD_MS, **more)
    return output.getvalue()


def layer_png(document: Document, layer_id: str) -> bytes:
    """One layer as it looks on the canvas, cut to what shows of it: a transparent PNG.

    Harmonised pixels take the place of the layer's own where it has some.

    Raises:
        FormatError: there is no such layer, or nothing of it lies on the canvas.
    """
    shown = harmonised_stack(document) if has_harmonised(document) else document
    for node in nodes(shown.layers):
        if node.layer.id == layer_id:
            return encode_png(_cut_out(node.layer, node.outer, document), srgb_profile())
    raise FormatError("The layer is gone. Choose another one.")


def exportable_layers(document: Document) -> Iterator[Layer]:
    """The layers that `layer_png` can write, front to back."""
    for node in reversed(tuple(nodes(document.layers))):
        layer = node.layer
        if layer.kind not in (LayerKind.PICTURE, LayerKind.FILL) or not layer.visible:
            continue
        on_canvas = bounds(layer, outer=node.outer, canvas=document.size)
        if not on_canvas.intersect(Rect.of_size(document.size)).is_empty:
            yield layer


def _cut_out(layer: Layer, outer: Affine, document: Document) -> Pixels:
    box = bounds(layer, outer=outer, canvas=document.size).intersect(Rect.of_size(document.size))
    if box.is_empty:
        raise FormatError(f"Nothing of {layer.name} lies on the canvas. Move it there first.")
    alone = replace(layer, clipped=False)
    planes = np.moveaxis(place_layer(alone, size=document.size, box=box, transform=outer), -1, 0)
    seen = planes[3] > _SMALLEST_ALPHA
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if not rows.size:
        raise FormatError(f"Nothing of {layer.name} lies on the canvas. Move it there first.")
    part = planes[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    colours = np.concatenate([straight(part), part[3:]])
    values = np.clip(colours * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.merge(list(values)), np.uint8)


def over_colour(pixels: Pixels, colour: Colour) -> Pixels:
    """Straight (H, W, 4) pixels over a plain colour, (H, W, 3)."""
    if pixels[..., 3].min() == 255:
        return np.ascontiguousarray(pixels[..., :3])
    share = pixels[..., 3:].astype(np.float32) / 255
    ground = np.array(colour, np.float32)
    return (pixels[..., :3] * share + ground * (1 - share) + 0.5).astype(np.uint8)


def _without_full_alpha(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels[..., 3].min() == np.iinfo(pixels.dtype).max:
        return np.ascontiguousarray(pixels[..., :3])
    return pixels


def _saved(picture: Image.Image, packet: bytes, kind: str, **options: Any) -> bytes:
    output = io.BytesIO()
    try:
        picture.save(output, kind, icc_profile=srgb_profile(), xmp=_small(packet), **options)
    except (OSError, ValueError) as error:
        raise FormatError(
            f"The {kind} could not be made: {error}. Choose another format."
        ) from error
    return output.getvalue()


def _small(packet: bytes) -> bytes:
    """The packet, or none where it exceeds the 64 KB that JPEG holds in one piece."""
    return packet if len(packet) < 60_000 else b""


def _check_side(size: Size, most: int, name: str) -> None:
    if max(size.width, size.height) > most:
        raise FormatError(f"A {name} has at most {most} px on a side. Export a TIFF instead.")


def _fitting(size: Size, side: int) -> Size:
    scale = min(1.0, side / max(size.width, size.height))
    return Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))
