"""PSD and PSB files, ours and those of other programs -> Document."""

from __future__ import annotations

import logging
import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from psd_tools import ParseLimits, PSDImage

from collage_studio.document.geometry import Size
from collage_studio.document.model import Document, Layer, Mask, Raster, new_id
from collage_studio.formats.collage_reading import Asset
from collage_studio.formats.errors import FormatError, read_failure
from collage_studio.formats.limits import check_picture_size
from collage_studio.formats.opened import Opened
from collage_studio.formats.picture import preview_picture, shrunk, to_8_bit
from collage_studio.formats.psd_codec import unpack_plane
from collage_studio.formats.psd_colours import INDEXED, Colours, mask_values
from collage_studio.formats.psd_embedded import RESOURCE, Embedded
from collage_studio.formats.psd_kept import (
    DOCUMENT_BLOCKS,
    KEY,
    MAX_BYTES,
    RESOURCES,
    kept_of_document,
)
from collage_studio.formats.psd_layers import Converter, block_bytes
from collage_studio.formats.psd_losses import Loss, Losses
from collage_studio.formats.psd_masks import channels_of

SUFFIXES = (".psd", ".psb")
MAX_LAYERS = 8000
_HEADER = struct.Struct(">4sH6sHIIHH")
_ICC, _TRANSPARENT_INDEX = 1039, 1047
_MAX_OBJECTS = 3_000_000
_DIFFERENT = 3.0
_PREVIEW_SIDE = 256
_PARSING_FAILS = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, OSError,
    EOFError, struct.error, zlib.error, OverflowError, RecursionError, NotImplementedError,
    MemoryError, cv2.error,
)  # fmt: skip
"""What psd-tools raises on damaged files."""

_CHANGED_ELSEWHERE = (
    "It was changed in another program: layers are as they are there, texts and noise as "
    "they were here; variations are left out."
)
_AS_EXPORTED = (
    "It was exported without its original cutouts: layers have their harmonised pixels, texts and "
    "noise are as they were; variations are left out."
)

logging.getLogger("psd_tools").setLevel(logging.CRITICAL)  # losses are told in our own words


@dataclass(frozen=True, slots=True)
class _Header:
    version: int
    channels: int
    size: Size
    depth: int
    mode: int


def read_psd(path: Path) -> Opened:
    """Read a PSD or PSB; `losses` says what the document does not keep of it.

    A file that we wrote and nobody changed gives the very document that was exported.

    Raises:
        FormatError: it is no PSD, damaged, or exceeds the limits.
    """
    header = _checked_header(path)
    try:
        limits = ParseLimits(max_objects=_MAX_OBJECTS)
        psd: Any = PSDImage.open(path, parse_limits=limits)
    except _PARSING_FAILS as error:
        raise _damaged(path) from error
    try:
        return _Reader(path, header, psd).opened()
    except FormatError:
        raise
    except _PARSING_FAILS as error:
        raise _damaged(path) from error


def stored_picture(path: Path) -> npt.NDArray[Any]:
    """The flat picture stored in a PSD or PSB, (H, W, 4) straight uint8 or uint16.

    Raises:
        FormatError: it cannot be read.
    """
    header = _checked_header(path)
    try:
        psd: Any = PSDImage.open(path, parse_limits=ParseLimits(max_objects=_MAX_OBJECTS))
        preview = _Reader(path, header, psd).preview()
    except _PARSING_FAILS as error:
        raise _damaged(path) from error
    if preview is None:
        raise _damaged(path)
    return _unmatted(preview)


def _damaged(path: Path) -> FormatError:
    return FormatError(f"{path.name} is damaged or incomplete and was not opened. Get a new copy.")


def _checked_header(path: Path) -> _Header:
    try:
        with path.open("rb") as file:
            data = file.read(_HEADER.size)
    except OSError as error:
        raise read_failure(path, error) from error
    if len(data) < _HEADER.size or data[:4] != b"8BPS":
        raise FormatError(f"{path.name} is no Photoshop file.")
    _, version, _, channels, height, width, depth, mode = _HEADER.unpack(data)
    if version not in (1, 2) or not 1 <= channels <= 56 or depth not in (1, 8, 16, 32):
        raise _damaged(path)
    if mode > 9:
        raise FormatError(f"{path.name} has colours of an unknown kind. Save it as RGB.")
    check_picture_size(path.name, width, height)
    return _Header(version, channels, Size(width, height), depth, mode)


