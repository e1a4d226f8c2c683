"""How large files may be before they are refused, checked on headers before anything is decoded."""

from __future__ import annotations

from collage_studio.formats.errors import FormatError

MAX_SIDE = 16_384
"""Pixels on one side of a picture or canvas."""
MAX_PIXELS = 200_000_000
"""Pixels of one picture or canvas."""
MAX_DOCUMENT_PIXELS = 1_000_000_000
"""Pixels of all pictures and masks in one document."""
MAX_MEMBERS = 20_000
"""Files inside a .collage or .ora."""
MAX_JSON_BYTES = 64_000_000
MAX_UNPACKED_BYTES = 16_000_000_000
"""All members of a .collage or .ora together."""
MAX_RATIO = 200
"""A member may unpack to this many times its packed size."""
MAX_DEPTH = 60
"""Groups inside groups."""


def check_picture_size(name: str, width: int, height: int) -> None:
    """Refuse a picture that is too large to work on.

    Raises:
        FormatError: with its size and the limit.
    """
    if width < 1 or height < 1:
        raise FormatError(f"{name} is damaged: it says it is {width} × {height} px.")
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise FormatError(
            f"{name} is {width} × {height} px. At most {MAX_SIDE} px on a side and "
            f"{MAX_PIXELS // 1_000_000} megapixels can be opened; make it smaller first."
        )
