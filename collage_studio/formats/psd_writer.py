"""The bytes of a PSD or PSB: header, resources, layer records, channels, merged picture.

Written here and not through psd-tools, whose writer corrupts group masks, cannot write PSB or
names outside MacRoman, and composites a merged picture of its own.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from collage_studio import __version__
from collage_studio.document.geometry import Rect, Size
from collage_studio.document.model import BlendMode, Layer
from collage_studio.formats.colour import srgb_profile
from collage_studio.formats.errors import FormatError
from collage_studio.formats.picture import in_depth, shrunk, to_8_bit
from collage_studio.formats.psd_codec import RLE, pack_plane, pack_runs
from collage_studio.formats.text import ascii_name, plain_name

PSD_SIDE, PSB_SIDE = 30_000, 300_000
PSD_BYTES = 2_000_000_000
_DPI = 72
_THUMBNAIL_SIDE = 160
_FIXED_POINT = 1 << 16
_COLOURS, _ALPHA, _MASK = (0, 1, 2), -1, -2
_HIDDEN, _IS_MODERN, _NO_PIXELS = 2, 8, 16
_LOCKED_ALL = 0x80000000
_MASK_OFF = 2
_OPEN_GROUP, _END_OF_GROUP = 1, 3
_LONG_BLOCKS = frozenset(
    [
        "LMsk",
        "Lr16",
        "Lr32",
        "Layr",
        "Mt16",
        "Mt32",
        "Mtrn",
        "Alph",
        "FMsk",
        "lnk2",
        "FEid",
        "FXid",
        "PxSD",
    ]
)
"""Blocks whose length has eight bytes in a PSB."""

BLEND_KEYS: Mapping[BlendMode, bytes] = {
    BlendMode.NORMAL: b"norm",
    BlendMode.MULTIPLY: b"mul ",
    BlendMode.SCREEN: b"scrn",
    BlendMode.OVERLAY: b"over",
    BlendMode.SOFT_LIGHT: b"sLit",
    BlendMode.HARD_LIGHT: b"hLit",
    BlendMode.DARKEN: b"dark",
    BlendMode.LIGHTEN: b"lite",
    BlendMode.COLOR_DODGE: b"div ",
    BlendMode.COLOR_BURN: b"idiv",
    BlendMode.DIFFERENCE: b"diff",
    BlendMode.EXCLUSION: b"smud",
    BlendMode.HUE: b"hue ",
    BlendMode.SATURATION: b"sat ",
    BlendMode.COLOR: b"colr",
    BlendMode.LUMINOSITY: b"lum ",
    BlendMode.LINEAR_BURN: b"lbrn",
    BlendMode.LINEAR_DODGE: b"lddg",
    BlendMode.LINEAR_LIGHT: b"lLit",
    BlendMode.VIVID_LIGHT: b"vLit",
    BlendMode.PIN_LIGHT: b"pLit",
    BlendMode.HARD_MIX: b"hMix",
    BlendMode.DARKER_COLOR: b"dkCl",
    BlendMode.LIGHTER_COLOR: b"lgCl",
    BlendMode.SUBTRACT: b"fsub",
    BlendMode.DIVIDE: b"fdiv",
    BlendMode.PASS_THROUGH: b"pass",
}


Resource = bytes | Callable[[IO[bytes]], None]
"""The bytes of an image resource, or what writes them into a file."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a PSD keeps of a layer beside its pixels; `blocks` are foreign and written as given."""

    name: str
    opacity: float = 1.0
    blend: BlendMode = BlendMode.NORMAL
    visible: bool = True
    locked: bool = False
    clipped: bool = False
    blocks: Mapping[str, bytes] | None = None

    @classmethod
    def of_layer(cls, layer: Layer, blocks: Mapping[str, bytes] | None = None) -> Look:
        blend = layer.blend
        if blend is BlendMode.PASS_THROUGH and not layer.is_group:
            blend = BlendMode.NORMAL
        return cls(
            layer.name, layer.opacity, blend, layer.visible, layer.locked, layer.clipped, blocks
        )


@dataclass(frozen=True, slots=True)
class PlacedMask:
    """A mask channel, (h, w) uint8 in `box`; nothing shows outside it."""

    box: Rect
    values: npt.NDArray[np.uint8]
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class _Record:
    """A layer: its box, its channels, which are packed by and by, and what follows their sizes."""

    box: Rect
    channels: Mapping[int, Future[bytes]]
    rest: bytes

    def as_bytes(self, big: bool) -> bytes:
        box, length = self.box, ">hQ" if big else ">hI"
        return b"".join(
            [
                struct.pack(">4iH", box.top, box.left, box.bottom, box.right, len(self.channels)),
                *(struct.pack(length, n, len(data.result())) for n, data in self.channels.items()),
                self.rest,
            ]
        )


