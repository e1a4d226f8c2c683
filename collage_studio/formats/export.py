"""Exporting a document by the suffix of the file: written atomically, read back and compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from collage_studio.document.enlarging import enlarged
from collage_studio.document.model import Document
from collage_studio.formats.atomic import replacing
from collage_studio.formats.collage_file import write_collage_to
from collage_studio.formats.errors import FormatError, size_text
from collage_studio.formats.export_checks import (
    check_animation,
    check_avif,
    check_collage,
    check_jpeg,
    check_ora,
    check_png,
    check_psd,
    check_tiff,
    check_webp,
    differs,
)
from collage_studio.formats.export_losses import export_losses
from collage_studio.formats.export_options import ExportOptions, psd_options
from collage_studio.formats.flat import (
    can_write_avif,
    exportable_layers,
    layer_png,
    write_avif,
    write_before_after,
    write_jpeg,
    write_tiff,
    write_webp,
)
from collage_studio.formats.limits import check_picture_size
from collage_studio.formats.openraster import write_ora_to
from collage_studio.formats.pixels_png import decode_png
from collage_studio.formats.png import png_bytes
from collage_studio.formats.text import file_name

__all__ = [
    "EXPORT_FORMATS",
    "ExportFormat",
    "ExportOptions",
    "ExportReport",
    "export_document",
    "export_layer",
    "export_layers",
]


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A line of the export sheet: what the format is called and what a file of it holds."""

    suffix: str
    label: str
    holds: tuple[str, ...]


