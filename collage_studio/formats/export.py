"""Exporting a document by the suffix of the file: written atomically, read back and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from collage_studio.document.model import Document
from collage_studio.formats.atomic import replacing
from collage_studio.formats.collage_file import load_collage, write_collage_to
from collage_studio.formats.errors import FormatError, size_text
from collage_studio.formats.openraster import write_ora_to
from collage_studio.formats.openraster_reading import read_merged, read_ora
from collage_studio.formats.picture import count_layers, final_picture
from collage_studio.formats.png import png_bytes, read_recipe


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A line of the export sheet: what the format is called and what a file of it holds."""

    suffix: str
    label: str
    holds: tuple[str, ...]


EXPORT_FORMATS = (
    ExportFormat(
        ".psd",
        "Photoshop",
        (
            "Every layer with its name, mask, opacity and blend mode",
            "Groups, hidden and locked layers",
            "The accepted picture as the top layer",
            "Recipe, caption and sRGB profile",
        ),
    ),
    ExportFormat(
        ".png",
        "PNG",
        ("The flat picture at full size", "Recipe, caption and sRGB profile"),
    ),
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


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written; `checked` = it was read back and is what it should be."""

    path: Path
    bytes: int
    checked: bool

    @property
    def sentence(self) -> str:
        """For the status: "Exported Lakeside camp.psd, 14 MB, checked."."""
        checked = ", checked" if self.checked else ""
        return f"Exported {self.path.name}, {size_text(self.bytes)}{checked}."


def export_document(document: Document, path: Path) -> ExportReport:
    """Write `document` in the format of the suffix; nothing is replaced before it is verified.

    Raises:
        FormatError: the folder cannot be written to, the disk is full, the suffix is not known,
            or what was read back differs.
    """
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        known = ", ".join(item.suffix for item in EXPORT_FORMATS)
        raise FormatError(f"{path.name} has no ending that can be exported. Use one of {known}.")
    write, check = _WRITERS[suffix]
    with replacing(path) as file:
        write(document, file)
        file.flush()
        check(document, Path(file.name))
    return ExportReport(path, path.stat().st_size, checked=True)


def _write_png(document: Document, file: IO[bytes]) -> None:
    file.write(png_bytes(document))


def _check_png(document: Document, path: Path) -> None:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    _compare(pixels, final_picture(document))
    read_recipe(path)


def _check_ora(document: Document, path: Path) -> None:
    opened = read_ora(path)
    if opened.notices or sum(1 for _ in opened.document.walk()) != count_layers(document):
        raise _differs()
    _compare(read_merged(path), final_picture(document))


def _write_psd(document: Document, file: IO[bytes]) -> None:
    from collage_studio.formats.psd import write_psd_to  # psd-tools is slow to import

    write_psd_to(document, file)


def _check_psd(document: Document, path: Path) -> None:
    from psd_tools import PSDImage

    psd = PSDImage.open(path)
    if sum(1 for _ in psd.descendants()) != count_layers(document):
        raise _differs()
    picture = psd.topil()
    if picture is None:
        raise _differs()
    _compare(np.asarray(picture.convert("RGBA")), final_picture(document))


def _check_collage(document: Document, path: Path) -> None:
    if load_collage(path).document != document:
        raise _differs()


def _compare(read: npt.NDArray[Any], expected: npt.NDArray[np.uint8]) -> None:
    """Where something shows, colours must be equal up to the rounding of matting."""
    if read.shape != expected.shape or not np.array_equal(read[..., 3], expected[..., 3]):
        raise _differs()
    opaque = expected[..., 3] == 255
    if not np.array_equal(read[opaque], expected[opaque]):
        raise _differs()


def _differs() -> FormatError:
    return FormatError("Could not export: what was written does not match. Nothing was replaced.")


_Write = Callable[[Document, IO[bytes]], None]
_Check = Callable[[Document, Path], None]
_WRITERS: dict[str, tuple[_Write, _Check]] = {
    ".psd": (_write_psd, _check_psd),
    ".png": (_write_png, _check_png),
    ".ora": (write_ora_to, _check_ora),
    ".collage": (write_collage_to, _check_collage),
}
