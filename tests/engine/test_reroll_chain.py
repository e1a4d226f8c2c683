"""Re-rolling layer after layer: what is kept stays as it is, and nothing is encoded twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from collage_studio.document.edits import accept_variation, add_variations
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Caption, Document, LayerRef, NextState, Raster, Variation
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import HarmoniseRequest, Produced, Request, RerollRequest
from collage_studio.engine.runner import Engine
from tests.engine.scenes import cat_and_dog, cutout


def three_layers(folder) -> Document:
    """A cat and a dog to be made anew, and a bird that is kept."""
    settings = RunSettings(model=str(folder), steps=3, softness=2.0)
    document = cat_and_dog(settings, width=160, height=96)
    bird = cutout("bird", (56, 60, 40, 28), "bird", 0.7, state=NextState.KEEP)
    caption = Caption((LayerRef("cat"), LayerRef("dogdog"), LayerRef("bird")))
    return replace(document, layers=(*document.layers, bird), caption=caption)


def produced(engine: Engine, request: Request) -> Produced:
    return next(e for e in engine.run(request, lambda: False) if isinstance(e, Produced))


def accepted(document: Document, event: Produced) -> Document:
    variation = Variation(
        f"v{event.seed}", 1, Raster.from_rgb(event.picture), event.recipe, event.box
    )
    return accept_variation(add_variations(document, [variation]), variation.id)


def counted(engine: Engine, document: Document) -> list[int]:
    """A list that gets an entry whenever the model encodes a picture."""
    calls: list[int] = []
    family = engine.family(document.settings.model)
    family.vae.encoder.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def test_ten_rerolls_of_others_leave_a_kept_layer_identical(kl_folder):
    engine, document = Engine("cpu"), three_layers(kl_folder)
    kept = visible_masks(document)["bird"] == 1.0
    assert kept.sum() > 500
    start = HarmoniseRequest(document, (99,), document.settings)
    document = accepted(document, produced(engine, start))
    first = document.accepted.picture.pixels
    assert np.array_equal(first[kept][..., :3], _composite(document)[kept])
    for seed in range(10):
        layer_id = ("cat", "dogdog")[seed % 2]
        before = document.accepted.picture.pixels
        wish = RerollRequest(document, (layer_id,), (seed,), document.settings)
        document = accepted(document, produced(engine, wish))
        assert not np.array_equal(before, document.accepted.picture.pixels)
    assert np.array_equal(document.accepted.picture.pixels[kept], first[kept])


def test_more_seeds_of_an_accepted_picture_encode_nothing_again(kl_folder):
    engine, document = Engine("cpu"), three_layers(kl_folder)
    start = HarmoniseRequest(document, (99,), document.settings)
    document = accepted(document, produced(engine, start))
    calls = counted(engine, document)
    for layer_id in ("cat", "dogdog"):
        produced(engine, RerollRequest(document, (layer_id,), (1,), document.settings))
    once = len(calls)
    assert once in (1, 2)
    for seed in (2, 3, 4):
        for layer_id in ("cat", "dogdog"):
            produced(engine, RerollRequest(document, (layer_id,), (seed,), document.settings))
    assert len(calls) == once


def test_an_encoded_picture_is_not_used_for_other_pixels(kl_folder):
    engine, document = Engine("cpu"), three_layers(kl_folder)
    calls = counted(engine, document)
    first = produced(engine, HarmoniseRequest(document, (1,), document.settings))
    moved = replace(document, layers=document.layers[1:])
    second = produced(engine, HarmoniseRequest(moved, (1,), document.settings))
    assert len(calls) >= 2
    assert not np.array_equal(first.picture, second.picture)
    assert not torch.is_inference_mode_enabled()


def _composite(document: Document) -> np.ndarray:
    from collage_studio.document.compositing import composite_picture

    return composite_picture(replace(document, accepted=None))[..., :3]
