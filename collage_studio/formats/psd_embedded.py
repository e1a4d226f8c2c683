"""Our own document inside a PSD, so that opening the PSD again gives it back whole.

It lies in a plug-in resource as an archive like a .collage. Bitmaps that are also channels of
the PSD, bit for bit, are not stored twice; the checksum of the layers tells whether another
program changed them since.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.model import Document, Mask, Raster
from collage_studio.formats.collage_file import bitmaps_of, read_archive, write_without
from collage_studio.formats.collage_reading import Asset
from collage_studio.formats.errors import FormatError
from collage_studio.formats.opened import Opened
from collage_studio.formats.psd_codec import pack_plane, unpack_plane
from collage_studio.formats.stored_zip import Archive

RESOURCE = 4901
_LINKS, _PLANES = "psd.json", "planes/"


@dataclass(slots=True)
class Links:
    """Which layer record holds which bitmap (by its member's name), and which layer.

    `originals` = the layers' own pixels are in the file; else the document in it has no bitmaps
    and only reminds of texts and noise.
    """

    bitmaps: dict[str, int] = field(default_factory=dict[str, int])
    layers: dict[int, str] = field(default_factory=dict[int, str])
    checksum: int = 0
    originals: bool = True

    def as_bytes(self, checksum: int) -> bytes:
        return json.dumps(
            {
                "checksum": checksum,
                "bitmaps": self.bitmaps,
                "layers": {str(record): layer for record, layer in self.layers.items()},
                **({} if self.originals else {"originals": False}),
            }
        ).encode()


def write_embedded(
    document: Document, links: Links, checksum: int, pool: Executor, file: IO[bytes]
) -> None:
    """Write the resource's bytes.

    Args:
        checksum: of the PSD's layers.
        pool: threads that pack the bitmaps.
    """
    bitmaps = {
        name: bitmap
        for name, bitmap in bitmaps_of(document).items()
        if isinstance(bitmap, Raster | Mask)
    }
    own = {name: bitmap for name, bitmap in bitmaps.items() if name not in links.bitmaps}
    own = own if links.originals else {}

    def members() -> Iterator[tuple[str, bytes]]:
        yield _LINKS, links.as_bytes(checksum)
        for name, packed in zip(own, pool.map(pack_bitmap, own.values()), strict=True):
            yield _PLANES + name, packed

    write_without(document, bitmaps.keys(), members(), file)


def pack_bitmap(bitmap: Raster | Mask) -> bytes:
    """A bitmap as packed planes, as PSD channels are: four times as fast as PNG."""
    pixels = bitmap.pixels if isinstance(bitmap, Raster) else bitmap.values
    packed = [pack_plane(plane, big=True, predicted=True) for plane in cv2.split(pixels)]
    return struct.pack(f">{len(packed)}I", *map(len, packed)) + b"".join(packed)


def unpack_bitmap(data: bytes, asset: Asset) -> Raster | Mask:
    """The bitmap that `pack_bitmap` packed.

    Raises:
        FormatError: it is damaged.
    """
    count, at, planes = 1 if asset.depth == 1 else 4, 0, list[npt.NDArray[Any]]()
    if len(data) < 4 * count:
        raise FormatError("A picture in the PSD is damaged.")
    sizes = struct.unpack_from(f">{count}I", data)
    at, depth = 4 * count, max(asset.depth, 8)
    for size in sizes:
        compression = int.from_bytes(data[at : at + 2], "big")
        packed = data[at + 2 : at + size]
        planes.append(unpack_plane(packed, compression, asset.width, asset.height, depth, 2))
        at += size
    if count == 1:
        return Mask(np.ascontiguousarray(planes[0]))
    pixels: Any = cv2.merge(planes)
    pixels.setflags(write=False)
    return Raster(pixels)


class Embedded:
    """A document found in a PSD."""

    def __init__(self, path: Path, data: bytes) -> None:
        """Read what the resource holds.

        Raises:
            FormatError: it is damaged.
        """
        self._archive = Archive(path, io.BytesIO(data))
        self.links = _read_links(self._archive)

    def document(self, bitmap: Callable[[int, Asset], Raster | Mask | None]) -> Opened:
        """The whole document.

        Args:
            bitmap: gives the bitmap in a layer record.

        Raises:
            FormatError: it is damaged.
        """

        def known(asset: Asset) -> Raster | Mask | None:
            record = self.links.bitmaps.get(asset.member, None if self.links.originals else -1)
            if record is not None:
                return bitmap(record, asset)
            name = _PLANES + asset.member
            if name not in self._archive.members:
                return None
            return unpack_bitmap(self._archive.read(name), asset)

        return read_archive(self._archive, known)


def _read_links(archive: Archive) -> Links:
    try:
        data = cast(Mapping[str, Any], json.loads(archive.read(_LINKS)))
        return Links(
            {str(name): int(record) for name, record in data["bitmaps"].items()},
            {int(record): str(layer) for record, layer in data["layers"].items()},
            int(data["checksum"]),
            data.get("originals") is not False,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError("The document inside the PSD is damaged.") from error
