"""What recipes keep of how well layers came out, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from collage_studio.document.model import Raster, Variation
from collage_studio.document.quality import LayerQuality, best_first, overall, quality_of
from collage_studio.document.recipe import Recipe, RunSettings


def recipe(*qualities: Any) -> Recipe:
    layers = tuple(
        {"id": f"layer{i}", "quality": told} if told is not None else {"id": f"layer{i}"}
        for i, told in enumerate(qualities)
    )
    return Recipe("harmonise", 1, RunSettings(), "", layers=layers)


def variation(name: str, *qualities: Any) -> Variation:
    raster = Raster.from_rgb(np.zeros((4, 4, 3), np.uint8))
    return Variation(name, 1, raster, recipe(*qualities))


def test_quality_says_what_is_good_and_what_falls_short() -> None:
    made = recipe({"text": 0.92, "box": 0.8}, {"text": 0.12}, None)
    good, poor, unknown = (quality_of(made, f"layer{i}") for i in range(3))
    assert good.is_good
    assert good.sentence == "Matches its text 92 %, fits its box 80 %."
    assert not poor.is_good
    assert poor.sentence == "Hardly matches its text 12 %."
    assert unknown == LayerQuality()
    assert unknown.is_good
    assert unknown.sentence == ""
    assert quality_of(made, "gone") == LayerQuality()


def test_the_best_variation_comes_first_where_all_were_measured() -> None:
    poor = variation("poor", {"text": 0.1, "box": 0.3})
    best = variation("best", {"text": 0.9, "box": 0.9}, {"text": 0.8})
    fair = variation("fair", {"text": 0.5})
    assert [one.id for one in best_first([poor, best, fair])] == ["best", "fair", "poor"]
    unknown = replace(poor, id="unknown", recipe=recipe(None))
    assert [one.id for one in best_first([poor, unknown, best])] == ["poor", "unknown", "best"]
    assert overall(recipe(None)) is None


def test_what_a_file_says_wrongly_counts_as_unknown() -> None:
    for told in ("much", 3, {"text": "0.9"}, {"text": True}, {"text": None}, []):
        assert quality_of(recipe(told), "layer0") == LayerQuality()
    assert quality_of(recipe({"text": 7, "box": -1}), "layer0") == LayerQuality(1.0, 0.0)
