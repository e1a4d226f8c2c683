"""How a document is exported, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collage_studio.formats.flat import WHITE, Colour

if TYPE_CHECKING:
    from collage_studio.formats.psd import PsdOptions


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How a document is exported.

    Args:
        depth: 8 or 16 bits per channel in PSD, PNG and TIFF; 0 = as deep as the sources.
        background: what lies behind transparent parts in JPEG.
        before_after: of a .webp: the collage and the accepted picture in turns.
        each_layer: the path is a folder for transparent PNGs of all layers.
        factor: how many times the canvas's size; a .collage keeps its own.
        originals: in a PSD, the layers as placed lie hidden beside an accepted picture.
        recipe: texts, noise, seeds and caption go along, where a format has a place for them.
        editable_text: in a PSD, what came from text layers is text again (experimental).
    """

    depth: int = 0
    background: Colour = WHITE
    before_after: bool = False
    each_layer: bool = False
    factor: int = 1
    originals: bool = True
    recipe: bool = True
    editable_text: bool = False


def psd_options(options: ExportOptions, *, big: bool = False) -> PsdOptions:
    """What a PSD, or a PSB if `big`, is written with."""
    from collage_studio.formats.psd import PsdOptions  # psd-tools is slow to import

    return PsdOptions(
        options.depth,
        big,
        whole=options.recipe,
        recipe=options.recipe,
        originals=options.originals,
        editable_text=options.editable_text,
    )
