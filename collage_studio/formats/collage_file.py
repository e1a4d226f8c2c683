""".collage: a zip of collage.json, one PNG per bitmap named by its content, and a preview."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from collage_studio import __version__
from collage_studio.document.looks import MAX_BYTES, BadLook, Look
from collage_studio.document.model import Document, Layer, Mask, PixelArray, Raster
from collage_studio.formats.atomic import replacing
from collage_studio.formats.collage_json import (
    FORMAT,
    VERSION,
    document_data,
    look_member,
    mask_member,
    pixels_member,
)
from collage_studio.formats.collage_reading import (
    Asset,
    Assets,
    assets_of,
    look_keys_of,
    read_document,
)
from collage_studio.formats.errors import FormatError, size_text
from collage_studio.formats.fields import BadData
from collage_studio.formats.limits import MAX_DOCUMENT_PIXELS, MAX_JSON_BYTES, check_picture_size
from collage_studio.formats.opened import Opened
from collage_studio.formats.picture import preview_picture
from collage_studio.formats.pixels_png import decode_png, encode_png, header_size
from collage_studio.formats.stored_zip import Archive, StoredZip

Stored = Raster | Mask | Look
"""What a document keeps in members of their own."""

MIMETYPE = b"application/x-collage-studio"
_JSON, _PREVIEW = "collage.json", "preview.png"
_WORKERS = 4
Known = Callable[[Asset], Raster | Mask | None]
NEWER = "Made by a newer version. Opened for viewing; nothing will be overwritten."


def save_collage(
    document: Document,
    path: Path,
    *,
    base: Path | None = None,
    preview: PixelArray | None = None,
) -> None:
    """Write `document` to `path`, which is complete or as before whatever happens.

    Args:
        base: an earlier save whose pictures are copied instead of packed again; None = `path`.
        preview: (H, W, 4) uint8 to show in file lists, if the caller has one at hand.

    Raises:
        FormatError: it could not be saved; the old file is intact.
    """
    with contextlib.ExitStack() as stack:
        archive = _open_base(base or path, stack)
        members = _pack(document, archive, preview)
        with replacing(path, members.size) as file:
            members.write(file)
            stack.close()  # before the file is replaced: an open file cannot be, on Windows


def write_collage_to(document: Document, file: IO[bytes]) -> None:
    """Write `document` into an open file."""
    _pack(document, None, None).write(file)


def write_without(
    document: Document,
    elsewhere: Container[str],
    extra: Iterable[tuple[str, bytes]],
    file: IO[bytes],
) -> None:
    """Write `document` into an open file without preview and without the members `elsewhere`.

    Args:
        extra: more members, name and content.
    """
    output = StoredZip(file)
    output.add(_JSON, _json(document))
    own = {n: b for n, b in bitmaps_of(document).items() if n not in elsewhere}
    with ThreadPoolExecutor(_WORKERS) as pool:
        members = _packed(own, None, pool)
    for name, data in members.items():
        output.add(name, data)
    for name, data in extra:
        output.add(name, data)
    output.finish()


def _json(document: Document) -> bytes:
    return json.dumps(document_data(document, __version__), indent=1, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class _Members:
    """What a file will hold: bitmaps that are not in `packed` are copied from `base`."""

    text: bytes
    preview: bytes
    bitmaps: Mapping[str, Stored]
    packed: Mapping[str, bytes]
    base: Archive | None

    @property
    def size(self) -> int:
        """Bytes of all members."""
        new = sum(map(len, self.packed.values()))
        held = self.base.members if self.base else {}
        kept = sum(held[name].size for name in self.bitmaps if name not in self.packed)
        return len(self.text) + len(self.preview) + new + kept

    def write(self, file: IO[bytes]) -> None:
        output = StoredZip(file)
        output.add("mimetype", MIMETYPE)
        output.add(_JSON, self.text)
        for name, bitmap in self.bitmaps.items():
            if self.base is None or name in self.packed:
                output.add(name, self.packed[name])
            else:
                _copy(self.base, name, bitmap, output)
        output.add(_PREVIEW, self.preview)
        output.finish()


def _pack(document: Document, base: Archive | None, preview: PixelArray | None) -> _Members:
    text = _json(document)
    bitmaps = bitmaps_of(document)
    with ThreadPoolExecutor(_WORKERS) as pool:
        waiting = pool.submit(_encode_preview, document, preview)
        packed = _packed(bitmaps, base, pool)
        return _Members(text, waiting.result(), bitmaps, packed, base)


def bitmaps_of(document: Document) -> dict[str, Stored]:
    """Every bitmap of the document by the name of its member, each once."""
    found = dict[str, Stored]()

    def take(layers: Iterable[Layer]) -> None:
        for layer in layers:
            control = layer.extras.control_picture
            for raster in (layer.raster, layer.harmonised, control, layer.noise_paint):
                if raster:
                    found[pixels_member(raster.key)] = raster
            if layer.mask:
                found[mask_member(layer.mask.key)] = layer.mask
            if layer.look:
                found[look_member(layer.look.key)] = layer.look

    take((*document.background.walk(), *document.walk(), *document.beside))
    accepted = (document.accepted,) if document.accepted else ()
    for variation in (*document.variations, *accepted):
        found[pixels_member(variation.picture.key)] = variation.picture
    return found


def _open_base(path: Path, stack: contextlib.ExitStack) -> Archive | None:
    """The earlier save, if there is a sound one; without it everything is packed anew."""
    with contextlib.suppress(FormatError):
        return stack.enter_context(Archive(path))
    return None


def _packed(
    bitmaps: Mapping[str, Stored], base: Archive | None, pool: ThreadPoolExecutor
) -> dict[str, bytes]:
    """PNG bytes of the bitmaps that `base` does not hold."""
    new = {n: b for n, b in bitmaps.items() if base is None or n not in base.members}
    return dict(zip(new, pool.map(_encode, new.values()), strict=True))


def _encode(bitmap: Stored) -> bytes:
    if isinstance(bitmap, Look):
        return bitmap.data
    return encode_png(bitmap.pixels if isinstance(bitmap, Raster) else bitmap.values)


def _encode_preview(document: Document, preview: PixelArray | None) -> bytes:
    return encode_png(preview_picture(document) if preview is None else preview)


def _copy(base: Archive, name: str, bitmap: Stored, output: StoredZip) -> None:
    """Add the member's bytes from the earlier save, or packed anew if they are damaged there."""
    try:
        data, crc = base.read(name), base.members[name].crc
    except FormatError:
        data, crc = _encode(bitmap), None
    output.add(name, data, crc)


