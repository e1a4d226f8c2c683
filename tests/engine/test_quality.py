"""What a run says of its own pictures: by the judge, and where a folder is gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from collage_studio.document.extras import RunExtras
from collage_studio.document.geometry import Rect
from collage_studio.document.layouts import box_layer
from collage_studio.document.quality import overall
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import HarmoniseRequest, Produced, Started
from collage_studio.engine.quality.judge import judge_path
from collage_studio.engine.quality.measuring import Critic, Critics, asked_of, with_quality
from collage_studio.engine.runner import Engine
from collage_studio.evaluate.layouts import FIRST_SEED, Layout, layout_document
from collage_studio.starter.render import render_lit
from tests.engine.methods.layouts import blank, cat_and_dog, settings


@pytest.fixture(scope="module")
def critic() -> Critic:
    if not judge_path().is_file():
        pytest.skip("There is no judge in this checkout.")
    document = layout_document(Layout.from_seed(FIRST_SEED))
    found, why_not = Critics().of(document, RunSettings(model="starter"))
    assert found is not None
    assert why_not == ""
    return found


def test_the_judge_tells_the_truth_from_a_picture_of_nothing(critic: Critic) -> None:
    truth = critic.measure(render_lit(Layout.from_seed(FIRST_SEED).scene))
    nothing = critic.measure(np.full((256, 256, 3), 128, np.uint8))
    assert truth.keys() == nothing.keys()
    assert len(truth) >= 2
    assert np.mean([told["text"] for told in truth.values()]) > 0.5
    assert max(told["text"] for told in nothing.values()) < 0.3
    assert {told["box"] for told in nothing.values()} == {0.0}


def test_the_recipe_keeps_what_was_measured_of_each_layer() -> None:
    entries = ({"id": "a", "name": "A"}, {"id": "b"})
    kept = with_quality(entries, {"b": {"text": 0.5}})
    assert kept == ({"id": "a", "name": "A"}, {"id": "b", "quality": {"text": 0.5}})


def test_only_layers_of_a_telling_size_with_a_text_are_asked_about() -> None:
    run = settings("rich_context")
    boxes = {
        "half": Rect(0, 0, 32, 32),
        "tiny": Rect(0, 0, 8, 8),
        "all": Rect(0, 0, 64, 64),
        "silent": Rect(0, 0, 32, 32),
    }
    layers = [
        box_layer(box, text="" if name == "silent" else f"a {name}", layer_id=name)
        for name, box in boxes.items()
    ]
    assert [one.layer_id for one in asked_of(blank(run, *layers))] == ["half"]


def test_a_folder_that_is_gone_is_told_and_the_run_goes_on(
    tiny_folder: Path, tmp_path: Path
) -> None:
    run = settings("collage_diffusion", steps=2)
    extras = RunExtras(clip_model=str(tmp_path / "gone"))
    run = replace(run, model=str(tiny_folder), extras=extras)
    events = list(Engine("cpu").run(HarmoniseRequest(cat_and_dog(run), (1,), run), lambda: False))
    [started] = [event for event in events if isinstance(event, Started)]
    [produced] = [event for event in events if isinstance(event, Produced)]
    assert any("holds no CLIP model" in warning for warning in started.warnings)
    assert overall(produced.recipe) is None
