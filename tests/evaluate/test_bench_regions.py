"""What the benchmark of regions counts."""

from __future__ import annotations

import pytest

from collage_studio.document.masks import visible_masks
from collage_studio.evaluate.bench_regions import layout, measure, table
from tests.engine import tiny


@pytest.mark.parametrize("side", [256, 512])
def test_the_layout_has_eight_separate_regions_of_a_tenth_each(side):
    document = layout(side)
    masks = visible_masks(document)
    boxes = [masks[layer.id].mean() for layer in document.layers]
    assert boxes == pytest.approx([0.1] * 8, abs=0.002)


def test_the_published_scheme_predicts_everything_twice_on_the_whole_canvas():
    published, own = measure(tiny.family(tiny.pipeline()), repeats=1)
    assert (published.rows, published.area) == (18, pytest.approx(18.0))
    assert own.area < published.area
    assert own.seconds > 0
    assert "Collage Studio" in table([published, own])
