"""Pictures from outside (PNG, JPEG, WebP, TIFF, BMP, GIF) -> Raster in sRGB, upright."""

from __future__ import annotations

import contextlib
import io
import struct
import threading
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from collage_studio.document.model import Raster
from collage_studio.formats.colour import is_srgb, to_srgb
from collage_studio.formats.errors import FormatError, read_failure, size_text
from collage_studio.formats.limits import check_picture_size
from collage_studio.formats.pixels_png import SIGNATURE, check_complete

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
"""What load_image takes, for file dialogs and drops."""

_LAZY = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")  # these allocate nothing before load()
_MAX_FILE_BYTES = 2_000_000_000
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)  # what Pillow's plugins raise on damaged files
_OPENING = threading.Lock()
_BITS, _STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES = 258, 273, 279, 324, 325
_EXTRA_SAMPLES, _SAMPLE_FORMAT = 338, 339


def load_image(source: Path | bytes) -> Raster:
    """Read a picture: upright, in sRGB, with alpha; 16 bit PNG and TIFF stay 16 bit.

    A 16 bit picture with a profile other than sRGB is converted at 8 bit: right colours go
    before depth.

    Raises:
        FormatError: unreadable, incomplete or too large; nothing is read in part.
    """
    name = source.name if isinstance(source, Path) else "The picture"
    data = _read(source) if isinstance(source, Path) else source
    if data.startswith(SIGNATURE):
        check_complete(data, name)
    try:
        with contextlib.closing(_open(data, name)) as picture:
            check_picture_size(name, *picture.size)
            return Raster(_decode(picture, data, name))
    except FormatError:
        raise
    except _UNREADABLE as error:
        raise _damaged(name) from error


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            size = size_text(path.stat().st_size)
            raise FormatError(f"{path.name} is too large: {size}, and at most 2 GB can be opened.")
        return path.read_bytes()
    except OSError as error:
        raise read_failure(path, error) from error


def _damaged(name: str) -> FormatError:
    return FormatError(f"{name} is damaged or incomplete. Nothing was added; get a new copy of it.")


@contextlib.contextmanager
def _without_pillow_limit() -> Generator[None, None, None]:
    """Pillow refuses large headers without naming their size: look first, then judge."""
    with _OPENING:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _open(data: bytes, name: str) -> Image.Image:
    """The picture with its header read and no pixel decoded."""
    try:
        with contextlib.suppress(UnidentifiedImageError), _without_pillow_limit():
            return Image.open(io.BytesIO(data), formats=_LAZY)
        return Image.open(io.BytesIO(data), formats=("GIF",))
    except UnidentifiedImageError:
        raise FormatError(f"{name} cannot be read. Save it as PNG, JPEG, WebP or TIFF.") from None


def _decode(picture: Image.Image, data: bytes, name: str) -> npt.NDArray[Any]:
    """(H, W, 4) uint8 or uint16."""
    profile = cast(bytes, picture.info.get("icc_profile") or b"")
    if picture.format == "TIFF":
        _check_tiff(picture, len(data), name)
    if _is_deep(picture, data) and is_srgb(profile):
        return _decode_deep(picture, data, name)
    if picture.mode in ("F", "I"):
        raise FormatError(f"{name} has 32 bits per colour. Save it with 8 or 16 bits.")
    if picture.mode.startswith("I;16"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if not is_srgb(profile):
        upright = to_srgb(upright, profile)
    return np.asarray(upright.convert("RGBA"))


def _is_deep(picture: Image.Image, data: bytes) -> bool:
    """Whether the picture has 16 bits per colour and OpenCV reads it as they are."""
    if picture.format == "PNG":
        return data[24] == 16
    if picture.format != "TIFF":
        return False
    tags = cast(Any, picture).tag_v2
    unsigned = set(tags.get(_SAMPLE_FORMAT, (1,))) == {1}
    associated = 1 in tags.get(_EXTRA_SAMPLES, ())
    known = picture.mode in ("L", "RGB", "RGBA", "RGBX") or picture.mode.startswith("I;16")
    return set(tags.get(_BITS, (1,))) == {16} and unsigned and known and not associated


def _check_tiff(picture: Image.Image, length: int, name: str) -> None:
    """Every strip or tile must lie within the file: OpenCV returns what it could read."""
    tags = cast(Any, picture).tag_v2
    for starts, sizes in ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES)):
        for start, size in zip(tags.get(starts, ()), tags.get(sizes, ()), strict=False):
            if start + size > length:
                raise _damaged(name)


def _decode_deep(picture: Image.Image, data: bytes, name: str) -> npt.NDArray[np.uint16]:
    """(H, W, 4) uint16 by OpenCV: Pillow has no 16 bit colour."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape[:2] != (picture.height, picture.width):
        raise _damaged(name)
    pixels = pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
    channels = pixels.shape[2]
    colours = pixels[..., [2, 1, 0]] if channels >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    alpha = pixels[..., -1:] if channels in (2, 4) else np.full_like(pixels[..., :1], 0xFFFF)
    straight = np.concatenate([colours, alpha], axis=2).astype(np.uint16, copy=False)
    return _upright(straight, picture.getexif().get(ExifTags.Base.Orientation, 1))


def _upright(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Turn and mirror as EXIF orientation 1 to 8 asks for."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