class PsdWriter:
    """A PSD under construction, bottom layer first; RGB with layers' own alpha."""

    def __init__(self, size: Size, pool: Executor, *, depth: int = 8, big: bool = False) -> None:
        """Begin a file of 8 or 16 bits per channel, a PSB if `big`.

        Args:
            pool: threads that pack the channels.

        Raises:
            FormatError: the canvas is too large for the format.
        """
        side, limit = max(size.width, size.height), PSB_SIDE if big else PSD_SIDE
        if side > limit:
            advice = "Make it smaller." if big else "Export it as .psb."
            raise FormatError(f"A {'PSB' if big else 'PSD'} has at most {limit} px. {advice}")
        self._size, self._depth, self._big, self._pool = size, depth, big, pool
        self._records = list[_Record]()

    @property
    def count(self) -> int:
        """Layer records so far: the index of the next."""
        return len(self._records)

    def add_pixels(
        self,
        look: Look,
        pixels: npt.NDArray[Any],
        left: int,
        top: int,
        mask: PlacedMask | None = None,
    ) -> int:
        """Put (h, w, 4) straight pixels on top, which are read later.

        Returns:
            The index of the layer's record.
        """
        box = Rect(left, top, left + pixels.shape[1], top + pixels.shape[0])
        packed = {
            channel: self._pool.submit(self._packed_channel, pixels, channel % 4)
            for channel in (_ALPHA, *_COLOURS)
        }
        self._add(look, box, packed, mask, {})
        return self.count - 1

    def _packed_channel(self, pixels: npt.NDArray[Any], channel: int) -> bytes:
        return self._packed(cv2.extractChannel(pixels, channel))

    def _packed(self, plane: npt.NDArray[Any]) -> bytes:
        return pack_plane(in_depth(plane, self._depth), big=self._big)

    def begin_group(self) -> None:
        """Put a mark below the layers of a group."""
        look = Look("</Layer group>", visible=False)
        self._add(look, Rect(0, 0, 0, 0), self._no_pixels(), None, {"lsct": _END_OF_GROUP})

    def end_group(self, look: Look, mask: PlacedMask | None = None) -> None:
        """Close the group that holds everything since its `begin_group`."""
        self._add(look, Rect(0, 0, 0, 0), self._no_pixels(), mask, {"lsct": _OPEN_GROUP})

    def _no_pixels(self) -> dict[int, Future[bytes]]:
        nothing = Future[bytes]()
        nothing.set_result(b"\x00\x00")
        return dict.fromkeys((_ALPHA, *_COLOURS), nothing)

    def _add(
        self,
        look: Look,
        box: Rect,
        packed: dict[int, Future[bytes]],
        mask: PlacedMask | None,
        section: Mapping[str, int],
    ) -> None:
        if mask is not None:
            packed[_MASK] = self._pool.submit(self._packed, mask.values)
        flags = _IS_MODERN | (0 if look.visible else _HIDDEN) | (_NO_PIXELS if section else 0)
        key = BLEND_KEYS[look.blend]
        extra = _mask_data(mask) + struct.pack(">I", 0) + self._name_and_blocks(look, section, key)
        look_data = struct.pack(
            ">4s4s4BI", b"8BIM", key, round(look.opacity * 255), look.clipped, flags, 0, len(extra)
        )
        self._records.append(_Record(box, packed, look_data + extra))

    def _name_and_blocks(self, look: Look, section: Mapping[str, int], key: bytes) -> bytes:
        name = plain_name(look.name)
        short = ascii_name(name).encode()
        pascal = bytes([len(short)]) + short
        pascal += bytes(-len(pascal) % 4)
        wide = name.encode("utf-16-be")
        blocks = {"luni": _padded(struct.pack(">I", len(wide) // 2) + wide, 4)}
        blocks["lyid"] = struct.pack(">I", self.count + 1)
        if section:
            blocks["lsct"] = struct.pack(">I4s4s", section["lsct"], b"8BIM", key)
        if look.locked:
            blocks["lspf"] = struct.pack(">I", _LOCKED_ALL)
        blocks |= {name: data for name, data in (look.blocks or {}).items() if name not in blocks}
        return pascal + b"".join(self._block(name, data) for name, data in blocks.items())

    def _block(self, key: str, data: bytes) -> bytes:
        data = _padded(data, 4)
        form = ">Q" if self._big and key in _LONG_BLOCKS else ">I"
        return b"8BIM" + key.encode("latin-1") + struct.pack(form, len(data)) + data

    def write(
        self,
        file: IO[bytes],
        merged: npt.NDArray[Any],
        resources: Callable[[int], Mapping[int, Resource]],
        blocks: Mapping[str, bytes] | None = None,
    ) -> None:
        """Finish the file, which can be written to at any place.

        Args:
            merged: the flat picture, (H, W, 4) straight.
            resources: given the checksum of all layers, image resources by number.
            blocks: foreign blocks of the whole document.
        """
        channels = [one.result() for record in self._records for one in record.channels.values()]
        records = [record.as_bytes(self._big) for record in self._records]
        layers = [struct.pack(">h", -self.count), *records, *channels]
        self._records.clear()
        channels.clear()
        layers.append(bytes(-sum(map(len, layers)) % 4))
        checksum = 0
        for part in layers:
            checksum = zlib.crc32(part, checksum)
        length = ">Q" if self._big else ">I"
        size = sum(map(len, layers))
        tail = struct.pack(">I", 0) + b"".join(
            self._block(key, data) for key, data in (blocks or {}).items()
        )
        version, mode = 2 if self._big else 1, 3
        file.write(
            struct.pack(
                ">4sH6xHIIHH", b"8BPS", version, 4, self._size.height, self._size.width,
                self._depth, mode,
            )
        )  # fmt: skip
        file.write(struct.pack(">I", 0))
        _write_sized(file, lambda: self._write_resources(file, merged, resources(checksum)))
        file.write(struct.pack(length, struct.calcsize(length) + size + len(tail)))
        file.write(struct.pack(length, size))
        for part in layers:
            file.write(part)
        file.write(tail)
        self._write_merged(file, merged)

    def _write_merged(self, file: IO[bytes], merged: npt.NDArray[Any]) -> None:
        """All byte counts come first, then the rows of all channels."""
        counts, rows = list[bytes](), list[bytes]()
        width = (4 if self._big else 2) * self._size.height
        planes = _on_white(in_depth(merged, self._depth))
        for packed in self._pool.map(partial(pack_runs, big=self._big), planes):
            counts.append(packed[:width])
            rows.append(packed[width:])
        file.write(struct.pack(">H", RLE))
        file.writelines((*counts, *rows))

    def _write_resources(
        self, file: IO[bytes], merged: npt.NDArray[Any], more: Mapping[int, Resource]
    ) -> None:
        for number, data in self._resources(merged, more):
            file.write(struct.pack(">4sHH", b"8BIM", number, 0))
            write = partial(file.write, data) if isinstance(data, bytes) else partial(data, file)
            file.write(bytes(_write_sized(file, write) % 2))

    def _resources(
        self, merged: npt.NDArray[Any], more: Mapping[int, Resource]
    ) -> Iterator[tuple[int, Resource]]:
        dpi = _DPI * _FIXED_POINT
        name = f"Collage Studio {__version__}".encode("utf-16-be")
        who = struct.pack(">I", len(name) // 2) + name
        yield 1005, struct.pack(">IHHIHH", dpi, 1, 1, dpi, 1, 1)
        yield 1036, _thumbnail(to_8_bit(merged), self._size)
        yield 1039, srgb_profile()
        # The merged picture is real, so readers without layers may show it.
        yield 1057, struct.pack(">IB", 1, 1) + who + who + struct.pack(">I", 1)
        yield from more.items()


def _write_sized(file: IO[bytes], write: Callable[[], object]) -> int:
    """Let `write` write into `file`, with its size before it in four bytes; gives that size.

    Raises:
        FormatError: four bytes cannot tell it.
    """
    file.write(bytes(4))
    start = file.tell()
    write()
    end = file.tell()
    if end - start >= 1 << 32:
        raise FormatError("The pictures take more than 4 GB. Save a .collage beside a flat export.")
    file.seek(start - 4)
    file.write(struct.pack(">I", end - start))
    file.seek(end)
    return end - start


def _mask_data(mask: PlacedMask | None) -> bytes:
    if mask is None:
        return struct.pack(">I", 0)
    box, flags = mask.box, 0 if mask.enabled else _MASK_OFF
    return struct.pack(">I4iBB2x", 20, box.top, box.left, box.bottom, box.right, 0, flags)


def _padded(data: bytes, step: int) -> bytes:
    return data + bytes(-len(data) % step)


def _on_white(merged: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
    """Red, green, blue matted on white, and alpha: how readers expect a merged picture."""
    alpha = merged[..., 3]
    top = np.iinfo(merged.dtype).max
    if alpha.min() == top:
        return tuple(merged[..., channel] for channel in range(4))
    share = alpha[..., np.newaxis].astype(np.float32) / np.float32(top)
    matted = merged[..., :3] * share + np.float32(top) * (1 - share) + np.float32(0.5)
    colours = np.minimum(matted, np.float32(top)).astype(merged.dtype)
    return (*(colours[..., channel] for channel in range(3)), alpha)


def _thumbnail(merged: npt.NDArray[np.uint8], size: Size) -> bytes:
    scale = min(1.0, _THUMBNAIL_SIDE / max(size.width, size.height))
    small = Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))
    picture = np.stack(_on_white(shrunk(merged, small))[:3], axis=2)
    output = io.BytesIO()
    Image.fromarray(picture).save(output, "JPEG", quality=85)
    row = (small.width * 24 + 31) // 32 * 4
    data = output.getvalue()
    head = struct.pack(
        ">IIIIIIHH", 1, small.width, small.height, row, row * small.height, len(data), 24, 1
    )
    return head + data
