"""Captures what a run needs from a document: the same for window and command line."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from collage_studio.app.settings import Preferences
from collage_studio.document.method_settings import NAMES
from collage_studio.document.model import Document, LayerKind, Raster, Variation, new_id
from collage_studio.document.noise_map import run_layers
from collage_studio.document.recipe import Recipe, RunSettings, Start
from collage_studio.engine.api import (
    FetchRequest,
    FillRequest,
    HarmoniseRequest,
    LearnRequest,
    Picture,
    PictureRequest,
    Produced,
    Request,
    RerollRequest,
)

SEED_LIMIT = 1_000_000
_SMALLER = 0.75
_RESOLUTION_GRID = 64


def has_something_to_run(document: Document) -> bool:
    """Whether a picture or fill is visible; an empty canvas cannot be harmonised."""
    return any(layer.visible and layer.kind is not LayerKind.GROUP for layer in document.walk())


def harmonise_request(
    document: Document, seeds: Sequence[int], settings: RunSettings | None = None
) -> PictureRequest:
    """What Harmonise does: all layers, or only those marked for re-roll."""
    marked = run_layers(document)
    if marked:
        return reroll_request(document, marked, seeds, settings=settings)
    return HarmoniseRequest(lean(document), tuple(seeds), settings or document.settings)


def reroll_request(
    document: Document,
    layer_ids: Sequence[str],
    seeds: Sequence[int],
    *,
    start: Start = Start.CURRENT,
    settings: RunSettings | None = None,
) -> RerollRequest:
    """New pixels for `layer_ids`; everything else stays identical."""
    chosen = settings or document.settings
    return RerollRequest(lean(document), tuple(layer_ids), tuple(seeds), chosen, start)


def new_seeds(preferences: Preferences, taken: Sequence[int] = ()) -> tuple[int, ...]:
    """Seeds for the next run: as many as there are variations, none of `taken`."""
    if preferences.seeds == "fixed":
        first = max((preferences.first_seed, *(seed + 1 for seed in taken)))
        return tuple(range(first, first + preferences.variations))
    seeds = list[int]()
    while len(seeds) < preferences.variations:
        seed = secrets.randbelow(SEED_LIMIT)
        if seed not in taken and seed not in seeds:
            seeds.append(seed)
    return tuple(seeds)


def smaller(settings: RunSettings, document: Document) -> RunSettings:
    """The same settings at three quarters of the working size, on the engine's grid of 64 px."""
    now = settings.resolution or min(document.size.width, document.size.height)
    target = int(now * _SMALLER) // _RESOLUTION_GRID * _RESOLUTION_GRID
    return replace(settings, resolution=max(_RESOLUTION_GRID, target))


def measured_by(request: Request, encoder: str) -> Request:
    """The request with the image encoder that compares identities; empty = none."""
    if not isinstance(request, PictureRequest):
        return request
    extras = replace(request.settings.extras, identity_model=encoder)
    return replace(request, settings=replace(request.settings, extras=extras))


def title_of(request: Request) -> str:
    """What the queue calls this run."""
    if isinstance(request, FetchRequest):
        return f"Fetch {request.model}"
    if isinstance(request, LearnRequest):
        return _learn_title(request)
    if isinstance(request, FillRequest):
        return _fill_title(request)
    if isinstance(request, HarmoniseRequest):
        method = request.settings.method
        is_usual = method == request.document.settings.method
        return "Harmonise" if is_usual else f"Harmonise, {NAMES.get(method, method)}"
    if request.taken:
        return "Join variations"
    if request.also is not None:
        return "Harmonise what changed"
    if len(request.layer_ids) != 1:
        return f"Re-roll {len(request.layer_ids)} layers"
    layer = request.document.find(request.layer_ids[0])
    return f"Re-roll {layer.name}" if layer else "Re-roll"


def _learn_title(request: LearnRequest) -> str:
    if len(request.layer_ids) != 1:
        return f"Learn {len(request.layer_ids)} looks"
    layer = request.document.find(request.layer_ids[0])
    return f"Learn look of {layer.name}" if layer else "Learn look"


def _fill_title(request: FillRequest) -> str:
    if len(request.layer_ids) != 1:
        count = len(request.layer_ids)
        return f"Fill behind {count} layers" if count else "Fill behind everything"
    layer = request.document.find(request.layer_ids[0])
    return f"Fill behind {layer.name}" if layer else "Fill behind"


def next_run(document: Document, others: Iterable[int] = ()) -> int:
    """Number of a new run: above all in the document and all of `others`."""
    kept = [variation.run for variation in document.variations]
    accepted = [document.accepted.run] if document.accepted else []
    return max([0, *kept, *accepted, *others]) + 1


def variation_of(event: Produced, run: int, request: PictureRequest) -> Variation:
    """The variation that a finished picture of `request` becomes."""
    recipe = replace(event.recipe, layers=_shown_layers(event.recipe, request))
    return Variation(new_id(), run, Raster(_opaque(event.picture)), recipe, event.box)


def _shown_layers(recipe: Recipe, request: PictureRequest) -> tuple[Mapping[str, Any], ...]:
    """The recipe's layers as the picture shows them.

    A re-roll leaves all others as the accepted picture has them, wherever they lie by now.
    """
    document = request.document
    if not isinstance(request, RerollRequest) or document.accepted is None:
        return recipe.layers
    named = (layer for i in request.layer_ids if (layer := document.find(i)) is not None)
    rolled = {part.id for layer in named for part in layer.walk()}
    before = {entry.get("id"): entry for entry in document.accepted.recipe.layers}
    return tuple(
        entry if entry.get("id") in rolled else before[entry.get("id")]
        for entry in recipe.layers
        if entry.get("id") in rolled or entry.get("id") in before
    )


def _opaque(picture: Picture) -> Picture:
    """(H, W, 3 or 4) uint8 as (H, W, 4) that nobody can change, without copying it twice."""
    if picture.shape[2] == 4:
        return picture
    opaque = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA), np.uint8)
    opaque.setflags(write=False)
    return opaque


def lean(document: Document) -> Document:
    """The document without variations nobody accepted: a run does not read them."""
    return replace(document, variations=()) if document.variations else document
