"""Exporting a document by the suffix of the file: written atomically, read back and compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from collage_studio.document.enlarging import enlarged
from collage_studio.document.model import Document
from collage_studio.formats.atomic import replacing
from collage_studio.formats.collage_file import load_collage, write_collage_to
from collage_studio.formats.errors import FormatError, size_text
from collage_studio.formats.flat import (
    WHITE,
    Colour,
    can_write_avif,
    exportable_layers,
    layer_png,
    over_colour,
    write_avif,
    write_before_after,
    write_jpeg,
    write_tiff,
    write_webp,
)
from collage_studio.formats.limits import check_picture_size
from collage_studio.formats.openraster import write_ora_to
from collage_studio.formats.openraster_reading import read_merged, read_ora
from collage_studio.formats.picture import (
    accepted_pixels,
    count_layers,
    final_deep_picture,
    final_picture,
)
from collage_studio.formats.pixels_png import decode_png
from collage_studio.formats.png import png_bytes, read_recipe
from collage_studio.formats.text import file_name

_LOSSY_MEAN = 6.0
"""Mean difference, of 255, that a lossy format may make."""


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A line of the export sheet: what the format is called and what a file of it holds."""

    suffix: str
    label: str
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How a document is exported.

    Args:
        depth: 8 or 16 bits per channel in PSD, PNG and TIFF; 0 = as deep as the sources.
        background: what lies behind transparent parts in JPEG.
        before_after: of a .webp: the collage and the accepted picture in turns.
        each_layer: the path is a folder for transparent PNGs of all layers.
        factor: how many times the canvas's size; a .collage keeps its own.
    """

    depth: int = 0
    background: Colour = WHITE
    before_after: bool = False
    each_layer: bool = False
    factor: int = 1


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
    """What was written; `checked` = it was read back and is what it should be."""

    path: Path
    bytes: int
    checked: bool
    files: int = 1

    @property
    def sentence(self) -> str:
        """For the status: "Exported Lakeside camp.psd, 14 MB, checked."."""
        checked = ", checked" if self.checked else ""
        what = self.path.name if self.files == 1 else f"{self.files} layers to {self.path.name}"
        return f"Exported {what}, {size_text(self.bytes)}{checked}."


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
        write, check = _write_animation, _check_animation
    with replacing(path) as file:
        write(document, file, options)
        file.flush()
        check(document, Path(file.name), options)
    return ExportReport(path, path.stat().st_size, checked=True)


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
            raise _differs()
    return len(data)


def _unused(stem: str, used: set[str]) -> str:
    name, number = f"{stem}.png", 2
    while name.casefold() in {other.casefold() for other in used}:
        name, number = f"{stem} {number}.png", number + 1
    used.add(name)
    return name


def _write_png(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    file.write(png_bytes(document, options.depth))


def _check_png(document: Document, path: Path, _options: ExportOptions) -> None:
    _compare(_rgba(decode_png(path.read_bytes())), document)
    read_recipe(path)


def _write_tiff(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    file.write(write_tiff(document, options.depth))


def _check_tiff(document: Document, path: Path, _options: ExportOptions) -> None:
    pixels: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise _differs()
    swap = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    _compare(_rgba(np.asarray(cv2.cvtColor(pixels, swap))), document)


def _write_webp(document: Document, file: IO[bytes], _options: ExportOptions) -> None:
    file.write(write_webp(document))


def _check_webp(document: Document, path: Path, _options: ExportOptions) -> None:
    with Image.open(path) as picture:
        _compare(np.asarray(picture.convert("RGBA")), document)


def _write_jpeg(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    file.write(write_jpeg(document, options.background))


def _check_jpeg(document: Document, path: Path, options: ExportOptions) -> None:
    _compare_lossy(path, over_colour(final_picture(document), options.background), "RGB")


def _write_avif(document: Document, file: IO[bytes], _options: ExportOptions) -> None:
    file.write(write_avif(document))


def _check_avif(document: Document, path: Path, _options: ExportOptions) -> None:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    expected = final_picture(document)
    if pixels.shape != expected.shape:
        raise _differs()
    shown, wanted = (over_colour(one, WHITE).astype(int) for one in (pixels, expected))
    if np.abs(shown - wanted).mean() > _LOSSY_MEAN:
        raise _differs()


def _write_animation(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    file.write(write_before_after(document, "WEBP"))


def _write_gif(document: Document, file: IO[bytes], _options: ExportOptions) -> None:
    file.write(write_before_after(document, "GIF"))


def _check_animation(document: Document, path: Path, _options: ExportOptions) -> None:
    after = accepted_pixels(document)
    with Image.open(path) as picture:
        frames = getattr(picture, "n_frames", 1)
    is_still = after is not None and np.array_equal(after, final_picture(document)) and frames == 1
    if frames != 2 and not is_still:
        raise _differs()


def _check_ora(document: Document, path: Path, _options: ExportOptions) -> None:
    opened = read_ora(path)
    if opened.notices or sum(1 for _ in opened.document.walk()) != count_layers(document):
        raise _differs()
    _compare(read_merged(path), document)


def _write_psd(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    from collage_studio.formats.psd import PsdOptions, write_psd_to  # psd-tools is slow to import

    write_psd_to(document, file, PsdOptions(options.depth))


def _write_psb(document: Document, file: IO[bytes], options: ExportOptions) -> None:
    from collage_studio.formats.psd import PsdOptions, write_psd_to

    write_psd_to(document, file, PsdOptions(options.depth, big=True))


def _check_psd(document: Document, path: Path, _options: ExportOptions) -> None:
    """The layers by psd-tools' count, and our own document out of it."""
    from psd_tools import PSDImage

    from collage_studio.formats.psd import count_psd_layers
    from collage_studio.formats.psd_reading import read_psd, stored_picture

    if sum(1 for _ in PSDImage.open(path).descendants()) != count_psd_layers(document):
        raise _differs()
    if read_psd(path).document != document:
        raise _differs()
    _compare(stored_picture(path), document)


