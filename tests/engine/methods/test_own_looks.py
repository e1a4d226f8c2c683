"""Two layers that say the same words, each with the look it learned itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collage_studio.document.geometry import Rect
from collage_studio.document.layouts import box_layer
from collage_studio.document.looks import Look, LookRecipe
from collage_studio.document.model import Document
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import HarmoniseRequest, Produced, Started
from collage_studio.engine.runner import Engine
from collage_studio.engine.text_plan import own_texts
from tests.engine.methods.layouts import blank, settings

METHODS = ("noise_collage", "multi_diffusion", "rich_context")


def _look(seed: int, width: int = 32) -> Look:
    vectors = np.random.default_rng(seed).normal(0, 1, (2, width)).astype(np.float32)
    return Look.of({"clip_l": vectors}, LookRecipe("Cat"))


def _cats(run: RunSettings, first: Look | None, second: Look | None) -> Document:
    cats = [
        box_layer(Rect(32 * at, 8, 32 * at + 28, 60), text="cat", layer_id=str(at))
        for at in range(2)
    ]
    cats = [replace(cat, look=look) for cat, look in zip(cats, (first, second), strict=True)]
    return blank(run, *cats, words="a picture")


def _made(engine: Engine, document: Document) -> tuple[np.ndarray, Started]:
    events = list(engine.run(HarmoniseRequest(document, (3,), document.settings), lambda: False))
    started = next(event for event in events if isinstance(event, Started))
    return next(event for event in events if isinstance(event, Produced)).picture, started


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("cpu")


@pytest.mark.parametrize("method", METHODS)
def test_each_of_two_layers_with_the_same_words_has_its_own_look(
    engine: Engine, tiny_folder: Any, method: str
) -> None:
    run = settings(method, model=str(tiny_folder))
    one, other = _look(1), _look(2)
    both, started = _made(engine, _cats(run, one, other))
    assert not any("look" in warning for warning in started.warnings)
    same, _ = _made(engine, _cats(run, one, one))
    swapped, _ = _made(engine, _cats(run, other, one))
    assert not np.array_equal(both, same)
    assert not np.array_equal(both, swapped)


@pytest.mark.parametrize("method", METHODS)
def test_a_layer_without_a_look_does_not_wear_that_of_its_namesake(
    engine: Engine, tiny_folder: Any, method: str
) -> None:
    run = settings(method, model=str(tiny_folder))
    look = _look(1)
    first, _ = _made(engine, _cats(run, look, None))
    both, _ = _made(engine, _cats(run, look, look))
    plain, _ = _made(engine, _cats(run, None, None))
    assert not np.array_equal(first, both)
    assert not np.array_equal(first, plain)


def test_looks_of_another_model_and_texts_that_are_not_asked_for_are_left_out() -> None:
    document = _cats(settings("noise_collage"), _look(1), _look(1, width=8))
    assert set(own_texts(document, ("cat",), {"clip_l": 32})) == {"0"}
    assert own_texts(document, ("dog",), {"clip_l": 32}) == {}
