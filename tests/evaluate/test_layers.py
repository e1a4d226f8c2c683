"""What comes back to the layers is measured on known pictures."""

from __future__ import annotations

import numpy as np
import pytest

from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import Filled, FillRequest
from collage_studio.engine.quality.judge import Judge, judge_path
from collage_studio.evaluate.holes import holes_table, measure_holes
from collage_studio.evaluate.layers import as_markdown, measure, ranked_share, scene_of, summarise
from collage_studio.evaluate.metrics import Interval
from collage_studio.starter.render import render_background, render_lit
from collage_studio.starter.world import HELD_OUT_FROM
from collage_studio.writeback.filling import filled
from collage_studio.writeback.hidden import gaps_of


@pytest.mark.skipif(not judge_path().is_file(), reason="the judge is not installed")
def test_the_worlds_own_picture_comes_back_exactly_and_without_holes():
    scene = scene_of(HELD_OUT_FROM + 500_002)
    found = measure(scene, render_lit(scene), Judge.load(), 0.5)
    assert found.error <= 1
    assert found.outline / found.band < 0.02
    assert found.moved
    assert found.hole_colour < 20
    table = as_markdown([summarise("truth", [found])], Interval(1.0, 1.0, 1.0, 1))
    assert "| Collages | 1 |" in table


def test_measured_change_ranks_a_known_series():
    assert ranked_share(scene_of(HELD_OUT_FROM + 500_003), 0.5) == 1.0


@pytest.mark.skipif(not judge_path().is_file(), reason="the judge is not installed")
def test_a_filling_that_knows_the_truth_leaves_clear_holes():
    scene = scene_of(HELD_OUT_FROM + 500_002)
    settings = RunSettings(detail=0.0)

    def fill(request: FillRequest) -> list[Filled]:
        truth = render_background(scene, request.document.size.width)
        [gap] = [g for g in gaps_of(request.document) if g.layer_id == "backdrop"]
        return [
            Filled(one.layer_id, one.raster.pixels.astype(np.uint8), one.placement, "")
            for one in filled(request.document, gap, truth)
        ]

    scores, row = measure_holes(scene, fill, Judge.load(), 0.5, settings)
    assert scores.error <= 1
    assert scores.asked
    assert scores.colour[1] < scores.colour[0] / 2
    assert row.shape[1] == 4 * row.shape[0]
    assert "filled by the model" in holes_table([scores])
