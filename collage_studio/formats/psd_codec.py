"""Pixel planes <-> the packed channels of a PSD."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from psd_tools.compression import decode_prediction, decode_rle, encode_rle

from collage_studio.formats.errors import FormatError

Plane = npt.NDArray[Any]
RAW, RLE, ZIP, ZIP_PREDICTION = range(4)
_MOST_PER_BYTE = {RAW: 1, RLE: 70, ZIP: 1040, ZIP_PREDICTION: 1040}
"""How many bytes one packed byte can stand for; a channel that claims more is damaged."""
_SLACK_BYTES = 1 << 20
_ZIP_LEVEL = 1
_BIG_ENDIAN = {16: ">u2", 32: ">f4"}


def pack_plane(plane: Plane, *, big: bool, predicted: bool = False) -> bytes:
    """A channel with its compression code, as run lengths, which every reader knows.

    Args:
        plane: (h, w) uint8 or uint16.
        big: for a PSB.
        predicted: uint16 as ZIP with prediction instead: smaller, but Krita misreads it.
    """
    if plane.size == 0:
        return struct.pack(">H", RAW)
    if predicted and plane.dtype == np.uint16:
        return struct.pack(">H", ZIP_PREDICTION) + zlib.compress(_differences(plane), _ZIP_LEVEL)
    return struct.pack(">H", RLE) + pack_runs(plane, big=big)


def pack_runs(plane: Plane, *, big: bool) -> bytes:
    """The rows of (h, w) uint8 or uint16 as run lengths, behind their byte counts."""
    height, width = plane.shape
    first = plane[0]
    if (plane == first).all() and (first == first[0]).all():
        return _constant_rows(first, height, big)
    bits = plane.dtype.itemsize * 8
    data = plane.astype(">u2").tobytes() if bits == 16 else plane.tobytes()
    return encode_rle(data, width, height, bits, 2 if big else 1)


def _constant_rows(row: Plane, height: int, big: bool) -> bytes:
    """Rows that are all the same are packed once."""
    one = pack_runs_of_row(row)
    return struct.pack(">I" if big else ">H", len(one)) * height + one * height


def pack_runs_of_row(row: Plane) -> bytes:
    """One row as run lengths."""
    bits = row.dtype.itemsize * 8
    data = row.astype(">u2").tobytes() if bits == 16 else row.tobytes()
    return encode_rle(data, len(row), 1, bits, 2)[4:]


def _differences(plane: npt.NDArray[np.uint16]) -> bytes:
    """Each value less its left neighbour, big-endian."""
    change = plane.copy()
    change[:, 1:] -= plane[:, :-1]
    return change.astype(">u2").tobytes()


def unpack_plane(
    data: bytes, compression: int, width: int, height: int, depth: int, version: int
) -> Plane:
    """(height, width) uint8, uint16 or float32 of a channel; depth 1 gives 0 and 255.

    Raises:
        FormatError: the data is damaged or claims more pixels than it can hold.
    """
    row = (width * depth + 7) // 8
    needed = height * row
    if needed > len(data) * _MOST_PER_BYTE.get(compression, 1) + _SLACK_BYTES:
        raise FormatError("a channel ends too early")
    try:
        raw = _unpacked(data, compression, (width, height, depth), needed, version)
    except (ValueError, IndexError, OSError, EOFError, zlib.error) as error:
        raise FormatError("a channel is damaged") from error
    if len(raw) < needed:
        raise FormatError("a channel ends too early")
    if depth == 1:
        bits = np.unpackbits(np.frombuffer(raw, np.uint8, needed).reshape(height, row), axis=1)
        return np.where(bits[:, :width] > 0, np.uint8(0), np.uint8(255))
    if depth == 8:
        return np.frombuffer(raw, np.uint8, needed).reshape(height, width)
    values = np.frombuffer(raw, _BIG_ENDIAN[depth], width * height).reshape(height, width)
    return values.astype(np.uint16 if depth == 16 else np.float32)


def _unpacked(
    data: bytes, compression: int, form: tuple[int, int, int], needed: int, version: int
) -> bytes:
    """The bytes of all rows; psd-tools' own entry would warn and go on with black."""
    width, height, depth = form
    if compression == RAW:
        return data
    if compression == RLE:
        return decode_rle(data, width, height, depth, version)
    if compression not in (ZIP, ZIP_PREDICTION):
        raise ValueError(f"compression {compression}")
    raw = zlib.decompressobj().decompress(data, needed)
    if compression == ZIP or depth == 1:
        return raw
    return decode_prediction(raw, width, height, depth)
