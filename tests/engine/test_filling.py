"""Fill behind through the engine: progress, exact stacks, one seed one picture, cancel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collage_studio.app.filling import with_fillings
from collage_studio.app.writing_back import written_back
from collage_studio.document.compositing import composite_picture
from collage_studio.document.harmonised import GROUND, harmonised_stack
from collage_studio.document.model import Document, Raster, Variation
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.engine.api import (
    BadRequest,
    Cancelled,
    Filled,
    FillRequest,
    Finished,
    Started,
    Stepped,
    describe_layers,
)
from collage_studio.engine.runner import Engine
from tests.engine.scenes import cat_and_dog


def never() -> bool:
    return False


def harmonised(folder) -> Document:
    settings = RunSettings(model=str(folder), steps=3, softness=4, sampler="ddim")
    document = cat_and_dog(settings, width=96, height=64)
    picture = Raster.from_rgb(composite_picture(document)[..., :3])
    recipe = Recipe("harmonise", 1, settings, "", layers=describe_layers(document))
    return written_back(replace(document, accepted=Variation("v", 1, picture, recipe)))


def test_the_canvas_behind_the_layers_is_painted_and_the_stack_stays_exact(kl_folder):
    document = harmonised(kl_folder)
    events = list(Engine("cpu").run(FillRequest(document, (), 5, document.settings), never))
    assert isinstance(events[0], Started)
    assert events[0].seeds == ()
    assert isinstance(events[-1], Finished)
    steps = [event.step for event in events if isinstance(event, Stepped)]
    assert steps == sorted(steps)
    assert steps[-1] == events[0].steps
    found = [event for event in events if isinstance(event, Filled)]
    assert found[0].layer_id == GROUND
    after = with_fillings(document, found)
    assert after != document
    assert document.accepted is not None
    target = document.accepted.picture.pixels[..., :3].astype(int)
    assert np.abs(composite_picture(harmonised_stack(after)) - target).max() <= 1


def test_the_same_seed_paints_the_same(kl_folder):
    document = harmonised(kl_folder)
    request = FillRequest(document, ("cat",), 7, document.settings)
    engine = Engine("cpu")
    one, other = (
        [event.pixels for event in engine.run(request, never) if isinstance(event, Filled)]
        for _ in range(2)
    )
    assert len(one) == len(other) > 0
    assert all((a == b).all() for a, b in zip(one, other, strict=True))


def test_a_cancelled_filling_ends_as_cancelled(kl_folder):
    document = harmonised(kl_folder)
    request = FillRequest(document, (), 5, document.settings)
    asked = iter(range(1000))
    seen = list(Engine("cpu").run(request, lambda: next(asked) > 3))
    assert isinstance(seen[-1], Cancelled)
    assert not any(isinstance(event, Finished) for event in seen)


def test_with_nothing_hidden_the_engine_says_so(kl_folder):
    document = harmonised(kl_folder)
    alone = written_back(document.with_layers())
    with pytest.raises(BadRequest, match="Nothing is missing"):
        list(Engine("cpu").run(FillRequest(alone, (), 1, document.settings), never))
