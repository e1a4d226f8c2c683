"""A re-roll changes the layer and its feather, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from collage_studio.document.compositing import composite_picture
from collage_studio.document.geometry import Rect, Size
from collage_studio.document.model import NextState, Raster, Variation
from collage_studio.document.recipe import Recipe, RunSettings, Start
from collage_studio.engine.api import BadRequest, Previewed, Produced, RerollRequest, Started
from collage_studio.engine.models import load_model
from collage_studio.engine.reroll import plan_reroll
from collage_studio.engine.runner import Engine
from collage_studio.engine.workspace import Workspace
from tests.engine import tiny
from tests.engine.scenes import cat_and_dog, difference


def never() -> bool:
    return False


def accepted(document, settings):
    """The document with a picture of its own accepted."""
    size = document.size
    picture = Raster.from_rgb(tiny.photograph(size.width, size.height, seed=9))
    recipe = Recipe("harmonise", 0, settings, "")
    return replace(document, accepted=Variation("v", 1, picture, recipe))


@pytest.mark.parametrize("start", list(Start))
@pytest.mark.parametrize("resolution", [0, 96])
def test_pixels_outside_the_feather_are_bit_identical(kl_folder, start, resolution):
    settings = RunSettings(model=str(kl_folder), steps=4, softness=3, resolution=resolution)
    document = accepted(cat_and_dog(settings, width=192, height=128), settings)
    request = RerollRequest(document, ("cat",), (1, 2), settings, start)
    events = list(Engine("cpu").run(request, never))
    base = document.accepted.picture.pixels[..., :3]
    pictures = [event for event in events if isinstance(event, Produced)]
    assert [event.seed for event in pictures] == [1, 2]
    assert (pictures[0].picture != pictures[1].picture).any()
    for event in pictures:
        changed = difference(event.picture, base) > 0
        assert changed.any()
        outside = np.ones_like(changed)
        outside[event.box.slices] = False
        assert not (changed & outside).any()
        reach = Rect(8, 16, 8 + 64, 16 + 64).grown(12)
        outside = np.ones_like(changed)
        outside[reach.intersect(Rect.of_size(document.size)).slices] = False
        assert not (changed & outside).any()


def test_without_an_accepted_picture_the_composite_is_kept(kl_folder):
    settings = RunSettings(model=str(kl_folder), steps=3, softness=3)
    document = cat_and_dog(settings)
    events = Engine("cpu").run(RerollRequest(document, ("cat",), (1,), settings), never)
    [produced] = [event for event in events if isinstance(event, Produced)]
    base = composite_picture(document)
    kept = difference(produced.picture, base) == 0
    assert kept[:, 80:].all()


def test_cost_follows_the_layers_area(kl_folder):
    settings = RunSettings(model=str(kl_folder), steps=3, resolution=256, softness=3)
    document = cat_and_dog(settings, width=512, height=384)
    small = replace(document.layers[0], placement=document.layers[0].placement)
    document = replace(document, layers=(replace(small, noise=0.5), document.layers[1]))
    family = load_model(str(kl_folder), tiny.CPU)
    plan = plan_reroll(RerollRequest(document, ("cat",), (1,), settings), family)
    window, grid = plan.workspace.window, plan.workspace.grid
    assert window.width * window.height < 0.8 * grid.width * grid.height


def test_previews_of_a_reroll_cover_its_window(kl_folder):
    settings = RunSettings(model=str(kl_folder), steps=4, resolution=128, softness=3)
    document = cat_and_dog(settings, width=256, height=192)
    small = replace(document.layers[0], raster=Raster.from_rgb(tiny.photograph(20, 20)))
    document = replace(document, layers=(small, document.layers[1]))
    events = list(Engine("cpu").run(RerollRequest(document, ("cat",), (1,), settings), never))
    previews = [event for event in events if isinstance(event, Previewed)]
    [produced] = [event for event in events if isinstance(event, Produced)]
    started = next(event for event in events if isinstance(event, Started))
    assert len(previews) == started.steps > 0
    for preview in previews:
        assert preview.box is not None
        assert preview.box.intersect(produced.box) == produced.box
        assert preview.box.width < document.size.width


def test_marked_layers_make_a_harmonise_run_a_reroll(kl_folder):
    from collage_studio.engine.api import HarmoniseRequest

    settings = RunSettings(model=str(kl_folder), steps=3, softness=3)
    document = cat_and_dog(settings)
    cat, dog = document.layers
    document = document.with_layers(replace(cat, state=NextState.REROLL), dog)
    events = Engine("cpu").run(HarmoniseRequest(document, (1,), settings), never)
    [produced] = [event for event in events if isinstance(event, Produced)]
    assert produced.recipe.kind == "reroll"
    assert produced.recipe.layer_ids == ("cat",)


def test_starts_differ(kl_folder):
    settings = RunSettings(model=str(kl_folder), steps=6, softness=3, sampler="ddim")
    document = accepted(cat_and_dog(settings, noises=(0.8, 0.5, 0.5)), settings)
    engine = Engine("cpu")

    def picture(start: Start):
        events = engine.run(RerollRequest(document, ("cat",), (1,), settings, start), never)
        return next(event.picture for event in events if isinstance(event, Produced))

    current, original, noise = (picture(start) for start in Start)
    assert (current != original).any()
    assert (current != noise).any()
    assert (original != noise).any()


def test_noise_start_does_not_depend_on_what_was_there(kl_folder):
    family = load_model(str(kl_folder), tiny.CPU)
    settings = RunSettings(model=str(kl_folder), steps=4, softness=3, sampler="ddim")
    document = cat_and_dog(settings, noises=(0.8, 0.2, 0.5))
    plan = plan_reroll(RerollRequest(document, ("cat",), (1,), settings, Start.NOISE), family)
    assert plan.is_blank
    assert plan.noise.max() == 1.0


def test_a_layer_that_is_gone_is_explained(kl_folder):
    settings = RunSettings(model=str(kl_folder))
    request = RerollRequest(cat_and_dog(settings), ("bird",), (1,), settings)
    with pytest.raises(BadRequest, match="no longer in the collage"):
        list(Engine("cpu").run(request, never))


def test_a_layer_without_noise_is_explained(kl_folder):
    settings = RunSettings(model=str(kl_folder))
    request = RerollRequest(cat_and_dog(settings, noises=(1, 0, 1)), ("cat",), (1,), settings)
    with pytest.raises(BadRequest, match="has noise 0"):
        list(Engine("cpu").run(request, never))


@pytest.mark.parametrize("canvas", [Size(100, 70), Size(33, 200), Size(5, 5), Size(512, 512)])
def test_a_window_lies_in_the_grid_at_aligned_places(canvas):
    space = Workspace.of(canvas, 64, 8)
    for cell in (Rect(0, 0, 1, 1), Rect(space.grid.width - 1, 0, space.grid.width, 1)):
        window = space.around(cell, margin_px=32, least_px=48, alignment=4).window
        assert window.intersect(Rect.of_size(space.grid)) == window
        assert window.left % 4 == window.top % 4 == 0
        assert window.intersect(cell) == cell
        assert window.width >= min(6, space.grid.width)


def test_padding_and_scaling_come_back_to_the_canvas():
    space = Workspace.of(Size(203, 131), 64, 8)
    values = np.full((131, 203, 3), 0.25, np.float32)
    assert space.shrink(values).shape == (space.grid.height * 8, space.grid.width * 8, 3)
    assert np.allclose(space.enlarge(space.shrink(values)), values, atol=1e-6)
    assert torch.allclose(space.cells(space.shrink(values[..., 0])), torch.tensor(0.25))


def test_a_small_canvas_is_never_enlarged():
    space = Workspace.of(Size(60, 41), 512, 8)
    assert space.work == Size(60, 41)
    assert space.grid == Size(8, 6)
