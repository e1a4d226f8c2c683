"""PNG export of the final picture, with its recipe and the sRGB profile, and reading it back."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, cast

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from collage_studio.document.model import Document
from collage_studio.formats.atomic import replacing
from collage_studio.formats.colour import srgb_profile
from collage_studio.formats.errors import FormatError, read_failure
from collage_studio.formats.picture import final_picture
from collage_studio.formats.recipe import KEY, parameters_text, recipe_json


def write_png(document: Document, path: Path) -> None:
    """Write the final picture of `document` as PNG.

    Raises:
        FormatError: it could not be written; an older file is intact.
    """
    with replacing(path) as file:
        file.write(png_bytes(document))


def png_bytes(document: Document) -> bytes:
    """The final picture of `document` as PNG: opaque pictures without an alpha channel."""
    pixels = final_picture(document)
    if pixels[..., 3].min() == 255:
        pixels = pixels[..., :3]
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt(KEY, recipe_json(document))
    if parameters := parameters_text(document):
        texts.add_text("parameters", parameters)
    texts.add_text("Software", "Collage Studio")
    output = io.BytesIO()
    Image.fromarray(pixels).save(
        output, "PNG", pnginfo=texts, icc_profile=srgb_profile(), compress_level=4
    )
    return output.getvalue()


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
