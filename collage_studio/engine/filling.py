"""Fills behind: one run for each layer that something hides, from the back to the front.

Each run is an ordinary one at strong noise over a masked part, begun with what lies around it; a
layer is painted over what was painted behind it before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from collage_studio.document.harmonised import GROUND
from collage_studio.document.model import Document
from collage_studio.engine.api import (
    BadRequest,
    Cancelled,
    Event,
    Filled,
    FillRequest,
    Finished,
    Produced,
    RerollRequest,
    Started,
    Stepped,
)
from collage_studio.writeback.filling import filled, needs_run, run_of
from collage_studio.writeback.hidden import gaps_of
from collage_studio.writeback.settling import with_filling

NOTHING_MISSING = (
    "Nothing is missing there: what these layers hide has pixels of its own in the right light."
)


def fill(run: Callable[[RerollRequest], Iterator[Event]], request: FillRequest) -> Iterator[Event]:
    """Paint the gaps of `request.document`; every `Filled` layer is complete.

    Args:
        run: performs one run and yields its events.

    Raises:
        BadRequest: nothing is hidden, or what is hidden has its own pixels.
    """
    document = request.document
    ids = [gap.layer_id for gap in gaps_of(document, request.layer_ids) if needs_run(gap)]
    if not ids:
        raise BadRequest(NOTHING_MISSING)
    steps = request.settings.steps
    yield Started((), len(ids) * steps)
    for place, layer_id in enumerate(ids):
        # What was painted behind is seen by the next one.
        gap = next(one for one in gaps_of(document, request.layer_ids) if one.layer_id == layer_id)
        for event in run(run_of(document, gap, request.seed, request.settings)):
            match event:
                case Stepped(step=step, steps=of):
                    done = place * steps + round(step / of * steps)
                    yield Stepped((), done, len(ids) * steps)
                case Produced(picture=picture):
                    for found in filled(document, gap, picture):
                        before = _key_of(document, found.layer_id)
                        document = with_filling(document, found)
                        pixels = found.raster.pixels.astype("uint8", copy=False)
                        yield Filled(found.layer_id, pixels, found.placement, before)
                case Cancelled():
                    yield event
                    return
                case _:
                    pass
    yield Finished()


def _key_of(document: Document, layer_id: str) -> str:
    """Key of the pixels that the harmonised stack has of a layer; empty if there are none."""
    if layer_id == GROUND:
        rasters = [layer.raster for layer in document.beside if layer.id == GROUND]
    else:
        rasters = [layer.harmonised for layer in document.walk() if layer.id == layer_id]
    return next((raster.key for raster in rasters if raster is not None), "")
