"""What comes back to the layers is measured on known pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collage_studio.document.compositing import composite_picture
from collage_studio.document.harmonised import harmonised_stack
from collage_studio.document.masks import visible_masks
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import Filled, FillRequest
from collage_studio.engine.quality.judge import judge_path
from collage_studio.evaluate.collages import collage_of, object_id
from collage_studio.evaluate.hole_looks import Judges, hole_of
from collage_studio.evaluate.holes import holes_table, measure_holes
from collage_studio.evaluate.layers import as_markdown, measure, ranked_share, scene_of, summarise
from collage_studio.evaluate.metrics import Interval
from collage_studio.evaluate.places import place_judge_path
from collage_studio.starter.render import render_background, render_lit
from collage_studio.starter.world import HELD_OUT_FROM
from collage_studio.writeback.filling import filled
from collage_studio.writeback.hidden import gaps_of
from collage_studio.writeback.stack import write_back

needs_judges = pytest.mark.skipif(
    not (judge_path().is_file() and place_judge_path().is_file()),
    reason="the judges are not installed",
)


@needs_judges
def test_the_worlds_own_picture_comes_back_exactly_and_without_holes():
    scene = scene_of(HELD_OUT_FROM + 500_002)
    found = measure(scene, render_lit(scene), Judges.load(), 0.5)
    assert found.error <= 1
    assert found.outline / found.band < 0.02
    assert found.moved
    assert found.holes.placed == found.holes.free > 0
    assert found.holes.colour < 20
    assert found.ideal.colour == 0
    table = as_markdown([summarise("truth", [found])], Interval(1.0, 1.0, 1.0, 1))
    assert "| Collages | 1 |" in table


def test_an_object_takes_its_own_shadow_out_of_the_hole_and_leaves_the_others():
    scene = scene_of(HELD_OUT_FROM + 500_002)
    document, picture = collage_of(scene, noise=0.5), render_lit(scene)
    written = write_back(document, picture)
    masks = [visible_masks(document)[object_id(i)] for i in range(len(scene.objects))]
    left, hole = hole_of(written, 0, masks[0])
    assert not (hole[masks[0] < 0.5] > 0.5).any()
    elsewhere = sum(masks) < 0.01
    bare = composite_picture(harmonised_stack(replace(written, beside=())))
    darker = bare.astype(int).sum(axis=2) - left.astype(int).sum(axis=2)
    assert darker[elsewhere].max() > 60


def test_measured_change_ranks_a_known_series():
    assert ranked_share(scene_of(HELD_OUT_FROM + 500_003), 0.5) == 1.0


@needs_judges
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

    scores, row = measure_holes(scene, fill, Judges.load(), 0.5, settings)
    assert scores.error <= 1
    assert scores.after.asked
    assert scores.after.colour < scores.before.colour / 2
    assert scores.after.placed == scores.after.free
    assert row.shape[1] == 4 * row.shape[0]
    assert "filled by the model" in holes_table([scores])
