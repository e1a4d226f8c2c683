"""What a kind of file cannot keep of a document, as sentences for the person who exports it."""

from __future__ import annotations

from collage_studio.document.model import Document
from collage_studio.formats.export_options import ExportOptions
from collage_studio.formats.picture import accepted_raster
from collage_studio.formats.psd_losses import listed

_LAYERED = (".psd", ".psb", ".ora")


def export_losses(
    document: Document, suffix: str, options: ExportOptions | None = None
) -> tuple[str, ...]:
    """What is lost of the layers of a layered file; nothing for flat pictures, which have none.

    Args:
        suffix: the kind of file: .psd, .psb, .ora, .collage or a flat picture.
    """
    options = options or ExportOptions()
    if suffix not in _LAYERED or options.each_layer or _holds_all(document, suffix, options):
        return ()
    painted = [layer.name or "a layer" for layer in document.walk() if layer.noise_paint]
    return (f"Painted noise stays in the .collage only: {listed(painted)}.",) if painted else ()


def _holds_all(document: Document, suffix: str, options: ExportOptions) -> bool:
    """A PSD with recipe and original cutouts has the whole document inside."""
    has_own = options.originals or accepted_raster(document) is None
    return suffix != ".ora" and options.recipe and has_own
