"""Painted noise in a run: what is painted to nothing stays to the bit, what is painted changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collage_studio.document.compositing import composite_picture
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, NextState
from collage_studio.document.noise_map import noise_map
from collage_studio.document.noise_paint import over, set_paint
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import BadRequest, HarmoniseRequest, RerollRequest
from collage_studio.engine.runner import Engine
from tests.engine.scenes import cat_and_dog
from tests.engine.test_reroll_chain import accepted, produced


def _painted(document: Document, layer_id: str, value: float, part: slice) -> Document:
    layer = document.find(layer_id)
    assert layer is not None
    assert layer.raster is not None
    cover = np.zeros(layer.raster.size.shape, np.float32)
    cover[part] = 1.0
    return set_paint(document, layer_id, over(None, layer.raster.size, value, cover))


def _scene(folder) -> Document:
    settings = RunSettings(model=str(folder), steps=3, softness=2.0, noise_scale=1.0)
    return cat_and_dog(settings, width=160, height=96)


def test_places_painted_to_nothing_stay_to_the_bit(kl_folder):
    document = _painted(_scene(kl_folder), "cat", 0.0, slice(0, 20))
    still = noise_map(document, document.settings) == 0
    assert still.sum() > 100
    event = produced(Engine("cpu"), HarmoniseRequest(document, (5,), document.settings))
    before = composite_picture(document)[..., :3]
    assert np.array_equal(event.picture[still], before[still])
    assert (event.picture[~still] != before[~still]).any(axis=1).mean() > 0.5


def test_a_kept_collage_with_one_painted_place_changes_there_alone(kl_folder):
    document = _scene(kl_folder)
    kept = tuple(replace(layer, state=NextState.KEEP) for layer in document.layers)
    ground = replace(document.background, noise=0.0, state=NextState.KEEP)
    document = _painted(replace(document, layers=kept, background=ground), "cat", 0.9, slice(0, 20))
    may_change = noise_map(document, document.settings) > 0
    assert may_change.any()
    assert not may_change[visible_masks(document)["cat"] == 0].any()
    event = produced(Engine("cpu"), HarmoniseRequest(document, (5,), document.settings))
    differs = (event.picture != composite_picture(document)[..., :3]).any(axis=2)
    assert differs.any()
    assert not differs[~may_change].any()


def test_a_re_roll_of_a_painted_layer_leaves_its_kept_part(kl_folder):
    engine, document = Engine("cpu"), _scene(kl_folder)
    first = produced(engine, HarmoniseRequest(document, (5,), document.settings))
    document = _painted(accepted(document, first), "cat", 0.0, slice(0, 20))
    event = produced(engine, RerollRequest(document, ("cat",), (7,), document.settings))
    may_change = noise_map(document, document.settings, only=("cat",)) > 0
    differs = (event.picture != first.picture).any(axis=2)
    assert differs.any()
    assert not differs[~may_change].any()
    assert not may_change[(visible_masks(document)["cat"] == 1) & _rows(document, "cat", 20)].any()


def _rows(document: Document, layer_id: str, count: int):
    """(H, W) bool: the first rows of a layer that was only moved."""
    layer = document.find(layer_id)
    assert layer is not None
    top = round(layer.placement.f)
    rows = np.zeros(document.size.shape, np.bool_)
    rows[top : top + count] = True
    return rows


def test_a_layer_without_noise_can_be_re_rolled_where_it_is_painted(kl_folder):
    engine, document = Engine("cpu"), _scene(kl_folder)
    still = replace(
        document,
        layers=tuple(
            replace(one, noise=0.0) if one.id == "cat" else one for one in document.layers
        ),
    )
    with pytest.raises(BadRequest, match="Raise its noise"):
        produced(engine, RerollRequest(still, ("cat",), (7,), document.settings))
    painted = _painted(still, "cat", 0.8, slice(0, 20))
    event = produced(engine, RerollRequest(painted, ("cat",), (7,), document.settings))
    assert event.picture.shape == (96, 160, 3)
