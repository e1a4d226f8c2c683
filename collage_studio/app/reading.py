"""Opens whatever file may hold a collage: a .collage, an OpenRaster or Photoshop file, a picture.

What reads formats other than our own is imported when it is needed: the window stands sooner.
"""

from __future__ import annotations

from pathlib import Path

from collage_studio.app.adding import Incoming, add_pictures
from collage_studio.document.model import Document
from collage_studio.formats.collage_file import load_collage
from collage_studio.formats.opened import Opened

COLLAGE_SUFFIX = ".collage"
ORA_SUFFIX = ".ora"
PSD_SUFFIXES = (".psd", ".psb")
OPENABLE = (COLLAGE_SUFFIX, ORA_SUFFIX, *PSD_SUFFIXES)
"""What opens as a document of its own; pictures may become layers instead."""
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
        from collage_studio.formats.openraster_reading import read_ora

        return read_ora(path)
    if suffix in PSD_SUFFIXES:
        from collage_studio.formats.psd_reading import read_psd

        return read_psd(path)
    return Opened(from_picture(path))


def from_picture(path: Path) -> Document:
    """A new document of the picture's size with the picture as its one layer."""
    from collage_studio.formats.images import load_image

    raster = load_image(path)
    document, _ = add_pictures(Document(raster.size), [Incoming(raster, path.stem)])
    return document
