"""What may be dropped or pasted on the canvas: picture files and bare pictures."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".psd", ".ora", ".collage"}
)


def files_in(data: QMimeData) -> list[Path]:
    """Local files with a suffix that can be added."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return [path for path in paths if path.suffix.lower() in SUFFIXES]


def drop_words(count: int) -> str:
    """ "Add 3 pictures"."""
    return "Add 1 picture" if count == 1 else f"Add {count} pictures"
