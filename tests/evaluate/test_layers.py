"""What comes back to the layers is measured on known pictures."""

from __future__ import annotations

import pytest

from collage_studio.evaluate.judge import Judge, judge_path
from collage_studio.evaluate.layers import as_markdown, measure, ranked_share, scene_of, summarise
from collage_studio.evaluate.metrics import Interval
from collage_studio.starter.render import render_lit
from collage_studio.starter.world import HELD_OUT_FROM


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