_FLAT = ("The flat picture at full size", "Recipe, caption and sRGB profile")
_LAYERED = (
    "Every layer with its name, mask, opacity and blend mode",
    "Groups, clipped, hidden and locked layers",
    "Harmonised layers and the accepted picture as groups of their own",
    "The whole document: opening it here gives everything back",
)
EXPORT_FORMATS = (
    ExportFormat(".psd", "Photoshop", _LAYERED),
    ExportFormat(".psb", "Photoshop, large", _LAYERED),
    ExportFormat(".png", "PNG", _FLAT),
    ExportFormat(".tif", "TIFF", _FLAT),
    ExportFormat(".webp", "WebP", _FLAT),
    ExportFormat(".jpg", "JPEG", ("The flat picture on a plain background", _FLAT[1])),
    *([ExportFormat(".avif", "AVIF", _FLAT)] if can_write_avif() else []),
    ExportFormat(".gif", "GIF", ("Before and after in turns, at most 1024 px",)),
    ExportFormat(
        ".ora",
        "OpenRaster",
        (
            "Every layer with its name, place, opacity and blend mode",
            "Masks worked into the layers",
            "The accepted picture as the top layer",
            "Recipe and sRGB profile",
        ),
    ),
    ExportFormat(
        ".collage",
        "Collage Studio",
        ("Everything: layers, texts, noise, variations and recipes",),
    ),
)
_ALIASES = {".jpeg": ".jpg", ".tiff": ".tif"}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written; `checked` = it was read back and is what it should be.

    `losses` are sentences about what the format cannot keep.
    """

    path: Path
    bytes: int
    checked: bool
    files: int = 1
    losses: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """For the status: "Exported Lakeside camp.psd, 14 MB, checked."."""
        checked = ", checked" if self.checked else ""
        what = self.path.name if self.files == 1 else f"{self.files} layers to {self.path.name}"
        done = f"Exported {what}, {size_text(self.bytes)}{checked}."
        return " ".join((done, *self.losses))


def export_document(
    document: Document, path: Path, options: ExportOptions | None = None
) -> ExportReport:
    """Write `document` in the format of the suffix; nothing is replaced before it is verified.

    Raises:
        FormatError: the folder cannot be written to, the disk is full, the suffix is not known,
            or what was read back differs.
    """
    options = options or ExportOptions()
    suffix = path.suffix.lower()
    suffix = _ALIASES.get(suffix, suffix)
    if suffix != ".collage":
        document = _sized(document, options.factor)
    if options.each_layer:
        return export_layers(document, path)
    if suffix not in _WRITERS:
        known = ", ".join(item.suffix for item in EXPORT_FORMATS)
        raise FormatError(f"{path.name} has no ending that can be exported. Use one of {known}.")
    write, check = _WRITERS[suffix]
    if suffix == ".webp" and options.before_after:
        write, check = _write_animation, check_animation
    with replacing(path) as file:
        write(document, file, options)
        file.flush()
        check(document, Path(file.name), options)
    losses = export_losses(document, suffix, options)
    return ExportReport(path, path.stat().st_size, checked=True, losses=losses)


def _sized(document: Document, factor: int) -> Document:
    size = document.size
    if factor > 1:
        check_picture_size("The export", size.width * factor, size.height * factor)
    return enlarged(document, factor)


def export_layers(document: Document, folder: Path, layer_ids: Sequence[str] = ()) -> ExportReport:
    """Write layers as transparent PNG files, named after them, into `folder`.

    Args:
        layer_ids: which; all that show something on the canvas if empty.

    Raises:
        FormatError: a file could not be written, or a layer shows nothing.
    """
    wanted = tuple(layer_ids) or tuple(layer.id for layer in exportable_layers(document))
    if not wanted:
        raise FormatError("No layer shows anything on the canvas. Show one first.")
    written, used = 0, set[str]()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(f"The folder {folder} cannot be made. Choose another place.") from error
    for layer_id in wanted:
        layer = document.find(layer_id)
        path = folder / _unused(file_name(layer.name if layer else ""), used)
        written += _write_layer(document, layer_id, path)
    place = folder if len(wanted) > 1 else folder / min(used)
    return ExportReport(place, written, checked=True, files=len(wanted))


def export_layer(document: Document, path: Path, layer_id: str) -> ExportReport:
    """Write one layer as a transparent PNG.

    Raises:
        FormatError: it could not be written, or shows nothing on the canvas.
    """
    return ExportReport(path, _write_layer(document, layer_id, path), checked=True)


def _write_layer(document: Document, layer_id: str, path: Path) -> int:
    data = layer_png(document, layer_id)
    with replacing(path) as file:
        file.write(data)
        file.flush()
        if not np.array_equal(decode_png(Path(file.name).read_bytes()), decode_png(data)):
            raise differs()
    return len(data)


def _unused(stem: str, used: set[str]) -> str:
    name, number = f"{stem}.png", 2
    while name.casefold() in {other.casefold() for other in used}:
        name, number = f"{stem} {number}.png", number + 1
    used.add(name)
    return name


def _write_png(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    file.write(png_bytes(document, options.depth, recipe=options.recipe))


def _write_tiff(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    file.write(write_tiff(document, options.depth, recipe=options.recipe))


def _write_webp(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    file.write(write_webp(document, recipe=options.recipe))


def _write_jpeg(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    file.write(write_jpeg(document, options.background, recipe=options.recipe))


def _write_avif(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    file.write(write_avif(document, recipe=options.recipe))


def _write_animation(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    file.write(write_before_after(document, "WEBP"))


def _write_gif(document: Document, file: IO[bytes], _options: ExportOptions) -> None:
    file.write(write_before_after(document, "GIF"))


def _write_psd(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    from collage_studio.formats.psd import write_psd_to  # psd-tools is slow to import

    write_psd_to(document, file, psd_options(options))


def _write_psb(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    from collage_studio.formats.psd import write_psd_to

    write_psd_to(document, file, psd_options(options, big=True))


def _write_ora(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    write_ora_to(document, file, recipe=options.recipe)


def _write_collage(document: Document, file: IO[bytes], _options: ExportOptions) -> None:
    write_collage_to(document, file)


_Write = Callable[[Document, IO[bytes], ExportOptions], None]
_Check = Callable[[Document, Path, ExportOptions], None]
_WRITERS: dict[str, tuple[_Write, _Check]] = {
    ".psd": (_write_psd, check_psd),
    ".psb": (_write_psb, check_psd),
    ".png": (_write_png, check_png),
    ".tif": (_write_tiff, check_tiff),
    ".webp": (_write_webp, check_webp),
    ".jpg": (_write_jpeg, check_jpeg),
    ".avif": (_write_avif, check_avif),
    ".gif": (_write_gif, check_animation),
    ".ora": (_write_ora, check_ora),
    ".collage": (_write_collage, check_collage),
}
