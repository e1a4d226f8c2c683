"""Harmonise what changed, and joining variations: exact everywhere but where they may change."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from collage_studio.app.changed import changed_request, halo_px, recomposed
from collage_studio.app.matrix import SEAM_NOISE, joined, mix_request
from collage_studio.app.requests import variation_of
from collage_studio.app.stale import stale_layers
from collage_studio.app.writing_back import written_back
from collage_studio.document.edits import add_variations, remove_layers
from collage_studio.document.geometry import Affine, Rect
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, Mask, Raster, Variation
from collage_studio.document.noise_map import noise_map
from collage_studio.document.recipe import Recipe, RunSettings, Start
from collage_studio.engine.api import BadRequest, Produced, RerollRequest, describe_layers
from collage_studio.engine.runner import Engine
from tests.engine import tiny
from tests.engine.scenes import cat_and_dog, difference


def never() -> bool:
    return False


def made(document: Document, key: str, seed: int) -> Variation:
    size = document.size
    picture = Raster.from_rgb(tiny.photograph(size.width, size.height, seed=seed))
    recipe = Recipe("harmonise", seed, document.settings, "", layers=describe_layers(document))
    return Variation(key, 1, picture, recipe)


def pixels(variation: Variation) -> np.ndarray:
    return variation.picture.pixels[..., :3]


def run(request: RerollRequest) -> Produced:
    [found] = [e for e in Engine("cpu").run(request, never) if isinstance(e, Produced)]
    return found


def harmonised(folder) -> Document:
    settings = RunSettings(model=str(folder), steps=4, softness=4)
    document = cat_and_dog(settings, width=192, height=128)
    return written_back(replace(document, accepted=made(document, "v", 9)))


def moved(document: Document, by: int = 14) -> Document:
    cat = document.layers[0]
    there = Affine.translation(0, by).after(cat.placement)
    return document.with_layers(replace(cat, placement=there), *document.layers[1:])


def test_where_nothing_moved_the_recomposed_picture_is_the_accepted_one(kl_folder):
    document = harmonised(kl_folder)
    assert not recomposed(document).dirty.any()
    found = recomposed(moved(document))
    assert found.dirty.any()
    assert not found.dirty[:, 90:].any()
    same = difference(found.picture, pixels(document.accepted)) == 0
    assert same[~found.dirty].all()


def test_what_changed_is_made_anew_and_the_rest_is_equal_to_the_bit(kl_folder):
    document = moved(harmonised(kl_folder))
    request = changed_request(document, (3,))
    assert request.layer_ids == ("cat",)
    event = run(request)
    base, dirty = recomposed(document).picture, recomposed(document).dirty
    may = dirty | (noise_map(document, request.settings, only=("cat",)) > 0)
    reach = 2 * int(np.ceil(halo_px(document, request.settings))) + 1
    may = cv2.dilate(may.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    assert not may[:, 110:].any()
    changed = difference(event.picture, base) > 0
    assert changed[visible_masks(document)["cat"] > 0.5].mean() > 0.5
    hole = np.zeros_like(changed)
    hole[16:28, 12:64] = True
    assert changed[hole].any(), "The place the cat left is made anew as well."
    assert not (changed & ~may).any()
    accepted = pixels(document.accepted)
    assert (event.picture[~may] == accepted[~may]).all()


def test_the_recipe_tells_of_the_layers_and_of_what_lay_beside_them(kl_folder):
    document = moved(harmonised(kl_folder))
    request = changed_request(document, (3,))
    variation = variation_of(run(request), 2, request)
    assert variation.recipe.layer_ids == ("cat",)
    assert request.also is not None
    assert variation.recipe.also == request.also.key
    assert variation.recipe.start is Start.ORIGINAL
    assert stale_layers(document, variation) == {}
    assert stale_layers(document, document.accepted) != {}


def test_the_place_of_a_deleted_layer_is_made_anew(kl_folder):
    document = remove_layers(harmonised(kl_folder), ("dogdog",))
    request = changed_request(document, (1,))
    assert request.layer_ids == ()
    changed = difference(run(request).picture, recomposed(document).picture) > 0
    assert changed[40:60, 110:140].any()
    assert not changed[:, :70].any()


def test_a_kept_ground_keeps_its_pixels_in_the_hole(kl_folder):
    document = harmonised(kl_folder)
    document = replace(document, background=replace(document.background, noise=0.0))
    document = moved(document)
    event = run(changed_request(document, (1,)))
    found = recomposed(document)
    alone = visible_masks(document)["background"] >= 1 - 1e-4
    near_cat = noise_map(document, document.settings, only=("cat",)) > 0
    quiet = alone & ~near_cat
    assert (event.picture[quiet] == found.picture[quiet]).all()


def test_nothing_beside_layers_of_another_canvas(kl_folder):
    document = harmonised(kl_folder)
    also = Mask(np.full((10, 10), 255, np.uint8))
    with pytest.raises(BadRequest, match="new size"):
        run(RerollRequest(document, ("cat",), (1,), document.settings, also=also))


@pytest.fixture
def seeds(kl_folder) -> Document:
    settings = RunSettings(model=str(kl_folder), steps=20, softness=4)
    document = cat_and_dog(settings, width=192, height=128)
    return add_variations(document, [made(document, f"v{seed}", seed) for seed in (12, 40)])


def test_joined_pixels_are_those_of_the_variation_they_are_taken_from(seeds):
    first, second = seeds.variations
    picture = joined(seeds, {"cat": second}, first)
    cat = visible_masks(seeds)["cat"]
    assert (picture[cat == 1] == pixels(second)[cat == 1]).all()
    assert (picture[cat == 0] == pixels(first)[cat == 0]).all()


def test_joining_changes_nothing_away_from_the_seams(seeds):
    first, second = seeds.variations
    request = mix_request(seeds, {"cat": second}, first, (5,))
    event = run(request)
    assert request.also is not None
    seam = request.also.values > 0
    assert request.also.values.max() <= round(SEAM_NOISE * 255)
    changed = difference(event.picture, joined(seeds, {"cat": second}, first)) > 0
    assert changed.any()
    assert not (changed & ~seam).any()
    inner = Rect(8, 16, 72, 80).grown(-14).slices
    assert (event.picture[inner] == pixels(second)[inner]).all()


def test_a_joined_picture_is_a_variation_that_names_its_seeds(seeds):
    first, second = seeds.variations
    request = mix_request(seeds, {"cat": second}, first, (5,))
    variation = variation_of(run(request), 3, request)
    recipe = variation.recipe
    assert (recipe.kind, recipe.seed) == ("mix", 5)
    assert dict(recipe.taken) == {"background": 12, "cat": 40, "dogdog": 12}
    assert stale_layers(seeds, variation) == {}
    again = mix_request(seeds, {"dogdog": second}, variation, (6,))
    assert dict(again.taken) == {"background": 12, "cat": 40, "dogdog": 40}
