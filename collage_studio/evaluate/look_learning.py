"""Learns the unusual looks of the ladder, all in one batch, and keeps them in a folder."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.looks import BadLook, Look
from collage_studio.document.model import Document, Layer, Raster
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import Learned, LearnProgress, LearnRequest, LearnSettings
from collage_studio.evaluate.collages import unusual_names
from collage_studio.evaluate.ladder import Looks, Runner
from collage_studio.evaluate.records import fingerprint
from collage_studio.starter.stickers import load_sticker
from collage_studio.starter.world import object_kind

log = logging.getLogger(__name__)

CELL_PX = 140


def unusual_sheet() -> Document:
    """All unusual stickers side by side, each a layer "look-N" with its object's words."""
    names = unusual_names()
    columns = math.ceil(math.sqrt(len(names)))
    rows = math.ceil(len(names) / columns)
    layers = [
        Layer(
            f"look-{look}",
            name.capitalize(),
            raster=Raster(load_sticker(name, look)),
            placement=Affine.translation(
                CELL_PX * ((look - 1) % columns), CELL_PX * ((look - 1) // columns)
            ),
            text=object_kind(name).phrase,
        )
        for look, name in enumerate(names, 1)
    ]
    return Document(Size(CELL_PX * columns, CELL_PX * rows), tuple(layers))


def looks_of(
    folder: Path,
    engine: Callable[[], Runner],
    settings: RunSettings,
    learning: LearnSettings,
    model: str,
    report: Callable[[int, int], None] = lambda step, steps: None,
) -> Looks:
    """The looks in `folder`, learned first where one is missing.

    Args:
        engine: makes the engine; called only if something has to be learned.
        model: fingerprint of the model: looks of another one are not used.
        report: called with the step and the number of steps.
    """
    document = unusual_sheet()
    files = {
        look: folder / f"{look}-{fingerprint(model, learning, layer.picture_key, layer.text)}"
        for look, layer in enumerate(document.layers, 1)
    }
    files = {look: path.with_suffix(".safetensors") for look, path in files.items()}
    known = {look: found for look, path in files.items() if (found := _read(path)) is not None}
    if len(known) == len(files):
        return known
    ids = {f"look-{look}": look for look in files}
    for event in engine().run(
        LearnRequest(document, tuple(ids), settings, learning), lambda: False
    ):
        match event:
            case Learned(layer_id=layer_id, look=look):
                known[ids[layer_id]] = look
            case LearnProgress(step=step, steps=steps):
                report(step, steps)
            case _:
                pass
    folder.mkdir(parents=True, exist_ok=True)
    for look, path in files.items():
        path.write_bytes(known[look].data)
    return known


def _read(path: Path) -> Look | None:
    try:
        return Look(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, BadLook) as error:
        log.info("%s is learned anew: %s", path, error)
        return None
