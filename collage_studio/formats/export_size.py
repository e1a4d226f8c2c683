"""How large an export will be, about, told before it is written.

Every picture is packed as the file's writer would, but only a sample of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.harmonised import harmonised_stack, has_harmonised
from collage_studio.document.looks import Look
from collage_studio.document.model import Document, Layer, LayerKind, Mask, Raster
from collage_studio.document.tree import nodes
from collage_studio.formats.collage_file import bitmaps_of
from collage_studio.formats.collage_json import mask_member, pixels_member
from collage_studio.formats.export_options import ExportOptions
from collage_studio.formats.flat import write_avif, write_jpeg, write_tiff, write_webp
from collage_studio.formats.picture import (
    accepted_raster,
    final_deep_picture,
    final_picture,
    in_depth,
    is_deep,
    is_resampled,
)
from collage_studio.formats.pixels_png import encode_png
from collage_studio.formats.png import png_bytes

Pixels = npt.NDArray[Any]
_BAND, _BANDS = 16, 8
_ROWS = 128
_FLAT: Mapping[str, Callable[[Document, ExportOptions], bytes]] = {
    ".png": lambda document, options: png_bytes(document, options.depth, recipe=False),
    ".tif": lambda document, options: write_tiff(document, options.depth, recipe=False),
    ".webp": lambda document, _: write_webp(document, recipe=False),
    ".jpg": lambda document, options: write_jpeg(document, options.background, recipe=False),
    ".avif": lambda document, _: write_avif(document, recipe=False),
}
_CLEAR = Layer("background", "", LayerKind.FILL, visible=False)
_RUN = 128
"""Equal bytes that two packed bytes stand for."""


def estimated_bytes(
    document: Document, suffix: str, options: ExportOptions | None = None
) -> int | None:
    """Bytes of the file to come, within about a tenth; None where a sample does not tell.

    Args:
        suffix: the kind of file: .psd, .psb, .ora, .collage or a flat picture.

    Raises:
        FormatError: the canvas is too large for the format.
    """
    options = options or ExportOptions()
    if options.each_layer or options.before_after or (options.factor > 1 and suffix != ".collage"):
        return None
    if suffix in (".psd", ".psb"):
        return _psd_bytes(document, options)
    if suffix == ".collage":
        return round(sum(_stored_bytes(one, _png) for one in bitmaps_of(document).values()))
    if suffix == ".ora":
        return _ora_bytes(document)
    if suffix in _FLAT:
        deep = is_deep(document) and options.depth != 8 and suffix in (".png", ".tif")
        return _flat_bytes(_shown(document, 16 if deep else 8), suffix, options)
    return None


def _flat_bytes(picture: Pixels, suffix: str, options: ExportOptions) -> int:
    """A picture of some bands of rows, written as the whole will be; its head counts once."""
    bands = _sample(picture, _BAND, _BANDS)
    write = _FLAT[suffix]
    head = len(write(_alone(picture[:1, :1]), options))
    body = len(write(_alone(bands), options)) - head
    return round(head + max(body, 0) * picture.shape[0] / bands.shape[0])


def _alone(pixels: Pixels) -> Document:
    layer = Layer("picture", "", raster=Raster(np.ascontiguousarray(pixels)))
    return Document(Size(pixels.shape[1], pixels.shape[0]), (layer,), _CLEAR)


def _sample(pixels: Pixels, band: int, count: int) -> Pixels:
    """At most `count` bands of rows, evenly taken, one below the other; all rows of small ones."""
    height = pixels.shape[0]
    if height <= band * count:
        return pixels
    starts = np.linspace(0, height - band, count).astype(int)
    return np.concatenate([pixels[start : start + band] for start in starts])


def _shown(document: Document, depth: int) -> Pixels:
    return (final_deep_picture if depth == 16 else final_picture)(document)


def _psd_bytes(document: Document, options: ExportOptions) -> int | None:
    depth = options.depth or (16 if is_deep(document) else 8)
    accepted = accepted_raster(document)
    if document.accepted is not None and document.written_back != document.accepted.id:
        return None  # the layers get their harmonised pixels while the file is written
    has_own = options.originals or accepted is None

    def packed(pixels: Pixels) -> float:
        return _runs(in_depth(pixels, depth) if pixels.ndim == 3 else pixels)

    total = packed(_shown(document, depth))
    total += packed(accepted.pixels) if accepted is not None else 0
    if has_own:
        total += _stack_bytes(document, packed)
    if has_harmonised(document):
        total += _stack_bytes(harmonised_stack(document), packed)
    if has_own and options.recipe:
        linked = _linked(document, depth)
        own = (one for name, one in bitmaps_of(document).items() if name not in linked)
        total += sum(_stored_bytes(one, _runs) for one in own)
    return round(total)


def _linked(document: Document, depth: int) -> set[str]:
    """The bitmaps that are channels of a PSD, bit for bit."""
    found = set[str]()
    accepted = accepted_raster(document)
    rasters = [] if accepted is None else [accepted]
    for node in (*nodes(document.layers), *nodes(harmonised_stack(document).layers)):
        raster, mask = node.layer.raster, node.layer.mask
        if raster is not None and not is_resampled(node.layer, node.outer):
            rasters.append(raster)
            found |= set() if mask is None else {mask_member(mask.key)}
    return found | {pixels_member(one.key) for one in rasters if one.depth <= depth}


def _ora_bytes(document: Document) -> int:
    accepted = accepted_raster(document)
    whole = _png(_shown(document, 8))
    total = whole * (1 if accepted is None else 2)
    return round(total + _stack_bytes(document, lambda p: _png(in_depth(p, 8)), has_masks=False))


def _stack_bytes(
    document: Document, packed: Callable[[Pixels], float], *, has_masks: bool = True
) -> float:
    """All layers of a stack at canvas scale; its background is one of them."""
    canvas = document.size
    total = _plain(canvas, 4)
    for node in nodes(document.layers):
        layer, place = node.layer, node.outer.after(node.layer.placement)
        if layer.kind is LayerKind.FILL:
            total += _plain(canvas, 4)
        elif layer.raster is not None:
            total += packed(layer.raster.pixels) * _growth(layer, node.outer)
        if layer.mask is not None and has_masks:
            total += packed(layer.mask.values) * abs(place.determinant)
    return total


def _growth(layer: Layer, outer: Affine) -> float:
    """How many pixels a layer's picture has in the file for each of its own."""
    return abs(outer.after(layer.placement).determinant) if is_resampled(layer, outer) else 1.0


def _plain(size: Size, channels: int) -> float:
    """Bytes of a plain colour as run lengths."""
    return channels * size.height * 2 * (1 + size.width / _RUN)


def _stored_bytes(bitmap: Raster | Mask | Look, packed: Callable[[Pixels], float]) -> float:
    if isinstance(bitmap, Look):
        return len(bitmap.data)
    return packed(bitmap.pixels if isinstance(bitmap, Raster) else bitmap.values)


def _png(pixels: Pixels) -> float:
    bands = _sample(pixels, _BAND, _BANDS)
    return len(encode_png(np.ascontiguousarray(bands))) * pixels.shape[0] / bands.shape[0]


def _runs(pixels: Pixels) -> float:
    """Bytes of all channels as run lengths."""
    from collage_studio.formats.psd_codec import pack_runs  # psd-tools is slow to import

    rows = _sample(pixels, 1, _ROWS)
    planes = cv2.split(np.ascontiguousarray(rows))
    count = sum(len(pack_runs(plane, big=False)) for plane in planes)
    return count * pixels.shape[0] / rows.shape[0]