def _check_collage(document: Document, path: Path, _options: ExportOptions) -> None:
    if load_collage(path).document != document:
        raise _differs()


def _rgba(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.shape[2] == 4:
        return pixels
    top = np.iinfo(pixels.dtype).max
    return np.dstack([pixels, np.full(pixels.shape[:2], top, pixels.dtype)])


def _compare(read: npt.NDArray[Any], document: Document) -> None:
    """Where something shows, colours must be equal up to the rounding of matting."""
    deep = read.dtype == np.uint16
    expected: npt.NDArray[Any] = final_deep_picture(document) if deep else final_picture(document)
    if read.shape != expected.shape or not np.array_equal(read[..., 3], expected[..., 3]):
        raise _differs()
    opaque = expected[..., 3] == np.iinfo(expected.dtype).max
    if not np.array_equal(read[opaque], expected[opaque]):
        raise _differs()


def _compare_lossy(path: Path, expected: npt.NDArray[np.uint8], mode: str) -> None:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert(mode))
    if pixels.shape != expected.shape:
        raise _differs()
    if np.abs(pixels.astype(int) - expected).mean() > _LOSSY_MEAN:
        raise _differs()


def _differs() -> FormatError:
    return FormatError("Could not export: what was written does not match. Nothing was replaced.")


def _plain(write: Callable[[Document, IO[bytes]], None]) -> _Write:
    return lambda document, file, _options: write(document, file)


_Write = Callable[[Document, IO[bytes], ExportOptions], None]
_Check = Callable[[Document, Path, ExportOptions], None]
_WRITERS: dict[str, tuple[_Write, _Check]] = {
    ".psd": (_write_psd, _check_psd),
    ".psb": (_write_psb, _check_psd),
    ".png": (_write_png, _check_png),
    ".tif": (_write_tiff, _check_tiff),
    ".webp": (_write_webp, _check_webp),
    ".jpg": (_write_jpeg, _check_jpeg),
    ".avif": (_write_avif, _check_avif),
    ".gif": (_write_gif, _check_animation),
    ".ora": (_plain(write_ora_to), _check_ora),
    ".collage": (_plain(write_collage_to), _check_collage),
}
