"""Learned looks between the document and the networks: vectors to tensors and back."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from collage_studio import __version__
from collage_studio.document.looks import Look, LookRecipe, fits
from collage_studio.document.model import Layer
from collage_studio.engine.api import BadRequest, LearnRequest
from collage_studio.engine.families.base import Family, LearnedWords
from collage_studio.engine.looks.textual_inversion import Learnt, Lesson
from collage_studio.engine.looks.views import cutout_of
from collage_studio.engine.text_plan import LookPlace


def widths_of(family: Family) -> dict[str, int]:
    """Width of a learned word by encoder."""
    return {name: vocabulary.width for name, vocabulary in family.vocabularies.items()}


def learned_words(places: Iterable[LookPlace], device: torch.device) -> tuple[LearnedWords, ...]:
    """What `Family.read_text` puts at these places."""
    return tuple(
        LearnedWords(
            place.places,
            {
                name: torch.tensor(vectors, device=device)
                for name, vectors in place.look.vectors.items()
            },
        )
        for place in places
    )


def lessons_of(request: LearnRequest, family: Family) -> tuple[Lesson, ...]:
    """What each layer of a request gives to learn from.

    Raises:
        BadRequest: one of them cannot be learned; the sentence says why and what to do.
    """
    if not family.vocabularies:
        raise BadRequest("This model has no words that could learn a look. Choose another model.")
    layers = [
        layer
        for layer_id in dict.fromkeys(request.layer_ids)
        if (layer := request.document.find(layer_id)) is not None
    ]
    if not layers:
        raise BadRequest("The layer to learn is no longer in the collage.")
    return tuple(_lesson(layer, request, family) for layer in layers)


def _lesson(layer: Layer, request: LearnRequest, family: Family) -> Lesson:
    text = layer.text.strip()
    if layer.raster is not None and not text:
        raise BadRequest(
            f"“{layer.name}” has no text. Write in a few words what it shows, then learn its look."
        )
    cutout = cutout_of(layer)
    look = layer.look if request.goes_on else None
    if look is None or not can_go_on(look, layer, request, family):
        return Lesson(layer.id, text, cutout)
    vectors = {name: torch.tensor(look.vectors[name]) for name in family.vocabularies}
    return Lesson(layer.id, text, cutout, vectors, look.recipe.steps)


def can_go_on(look: Look, layer: Layer, request: LearnRequest, family: Family) -> bool:
    """Whether the look was learned from these pixels, with this model and as many vectors."""
    recipe = look.recipe
    return (
        recipe.picture == layer.picture_key
        and recipe.model == request.settings.model
        and look.count == request.learning.vectors
        and look.vectors.keys() == family.vocabularies.keys()
        and fits(look, widths_of(family))
    )


def look_of(learnt: Learnt, request: LearnRequest, family: Family) -> Look:
    """The look that a layer has learned so far, with its recipe."""
    layer = request.document.find(learnt.layer_id)
    if layer is None:
        raise BadRequest("The layer to learn is no longer in the collage.")
    recipe = LookRecipe(
        name=layer.name,
        text=layer.text.strip(),
        model=request.settings.model,
        family=family.name,
        picture=layer.picture_key,
        steps=learnt.steps,
        planned=learnt.planned,
        finished=learnt.is_finished,
        loss=learnt.loss,
        first_loss=learnt.first_loss,
        seed=request.learning.seed,
        app_version=__version__,
    )
    return Look.of({name: part.numpy() for name, part in learnt.vectors.items()}, recipe)
