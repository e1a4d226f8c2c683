"""Reading an export back: each check raises where the file is not what it should be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from collage_studio.document.model import Document
from collage_studio.document.tree import nodes
from collage_studio.formats.collage_file import load_collage
from collage_studio.formats.errors import FormatError
from collage_studio.formats.export_options import ExportOptions, psd_options
from collage_studio.formats.flat import WHITE, over_colour
from collage_studio.formats.openraster_reading import read_merged, read_ora
from collage_studio.formats.picture import (
    accepted_pixels,
    count_layers,
    final_deep_picture,
    final_picture,
)
from collage_studio.formats.pixels_png import decode_png
from collage_studio.formats.png import read_recipe
from collage_studio.formats.text import plain_text

_LOSSY_MEAN = 6.0
"""Mean difference, of 255, that a lossy format may make."""


def check_png(document: Document, path: Path, options: ExportOptions) -> None:
    _compare(_rgba(decode_png(path.read_bytes())), document)
    if options.recipe:
        read_recipe(path)


def check_tiff(document: Document, path: Path, _options: ExportOptions) -> None:
    pixels: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise differs()
    swap = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    _compare(_rgba(np.asarray(cv2.cvtColor(pixels, swap))), document)


def check_webp(document: Document, path: Path, _options: ExportOptions) -> None:
    with Image.open(path) as picture:
        _compare(np.asarray(picture.convert("RGBA")), document)


def check_jpeg(document: Document, path: Path, options: ExportOptions) -> None:
    _compare_lossy(path, over_colour(final_picture(document), options.background), "RGB")


def check_avif(document: Document, path: Path, _options: ExportOptions) -> None:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    expected = final_picture(document)
    if pixels.shape != expected.shape:
        raise differs()
    shown, wanted = (over_colour(one, WHITE).astype(int) for one in (pixels, expected))
    if np.abs(shown - wanted).mean() > _LOSSY_MEAN:
        raise differs()


def check_animation(document: Document, path: Path, _options: ExportOptions) -> None:
    after = accepted_pixels(document)
    with Image.open(path) as picture:
        frames = getattr(picture, "n_frames", 1)
    is_still = after is not None and np.array_equal(after, final_picture(document)) and frames == 1
    if frames != 2 and not is_still:
        raise differs()


def check_ora(document: Document, path: Path, _options: ExportOptions) -> None:
    opened = read_ora(path)
    if opened.notices or sum(1 for _ in opened.document.walk()) != count_layers(document):
        raise differs()
    _compare(read_merged(path), document)


def check_psd(document: Document, path: Path, options: ExportOptions) -> None:
    """The layers by psd-tools' count, their words, and our own document out of it."""
    from psd_tools import PSDImage

    from collage_studio.formats.psd import count_psd_layers, has_originals
    from collage_studio.formats.psd_reading import read_psd, stored_picture

    given = psd_options(options)
    layers = list(PSDImage.open(path).descendants())
    if len(layers) != count_psd_layers(document, given):
        raise differs()
    has_own = has_originals(document, given)
    if given.editable_text and has_own:
        _check_words(document, layers)
    if given.whole and has_own and read_psd(path).document != document:
        raise differs()
    _compare(stored_picture(path), document)


def _check_words(document: Document, layers: list[Any]) -> None:
    """Every text layer of the document is one in the file."""
    from collage_studio.formats.psd_text import block_words, layer_type_block

    blocks = (
        layer_type_block(node.layer, node.outer.after(node.layer.placement))
        for node in nodes(document.layers)
    )
    wanted = Counter(block_words(block) for block in blocks if block)
    found = Counter(
        plain_text(layer.text.replace("\r", "\n")) for layer in layers if layer.kind == "type"
    )
    if wanted - found:
        raise differs()


def check_collage(document: Document, path: Path, _options: ExportOptions) -> None:
    if load_collage(path).document != document:
        raise differs()


def _rgba(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.shape[2] == 4:
        return pixels
    top = np.iinfo(pixels.dtype).max
    return np.dstack([pixels, np.full(pixels.shape[:2], top, pixels.dtype)])


def _compare(read: npt.NDArray[Any], document: Document) -> None:
    """Where something shows, colours must be equal up to the rounding of matting."""
    deep = read.dtype == np.uint16
    expected: npt.NDArray[Any] = final_deep_picture(document) if deep else final_picture(document)
    if read.shape != expected.shape or not np.array_equal(read[..., 3], expected[..., 3]):
        raise differs()
    opaque = expected[..., 3] == np.iinfo(expected.dtype).max
    if not np.array_equal(read[opaque], expected[opaque]):
        raise differs()


def _compare_lossy(path: Path, expected: npt.NDArray[np.uint8], mode: str) -> None:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert(mode))
    if pixels.shape != expected.shape:
        raise differs()
    if np.abs(pixels.astype(int) - expected).mean() > _LOSSY_MEAN:
        raise differs()


def differs() -> FormatError:
    return FormatError("Could not export: what was written does not match. Nothing was replaced.")
