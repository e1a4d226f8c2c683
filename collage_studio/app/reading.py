"""Opens whatever file may hold a collage: a .collage, an OpenRaster file or a plain picture."""

from __future__ import annotations

from pathlib import Path

from collage_studio.app.adding import Incoming, add_pictures
from collage_studio.document.model import Document
from collage_studio.formats.collage_file import load_collage
from collage_studio.formats.images import load_image
from collage_studio.formats.opened import Opened
from collage_studio.formats.openraster_reading import read_ora

COLLAGE_SUFFIX = ".collage"
ORA_SUFFIX = ".ora"
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")


def read_any(path: Path) -> Opened:
    """The document in `path`, with notices for the user.

    Raises:
        FormatError: one sentence that says what is wrong and what to do.
    """
    suffix = path.suffix.lower()
    if suffix == COLLAGE_SUFFIX:
        return load_collage(path)
    if suffix == ORA_SUFFIX:
        return read_ora(path)
    return Opened(from_picture(path))


def from_picture(path: Path) -> Document:
    """A new document of the picture's size with the picture as its one layer."""
    raster = load_image(path)
    document, _ = add_pictures(Document(raster.size), [Incoming(raster, path.stem)])
    return document