def load_collage(path: Path) -> Opened:
    """Read a document, with every bitmap verified.

    What is missing or damaged is left out and told in `notices`; then, and for files of a newer
    version, the result is `read_only`.

    Raises:
        FormatError: nothing could be recovered, or the file exceeds the limits.
    """
    with Archive(path) as archive:
        return read_archive(archive)


def read_archive(archive: Archive, known: Known | None = None) -> Opened:
    """Read the document in an open archive.

    Args:
        known: gives bitmaps that lie elsewhere; None for those that the archive holds.

    Raises:
        FormatError: nothing could be recovered, or the file exceeds the limits.
    """
    name = archive.path.name
    data = _read_json(archive)
    notices = list[str]()
    is_newer = _check_version(data, name)
    if is_newer:
        notices.append(NEWER)
    try:
        assets = _read_assets(archive, assets_of(data), known or _nowhere)
        assets.looks = _read_looks(archive, look_keys_of(data))
        document = read_document(data, assets, notices)
    except BadData as error:
        raise FormatError(
            f"{name} is damaged and was not opened: {error}. Try an earlier copy."
        ) from error
    check_picture_size(name, document.size.width, document.size.height)
    lost = _lost(assets, archive)
    return Opened(document, (*notices, *lost), read_only=is_newer or bool(lost))


