"""Reading what layouts are made of, none of it trusted: JSON, masks, files beside a file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Size
from collage_studio.formats.errors import FormatError, read_failure, size_text
from collage_studio.formats.images import load_image
from collage_studio.formats.layouts.regions import Covered
from collage_studio.formats.limits import MAX_JSON_BYTES
from collage_studio.formats.picture import to_8_bit

_HALF = 128


def read_bytes(path: Path, limit: int = MAX_JSON_BYTES) -> bytes:
    """All of a file.

    Raises:
        FormatError: it cannot be read or is larger than `limit` bytes.
    """
    try:
        size = path.stat().st_size
        if size > limit:
            raise FormatError(
                f"{path.name} is too large: {size_text(size)}, and at most {size_text(limit)} "
                "can be imported."
            )
        return path.read_bytes()
    except OSError as error:
        raise read_failure(path, error) from error


def read_json(path: Path) -> Any:
    """What a JSON file says; numbers in it are finite.

    Raises:
        FormatError: it is no complete JSON.
    """
    data = read_bytes(path)
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"{path.name} is no complete JSON file. Nothing was imported; get a new copy of it."
        ) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def read_text(path: Path) -> str:
    """A text file in UTF-8."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path.name} is no text in UTF-8. Save it as plain text.") from error


def object_of(value: object, where: str) -> dict[str, Any]:
    """`value` if it is a JSON object, else FormatError."""
    if not isinstance(value, dict):
        raise FormatError(f"{where} is no list of named values. Get a complete copy of the layout.")
    return cast(dict[str, Any], value)


def list_of(value: object, where: str) -> list[Any]:
    """`value` if it is a JSON list, else FormatError."""
    if not isinstance(value, list):
        raise FormatError(f"{where} is no list. Get a complete copy of the layout.")
    return cast(list[Any], value)


def text_of(value: object, where: str, *, needed: bool = True) -> str:
    """`value` if it is a text with words in it, stripped; empty where it may be missing.

    Raises:
        FormatError: it is no text, or has no words and is needed.
    """
    if value is None and not needed:
        return ""
    if value is not None and not isinstance(value, str):
        raise FormatError(f"{where} is no text. Write what shall be there.")
    words = " ".join((value or "").split())
    if needed and not words:
        raise FormatError(f"{where} is missing. Write what shall be there.")
    return words


def number_of(value: object, where: str) -> float:
    """`value` if it is a finite number, else FormatError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError(f"{where} is no number. Correct the layout.")
    if abs(value) > 1e9 or not math.isfinite(value):
        raise FormatError(f"{where} is out of range. Correct the layout.")
    return value


def read_colours(path: Path) -> npt.NDArray[np.uint8]:
    """A picture as (H, W, 3) uint8, over black where it is clear."""
    pixels = to_8_bit(load_image(path).pixels)
    if pixels[..., 3].min() == 255:
        return pixels[..., :3]
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :3] * alpha + 127) // 255).astype(np.uint8)


def read_mask(path: Path, size: Size | None = None, *, like: str = "the others") -> Covered:
    """Where a mask picture is at least half white, (H, W).

    Args:
        size: what it must have; None = any.
        like: what has that size, for the message.

    Raises:
        FormatError: it cannot be read or has another size.
    """
    colours = read_colours(path).astype(np.uint32)
    covered: Covered = (colours @ np.array([299, 587, 114], np.uint32)) >= _HALF * 1000
    height, width = covered.shape
    if size is not None and (height, width) != size.shape:
        raise FormatError(
            f"{path.parent.name}/{path.name} is {width} × {height} px, and {like} {size.width} × "
            f"{size.height} px. Make all masks the same size."
        )
    return covered


def size_of(covered: npt.NDArray[Any]) -> Size:
    """Width and height of (H, W, ...)."""
    return Size(covered.shape[1], covered.shape[0])


def beside(folder: Path, name: str, where: str) -> Path:
    """The file `name` in `folder` or in a folder inside it.

    Raises:
        FormatError: the name leads elsewhere, or there is no such file.
    """
    home = folder.resolve()
    plain = name.replace("\\", "/")
    try:
        path = (home / plain).resolve()
        is_inside = bool(plain) and ":" not in plain and path.is_relative_to(home)
        exists = is_inside and path.is_file()
    except (OSError, ValueError):
        is_inside = exists = False
        path = home
    if not is_inside:
        raise FormatError(f"{where} names a file elsewhere. Put the file beside the layout.")
    if not exists:
        raise FormatError(f"{where} needs {plain}, which is missing. Put it beside the layout.")
    return path
