"""Layouts of boxes and shapes, and what the judge is asked about their pictures."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from collage_studio.engine.api import Picture
from collage_studio.engine.runner import METHODS
from collage_studio.evaluate.comparing import PLAIN, TRUTH, MethodsPlan, layout_request
from collage_studio.evaluate.judge_training import class_names
from collage_studio.evaluate.layout_scores import (
    LayoutScores,
    measure_layout,
    overlap,
    surest,
)
from collage_studio.evaluate.layouts import FIRST_SEED, Layout, layout_document, layout_picture
from collage_studio.starter.render import render_lit
from collage_studio.starter.render import visible_masks as world_masks
from collage_studio.starter.world import caption_text

LAYOUT = Layout.from_seed(FIRST_SEED)
SEEDS = range(FIRST_SEED, FIRST_SEED + 30)


class ColourWitness:
    """Names the object whose plain colour fills most of a crop."""

    def __init__(self, colours: dict[str, int]) -> None:
        self.names = class_names()
        self._colours = colours

    def chances(self, crops: Sequence[Picture]) -> npt.NDArray[np.float32]:
        told = np.zeros((len(crops), len(self.names)), np.float32)
        for row, crop in zip(told, crops, strict=True):
            for name, level in self._colours.items():
                row[self.names.index(name)] = float((crop == level).all(axis=2).mean())
            row[0] = 1 - row.sum()
        return told


def _painted(layout: Layout, names: Sequence[str]) -> tuple[Picture, ColourWitness]:
    """Every region filled with the colour of one of these names."""
    colours = {name: 40 + 20 * i for i, name in enumerate(dict.fromkeys(names))}
    picture = np.zeros((256, 256, 3), np.uint8)
    for layer, name in zip(layout_document(layout).layers, names, strict=True):
        assert layer.mask is not None
        left, top = int(layer.placement.c), int(layer.placement.f)
        height, width = layer.mask.values.shape
        picture[max(top, 0) : top + height, max(left, 0) : left + width] = colours[name]
    return picture, ColourWitness(colours)


def test_layouts_have_two_to_six_regions_of_both_kinds() -> None:
    layouts = [Layout.from_seed(seed) for seed in SEEDS]
    assert {len(layout.scene.objects) for layout in layouts} == {2, 3, 4, 5, 6}
    boxes = [box for layout in layouts for box in layout.boxes]
    assert 0.3 < np.mean(boxes) < 0.7


def test_regions_cover_their_objects() -> None:
    for seed in SEEDS[:8]:
        layout = Layout.from_seed(seed)
        document = layout_document(layout)
        for layer, mask in zip(document.layers, world_masks(layout.scene), strict=False):
            assert layer.mask is not None
            shape = np.zeros((256, 256), bool)
            left, top = int(layer.placement.c), int(layer.placement.f)
            height, width = layer.mask.values.shape
            shape[top : top + height, left : left + width] = layer.mask.values > 0
            assert (mask * shape).sum() > 0.98 * mask.sum()


def test_layout_says_the_scenes_caption_and_is_drawn_from_noise_alone() -> None:
    document = layout_document(LAYOUT)
    assert document.written_caption()[0] == caption_text(LAYOUT.scene)
    assert {layer.noise for layer in (document.background, *document.layers)} == {1.0}


def test_methods_differ_in_the_method_alone() -> None:
    plan = MethodsPlan(count=1)
    assert plan.keys == (PLAIN, *METHODS, TRUTH)
    requests = [layout_request(LAYOUT, key, plan) for key in plan.keys[:-1]]
    assert len({request.seeds for request in requests}) == 1
    assert all(request.document.layers == requests[0].document.layers for request in requests)
    assert requests[0].settings.ca_schedule == "off"
    assert [request.settings.method for request in requests[1:]] == list(METHODS)


def test_layouts_refuse_seeds_that_training_may_have_seen() -> None:
    with pytest.raises(ValueError, match="held-out"):
        MethodsPlan(first_seed=5)


def test_right_objects_in_their_regions_are_right_and_in_place() -> None:
    layout = next(lay for lay in map(Layout.from_seed, SEEDS) if len(lay.scene.objects) == 2)
    names = [placed.name for placed in layout.scene.objects]
    scores = measure_layout(layout, "m", *_painted(layout, names))
    assert all(right for right, count in zip(scores.right, scores.counts, strict=True) if count)
    assert not any(scores.elsewhere)
    assert not any(scores.neighbour)


def test_swapped_objects_are_neighbours_in_the_wrong_place() -> None:
    layout = next(
        lay
        for lay in map(Layout.from_seed, SEEDS)
        if len(lay.scene.objects) == 2
        and abs(lay.scene.objects[0].x - lay.scene.objects[1].x) > 0.45
    )
    names = [placed.name for placed in layout.scene.objects]
    scores = measure_layout(layout, "m", *_painted(layout, names[::-1]))
    assert scores.right == (False, False)
    assert scores.neighbour == (True, True)
    assert scores.elsewhere == (True, True)
    assert max(scores.overlap) < 0.2


def test_empty_picture_has_nothing_right_and_nothing_misplaced() -> None:
    picture, witness = _painted(LAYOUT, [placed.name for placed in LAYOUT.scene.objects])
    scores = measure_layout(LAYOUT, "m", np.zeros_like(picture), witness)
    assert not any((*scores.right, *scores.neighbour, *scores.elsewhere))
    assert set(scores.overlap) == {0.0}
    assert LayoutScores.from_json(scores.as_json()) == scores


def test_overlap_of_squares() -> None:
    assert overlap((10, 10, 10), (10, 10, 10)) == 1.0
    assert overlap((10, 10, 10), (15, 10, 10)) == pytest.approx(1 / 3)
    assert overlap((10, 10, 10), (40, 10, 10)) == 0.0


def test_surest_place_is_the_mean_of_the_windows_that_agree() -> None:
    squares = [(10.0, 10.0, 10.0), (12.0, 10.0, 10.0), (90.0, 90.0, 10.0)]
    found = surest(squares, np.array([0.9, 0.9, 0.8], np.float32))
    assert found == pytest.approx((11.0, 10.0, 10.0))
    assert surest(squares, np.array([0.4, 0.3, 0.2], np.float32)) is None


def test_layout_picture_shows_each_region_in_its_tint() -> None:
    picture = layout_picture(layout_document(LAYOUT))
    assert picture.shape == render_lit(LAYOUT.scene).shape
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 2 * len(LAYOUT.boxes)