def _read_json(archive: Archive) -> dict[str, Any]:
    name = archive.path.name
    if _JSON not in archive.members:
        raise FormatError(f"{name} is not a Collage Studio document: it has no {_JSON}.")
    try:
        data = json.loads(archive.read(_JSON, MAX_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"{name} is damaged and was not opened: its list of layers is unreadable. "
            "Try an earlier copy."
        ) from error
    if not isinstance(data, dict):
        raise FormatError(f"{name} is not a Collage Studio document.")
    return cast(dict[str, Any], data)


def _check_version(data: Mapping[str, Any], name: str) -> bool:
    """Whether the file was made by a newer version."""
    version = data.get("version")
    if data.get("format") != FORMAT or not isinstance(version, int) or version < 1:
        raise FormatError(f"{name} is not a Collage Studio document.")
    return version > VERSION


def _nowhere(_asset: Asset) -> None:
    return None


def _read_assets(archive: Archive, wanted: Iterable[Asset], known: Known) -> Assets:
    """Decode every bitmap that is there and sound."""
    ordered = sorted(wanted, key=lambda asset: asset.member)
    _check_sizes(archive.path.name, ordered)
    with ThreadPoolExecutor(_WORKERS) as pool:
        bitmaps = pool.map(partial(_read_bitmap, archive, known), ordered)
        read = list(zip(ordered, bitmaps, strict=True))
    return Assets(
        rasters={asset.key: bitmap for asset, bitmap in read if isinstance(bitmap, Raster)},
        masks={asset.key: bitmap for asset, bitmap in read if isinstance(bitmap, Mask)},
    )


def _read_looks(archive: Archive, keys: Iterable[str]) -> dict[str, Look]:
    """Every learned look that is there and sound."""
    found = dict[str, Look]()
    for key in keys:
        with contextlib.suppress(FormatError, BadLook):
            look = Look(archive.read(look_member(key), MAX_BYTES))
            if look.key == key:
                found[key] = look
    return found


def _check_sizes(name: str, assets: Sequence[Asset]) -> None:
    for asset in assets:
        check_picture_size(f"A picture in {name}", asset.width, asset.height)
    pixels = sum(asset.width * asset.height for asset in assets)
    if pixels > MAX_DOCUMENT_PIXELS:
        raise FormatError(
            f"{name} was not opened: its pictures would take {size_text(4 * pixels)} of memory, "
            f"and at most {size_text(4 * MAX_DOCUMENT_PIXELS)} is allowed."
        )


def _read_bitmap(archive: Archive, known: Known, asset: Asset) -> Raster | Mask | None:
    """The bitmap; None if it is missing, damaged or not what collage.json says."""
    found = known(asset)
    if found is not None:
        return found
    try:
        data = archive.read(asset.member)
        width, height, depth = header_size(data)
        if (width, height) != (asset.width, asset.height) or depth != max(asset.depth, 8):
            return None
        pixels = decode_png(data)
        bitmap = Mask(pixels) if asset.depth == 1 else Raster(pixels)
    except (FormatError, ValueError):
        return None
    return bitmap if bitmap.key == asset.key else None


def _lost(assets: Assets, archive: Archive) -> tuple[str, ...]:
    """Sentences about everything that could not be read."""
    sentences = list[str]()
    name = archive.path.name
    if assets.lost_layers:
        sentences.append(f"The pixels of {_listed(assets.lost_layers)} are missing in {name}.")
    if assets.lost_masks:
        sentences.append(f"The masks of {_listed(assets.lost_masks)} are missing in {name}.")
    if assets.lost_harmonised:
        lost = _listed(assets.lost_harmonised)
        sentences.append(f"The harmonised pixels of {lost} are missing in {name}.")
    if assets.lost_noise_paint:
        lost = _listed(assets.lost_noise_paint)
        sentences.append(f"The painted noise of {lost} is missing in {name}.")
    if assets.lost_looks:
        sentences.append(f"The looks of {_listed(assets.lost_looks)} are missing in {name}.")
    if assets.lost_variations:
        sentences.append(f"{assets.lost_variations} variations are missing in {name}.")
    if archive.is_cut_off:
        sentences.insert(0, f"{name} ends too early.")
    if not sentences:
        return ()
    rest = "Everything else was opened; the file itself will not be overwritten."
    return (" ".join((*sentences, rest)),)


def _listed(names: Sequence[str]) -> str:
    shown = [name or "a layer" for name in names[:4]]
    if len(names) > 4:
        shown.append(f"{len(names) - 4} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