class _Reader:
    def __init__(self, path: Path, header: _Header, psd: Any) -> None:
        self._path, self._header, self._psd = path, header, psd
        self._losses = Losses()
        resources = psd.image_resources
        self._resources = {int(key): resources[key] for key in resources}
        self._colours = Colours(
            header.mode,
            header.depth,
            self._profile(),
            _palette(psd) if header.mode == INDEXED else None,
        )

    def _profile(self) -> bytes:
        data = self._resource(_ICC)
        return data if isinstance(data, bytes) else b""

    def _resource(self, key: int) -> Any:
        found = self._resources.get(key)
        return None if found is None else found.data

    def opened(self) -> Opened:
        embedded = self._embedded()
        is_ours = embedded is not None and embedded.links.checksum == _checksum(
            self._path, self._header
        )
        if embedded is not None and is_ours and embedded.links.originals:
            return embedded.document(self._own_bitmap)
        document = self._converted(embedded, _AS_EXPORTED if is_ours else _CHANGED_ELSEWHERE)
        return Opened(document, losses=self._losses.sentences)

    def _embedded(self) -> Embedded | None:
        data = self._resource(RESOURCE)
        if not isinstance(data, bytes):
            return None
        try:
            return Embedded(self._path, data)
        except FormatError:
            return None

    def _own_bitmap(self, record: int, asset: Asset) -> Raster | Mask | None:
        """The bitmap of our own document that lies in a layer record."""
        info = self._psd._record.layer_and_mask_information.layer_info
        if not 0 <= record < len(info.layer_records):
            return None
        layer = _Own(info.layer_records[record], info.channel_image_data[record])
        channels = channels_of(layer)
        wanted = (-2,) if asset.depth == 1 else (0, 1, 2, -1)
        if any(number not in channels for number in wanted):
            return None
        planes = [self._unpacked(channels[number], asset) for number in wanted]
        if asset.depth == 1:
            return Mask(mask_values(planes[0], 8))
        pixels: Any = cv2.merge(planes)
        if asset.depth == 8:
            pixels = to_8_bit(pixels)
        pixels.setflags(write=False)
        return Raster(pixels)

    def _unpacked(self, packed: Any, asset: Asset) -> npt.NDArray[Any]:
        depth, version = self._header.depth, self._header.version
        size = asset.width, asset.height
        return unpack_plane(packed.data, int(packed.compression), *size, depth, version)

    def _converted(self, embedded: Embedded | None, why: str) -> Document:
        """The document of the layers in the file; `why` it is not the one that was embedded."""
        self._losses.say(self._colours.change)
        count = sum(1 for _ in self._psd.descendants())
        if count > MAX_LAYERS:
            raise FormatError(f"{self._path.name} has {count} layers; at most {MAX_LAYERS} open.")
        converter = Converter(self._psd, self._colours, self._losses)
        document = Document(self._header.size, converter.convert())
        document = replace(document, background=replace(document.background, visible=False))
        preview = self.preview()
        if not document.layers and preview is not None:
            flat = Layer(new_id(), self._path.stem, raster=Raster(_unmatted(preview)))
            document = replace(document, layers=(flat,))
        elif preview is not None:
            self._compare(document, preview)
        document = replace(document, unknown=self._kept())
        reminded = self._reminded(document, embedded, converter) if embedded else None
        if reminded is not None:
            self._losses.say(why)
        return reminded or document

    def preview(self) -> npt.NDArray[Any] | None:
        """The stored flat picture, (h, w, 4) matted on white; None if it cannot be read."""
        header, data = self._header, self._psd._record.image_data
        width, height = header.size.width, header.size.height
        try:
            rows = unpack_plane(
                data.data, int(data.compression), width, height * header.channels, header.depth,
                header.version,
            )  # fmt: skip
        except FormatError:
            if not len(self._psd):
                raise _damaged(self._path) from None
            return None
        planes = rows.reshape(header.channels, height, width)
        colours = self._colours.channels
        has_alpha = header.channels > colours and self._has_merged_alpha()
        alpha = planes[colours] if has_alpha else self._clear_index(planes[0])
        return self._colours.picture(list(planes[:colours]), alpha)

    def _has_merged_alpha(self) -> bool:
        info = self._psd._record.layer_and_mask_information.layer_info
        if info is not None and info.layer_count < 0:
            return True
        names = self._resource(1006)
        return "Transparency" in str(names)

    def _clear_index(self, plane: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        """The alpha of indexed colours: one of them may be clear."""
        index = self._resource(_TRANSPARENT_INDEX)
        value = getattr(index, "value", index)
        if self._header.mode != INDEXED or not isinstance(value, int):
            return None
        return np.where(plane == value, np.uint8(0), np.uint8(255))

    def _compare(self, document: Document, preview: npt.NDArray[Any]) -> None:
        """Say so where what will be seen is far from the picture stored in the file."""
        seen = preview_picture(document, _PREVIEW_SIDE)
        size = Size(seen.shape[1], seen.shape[0])
        stored = shrunk(to_8_bit(preview), size)
        difference = np.abs(_on_white(seen) - stored[..., :3].astype(np.float32)).mean()
        if difference > _DIFFERENT:
            self._losses.say(
                "It will look different from the picture stored in the file, "
                f"by {difference / 255:.0%} on average."
            )

    def _kept(self) -> dict[str, Any]:
        """Foreign bytes of the whole document."""
        left, resources, blocks = MAX_BYTES, dict[int, bytes](), dict[str, bytes]()
        for key, resource in self._resources.items():
            data = block_bytes(resource)
            if key in RESOURCES and data and len(data) <= left:
                resources[key] = data
                left -= len(data)
        for block in (self._psd.tagged_blocks or {}).values():
            key = getattr(block.key, "value", block.key)
            name = key.decode("latin-1") if isinstance(key, bytes) else str(key)
            data = block_bytes(block) if name in DOCUMENT_BLOCKS else b""
            if data and len(data) <= left:
                blocks[name] = data
                left -= len(data)
        return {KEY: kept_of_document(blocks, resources)} if blocks or resources else {}

    def _reminded(
        self, document: Document, embedded: Embedded, converter: Converter
    ) -> Document | None:
        """`document` with our texts and noise put back; None if they are damaged."""
        try:
            ours = embedded.document(lambda _record, asset: _clear(asset)).document
        except FormatError:
            return None
        known = {layer.id: layer for layer in ours.walk()}
        links, used = embedded.links.layers, set[str]()

        def remind(layer: Layer) -> Layer:
            layer = replace(layer, children=tuple(remind(child) for child in layer.children))
            source = known.get(links.get(converter.numbers.get(layer.id, 0) - 1, ""))
            if source is None or source.id in used:
                return layer
            used.add(source.id)
            if source.noise_paint is not None:
                self._losses.add(Loss.NOISE_PAINT, layer.name)
            return replace(
                layer, id=source.id, text=source.text, noise=source.noise, state=source.state,
                attention_in=source.attention_in, attention_out=source.attention_out,
            )  # fmt: skip

        layers = tuple(remind(layer) for layer in document.layers)
        return replace(document, layers=layers, caption=ours.caption, settings=ours.settings)


@dataclass(frozen=True, slots=True)
class _Own:
    """A layer record with its channels."""

    _record: Any
    _channels: Any


def _clear(asset: Asset) -> Raster | Mask:
    """Stands for a bitmap that nobody looks at."""
    shape = (asset.height, asset.width)
    if asset.depth == 1:
        return Mask(np.broadcast_to(np.uint8(0), shape).copy())
    return Raster(np.zeros((*shape, 4), np.uint8))


def _checksum(path: Path, header: _Header) -> int:
    """Of all layer records and channels, as the writer counted it; 0 if there are none."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = _HEADER.size
        for _ in range(2):
            at += 4 + struct.unpack_from(">I", data, at)[0]
        form = ">Q" if header.version == 2 else ">I"
        at += struct.calcsize(form)
        (length,) = struct.unpack_from(form, data, at)
        at += struct.calcsize(form)
        checksum, end = 0, min(at + length, len(data))
        for start in _steps(at, end):
            checksum = zlib.crc32(data[start : min(start + _STEP, end)], checksum)
        return checksum


_STEP = 1 << 22


def _steps(start: int, end: int) -> Iterator[int]:
    return iter(range(start, end, _STEP))


def _palette(psd: Any) -> npt.NDArray[np.uint8] | None:
    data = bytes(psd._record.color_mode_data.value)
    if len(data) < 768:
        return None
    return np.frombuffer(data, np.uint8, 768).reshape(3, 256).T.copy()


def _on_white(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    alpha = pixels[..., 3:].astype(np.float32) / 255
    return (pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.float32)


def _unmatted(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Straight colours of a picture that lies on white."""
    top = float(np.iinfo(pixels.dtype).max)
    alpha = pixels[..., 3:].astype(np.float32) / top
    if alpha.min() >= 1:
        return pixels
    colours = (pixels[..., :3] - top * (1 - alpha)) / np.maximum(alpha, 1 / top)
    straight = np.clip(colours + 0.5, 0, top).astype(pixels.dtype)
    return np.ascontiguousarray(np.dstack([straight, pixels[..., 3]]))
