"""A plain TIFF of 8 or 16 bits per channel with straight alpha, profile and XMP.

Pillow has no 16-bit RGBA and OpenCV no straight alpha, so the few tags are written here.
"""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy.typing as npt

_STRIP_BYTES = 1 << 20
_SHORT, _LONG, _RATIONAL, _UNDEFINED = 3, 4, 5, 7
_FORMS = {_SHORT: "H", _LONG: "I"}
_DEFLATE, _RGB, _DIFFERENCES, _STRAIGHT_ALPHA = 8, 2, 2, 2
_DPI = 72
_WORKERS = 4


def tiff_bytes(pixels: npt.NDArray[Any], profile: bytes, xmp: bytes) -> bytes:
    """A TIFF of (H, W, 3) or (H, W, 4) uint8 or uint16 straight pixels, packed without loss.

    Args:
        profile: ICC bytes.
        xmp: a metadata packet.
    """
    height, width, channels = pixels.shape
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.itemsize))
    starts = range(0, height, rows)
    with ThreadPoolExecutor(_WORKERS) as pool:
        strips = list(pool.map(_packed, [pixels[top : top + rows] for top in starts]))
    tags: list[tuple[int, int, Any]] = [
        (256, _LONG, [width]),
        (257, _LONG, [height]),
        (258, _SHORT, [pixels.itemsize * 8] * channels),
        (259, _SHORT, [_DEFLATE]),
        (262, _SHORT, [_RGB]),
        (273, _LONG, _offsets(strips)),
        (277, _SHORT, [channels]),
        (278, _LONG, [rows]),
        (279, _LONG, [len(strip) for strip in strips]),
        (282, _RATIONAL, struct.pack("<II", _DPI, 1)),
        (283, _RATIONAL, struct.pack("<II", _DPI, 1)),
        (296, _SHORT, [2]),
        (317, _SHORT, [_DIFFERENCES]),
        (700, _UNDEFINED, xmp),
        (34675, _UNDEFINED, profile),
    ]
    if channels == 4:
        tags.append((338, _SHORT, [_STRAIGHT_ALPHA]))
    body = b"".join(strips)
    body += bytes(len(body) % 2)
    start = 8 + len(body)
    return struct.pack("<2sHI", b"II", 42, start) + body + _directory(sorted(tags), start)


def _packed(rows: npt.NDArray[Any]) -> bytes:
    """Each value less the one to its left, deflated."""
    change = rows.copy()
    change[:, 1:] -= rows[:, :-1]
    return zlib.compress(change.astype(rows.dtype.newbyteorder("<")).tobytes(), 1)


def _offsets(strips: list[bytes]) -> list[int]:
    found, at = list[int](), 8
    for strip in strips:
        found.append(at)
        at += len(strip)
    return found


def _directory(tags: list[tuple[int, int, Any]], start: int) -> bytes:
    entries, extra = struct.pack("<H", len(tags)), b""
    after = start + 2 + 12 * len(tags) + 4
    for tag, kind, value in tags:
        data = value if isinstance(value, bytes) else struct.pack(
            f"<{len(value)}{_FORMS[kind]}", *value
        )  # fmt: skip
        count = len(value) if kind != _RATIONAL else 1
        if len(data) <= 4:
            place = data.ljust(4, b"\0")
        else:
            place = struct.pack("<I", after + len(extra))
            extra += data + bytes(len(data) % 2)
        entries += struct.pack("<HHI", tag, kind, count) + place
    return entries + struct.pack("<I", 0) + extra
