"""PNG export of the final picture, with its recipe and the sRGB profile, and reading it back."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from collage_studio.document.model import Document
from collage_studio.formats.atomic import replacing
from collage_studio.formats.colour import srgb_profile
from collage_studio.formats.errors import FormatError, read_failure
from collage_studio.formats.picture import final_deep_picture, final_picture, is_deep
from collage_studio.formats.pixels_png import HEADER_BYTES, encode_png
from collage_studio.formats.recipe import KEY, parameters_text, recipe_json


def write_png(document: Document, path: Path) -> None:
    """Write the final picture of `document` as PNG.

    Raises:
        FormatError: it could not be written; an older file is intact.
    """
    with replacing(path) as file:
        file.write(png_bytes(document))


def png_bytes(document: Document, depth: int = 0, *, recipe: bool = True) -> bytes:
    """The final picture of `document` as PNG: opaque pictures without an alpha channel.

    Args:
        depth: 8 or 16 bits per channel; 0 = as deep as its sources.
        recipe: how it was made goes along.
    """
    texts = PngImagePlugin.PngInfo()
    if recipe:
        texts.add_itxt(KEY, recipe_json(document))
        if parameters := parameters_text(document):
            texts.add_text("parameters", parameters)
    texts.add_text("Software", "Collage Studio")
    if (depth or (16 if is_deep(document) else 8)) == 16:
        deep = final_deep_picture(document)
        opaque = deep[..., 3].min() == 65535
        data = encode_png(np.ascontiguousarray(deep[..., :3]) if opaque else deep, srgb_profile())
        return _with_texts(data, texts)
    pixels = final_picture(document)
    if pixels[..., 3].min() == 255:
        pixels = pixels[..., :3]
    output = io.BytesIO()
    Image.fromarray(pixels).save(
        output, "PNG", pnginfo=texts, icc_profile=srgb_profile(), compress_level=4
    )
    return output.getvalue()


def _with_texts(data: bytes, texts: PngImagePlugin.PngInfo) -> bytes:
    """Put text chunks behind the header of a PNG that Pillow did not write."""
    chunks = b""
    for chunk in texts.chunks:
        body = chunk[0] + chunk[1]
        chunks += struct.pack(">I", len(chunk[1])) + body + struct.pack(">I", zlib.crc32(body))
    return data[:HEADER_BYTES] + chunks + data[HEADER_BYTES:]


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe inside a PNG that write_png made.

    Raises:
        FormatError: the file is unreadable or holds no recipe.
    """
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            text = picture.info.get(KEY)
    except UnidentifiedImageError as error:
        raise FormatError(f"{path.name} is no PNG; only PNG files hold a recipe.") from error
    except OSError as error:
        raise read_failure(path, error) from error
    except (ValueError, SyntaxError) as error:
        raise FormatError(f"{path.name} is damaged; its recipe cannot be read.") from error
    try:
        data = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise FormatError(f"{path.name} holds no recipe of Collage Studio.")
    return cast(dict[str, Any], data)
