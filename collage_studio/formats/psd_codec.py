"""Pixel planes <-> the packed channels of a PSD."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from psd_tools.compression import decode_prediction, decode_rle

from collage_studio.formats.errors import FormatError

Plane = npt.NDArray[Any]
RAW, RLE, ZIP, ZIP_PREDICTION = range(4)
_MOST_PER_BYTE = {RAW: 1, RLE: 70, ZIP: 1040, ZIP_PREDICTION: 1040}
"""How many bytes one packed byte can stand for; a channel that claims more is damaged."""
_SLACK_BYTES = 1 << 20
_ZIP_LEVEL = 1
_BIG_ENDIAN = {16: ">u2", 32: ">f4"}
_PACK_BITS, _SHORT = 32773, 3
_STRIP_STARTS, _STRIP_COUNTS = 273, 279
_ROW_BY_ROW = (cv2.IMWRITE_TIFF_COMPRESSION, _PACK_BITS, cv2.IMWRITE_TIFF_ROWSPERSTRIP, 1)


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
    """The rows of (h, w) uint8 or uint16 as run lengths, behind their byte counts.

    OpenCV's TIFF writer packs a row just as a PSD wants it, and other threads go on meanwhile.
    """
    rows = np.ascontiguousarray(plane)
    if rows.dtype == np.uint16:
        rows = rows.astype(_BIG_ENDIAN[16]).view(np.uint8)
    _, tiff = cv2.imencode(".tiff", rows, _ROW_BY_ROW)
    data = tiff.tobytes()
    counts, starts = _tiff_strips(data)
    if not np.array_equal(starts[1:], starts[:-1] + counts[:-1]):
        raise FormatError("OpenCV packed a channel in an unknown order. Install another version.")
    first, size = int(starts[0]), int(counts.sum())
    return counts.astype(">u4" if big else ">u2").tobytes() + data[first : first + size]


def _tiff_strips(data: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How long each strip of a TIFF is and where it begins."""
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    found = dict[int, npt.NDArray[np.int64]]()
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, length, value = struct.unpack_from(order + "HHII", data, entry)
        if tag in (_STRIP_STARTS, _STRIP_COUNTS):
            form = np.dtype(order + ("u2" if kind == _SHORT else "u4"))
            place = entry + 8 if length * form.itemsize <= 4 else value
            found[tag] = np.frombuffer(data, form, length, place).astype(np.int64)
    return found[_STRIP_COUNTS], found[_STRIP_STARTS]


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
