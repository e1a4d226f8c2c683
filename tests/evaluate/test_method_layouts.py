"""Layouts with long texts that overlap, and what the judge is asked about their pictures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from collage_studio.document.method_settings import DenseDiffusion, NoiseCollage
from collage_studio.engine.api import Picture
from collage_studio.evaluate import comparing
from collage_studio.evaluate.climbing import Tools, records_of
from collage_studio.evaluate.comparing import (
    PLAIN,
    TRUTH,
    WAYS,
    MethodsPlan,
    adapter_of,
    layout_request,
    methods_records,
)
from collage_studio.evaluate.judge_training import class_names
from collage_studio.evaluate.layout_scores import (
    LayoutScores,
    Meters,
    measure_layout,
    overlap,
    surest,
)
from collage_studio.evaluate.layouts import (
    FIRST_SEED,
    OVERLAP,
    Layout,
    layout_document,
    layout_picture,
    places_of,
    shown_parts,
)
from collage_studio.evaluate.plan import Plan
from collage_studio.evaluate.records import Records
from collage_studio.starter.render import render_lit
from collage_studio.starter.render import visible_masks as world_masks
from collage_studio.starter.world import caption_text

LAYOUT = Layout.from_seed(FIRST_SEED)
SEEDS = range(FIRST_SEED, FIRST_SEED + 12)


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


def measured(layout: Layout, names: Sequence[str]) -> LayoutScores:
    picture, witness = _painted(layout, names)
    return measure_layout(layout, "m", picture, Meters(witness))


def test_layouts_have_two_to_six_regions_of_both_kinds() -> None:
    layouts = [Layout.from_seed(seed) for seed in SEEDS]
    counts = {len(layout.scene.objects) for layout in layouts}
    assert counts <= {2, 3, 4, 5, 6}
    assert len(counts) >= 4
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


def test_regions_overlap_and_their_objects_can_be_seen() -> None:
    shared, shown = list[bool](), list[float]()
    for seed in SEEDS:
        layout = Layout.from_seed(seed)
        places = places_of(layout_document(layout))
        for place in places:
            smaller = [
                max(0, min(place.right, other.right) - max(place.left, other.left))
                * max(0, min(place.bottom, other.bottom) - max(place.top, other.top))
                / min(place.width * place.height, other.width * other.height)
                for other in places
                if other is not place
            ]
            shared.append(max(smaller) >= OVERLAP - 0.05)
        shown += [share for _, share in shown_parts(layout)]
    assert np.mean(shared) > 0.8
    assert np.mean(np.array(shown) > 0.35) > 0.85


def test_texts_are_long_and_name_the_object_among_others() -> None:
    words = list[int]()
    for seed in SEEDS:
        layout = Layout.from_seed(seed)
        for placed, text in zip(layout.scene.objects, layout.texts, strict=True):
            assert placed.name in text
            words.append(len(text.split()))
    assert np.mean(words) > 9


def test_regions_say_long_texts_or_names_of_their_own_or_in_the_caption() -> None:
    names = [placed.phrase for placed in LAYOUT.scene.objects]
    for short, told in ((False, list(LAYOUT.texts)), (True, names)):
        document = layout_document(LAYOUT, short=short)
        assert [layer.text for layer in document.layers] == told
        assert document.written_caption()[0] == caption_text(LAYOUT.scene)
        assert {layer.noise for layer in (document.background, *document.layers)} == {1.0}
        chips = layout_document(LAYOUT, short=short, in_caption=True)
        assert set(chips.caption.layer_ids) == {layer.id for layer in chips.layers}
        assert all(text in chips.written_caption()[0] for text in told)
    short_chips = layout_document(LAYOUT, short=True, in_caption=True)
    assert short_chips.written_caption()[0] == caption_text(LAYOUT.scene)


def test_methods_share_seed_places_and_caption() -> None:
    plan = MethodsPlan(count=1)
    assert plan.keys == (*WAYS, TRUTH)
    requests = [layout_request(LAYOUT, key, plan) for key in plan.keys[:-1]]
    assert len({request.seeds for request in requests}) == 1
    captions = {request.document.written_caption()[0] for request in requests}
    assert captions == {
        caption_text(LAYOUT.scene),
        layout_document(LAYOUT, in_caption=True).written_caption()[0],
    }
    assert len({places_of(request.document) for request in requests}) == 1
    assert requests[0].settings.ca_schedule == "off"
    told = [request.settings.method for request in requests]
    assert told == [way.method for way in WAYS.values()]
    assert MethodsPlan(methods=("noise_collage",)).keys == (PLAIN, "noise_collage", TRUTH)


def test_only_what_a_column_reads_makes_it_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "weights_of", lambda model, engine: model)
    tools = Tools(tmp_path)
    plan = MethodsPlan(count=1)

    def made_by(plan: MethodsPlan) -> dict[str, str]:
        return dict(methods_records(plan, tools)._made_by)  # pyright: ignore[reportPrivateUsage]

    before = made_by(plan)
    methods = replace(
        plan.settings.methods,
        noise_collage=NoiseCollage(drop_rate=0.5),
        dense_diffusion=DenseDiffusion(until=0.9),
    )
    after = made_by(replace(plan, settings=replace(plan.settings, methods=methods)))
    changed = {key for key in before if before[key] != after[key]}
    both = ("noise_collage", "dense_diffusion")
    assert changed == {*both, *(f"{key}_names" for key in both)}
    some = made_by(replace(plan, methods=("noise_collage",)))
    assert some.items() <= before.items()
    steps = made_by(replace(plan, settings=replace(plan.settings, steps=9)))
    assert {key for key in before if before[key] == steps[key]} == {TRUTH}
    assert adapter_of(plan.settings_of("regional_attention")) is None
    assert adapter_of(plan.settings_of("rich_context")) is not None


def test_the_ladder_does_not_read_the_settings_of_other_methods(tmp_path: Path) -> None:
    plan = Plan(count=1)
    methods = replace(plan.settings.methods, noise_collage=NoiseCollage(drop_rate=0.5))
    other = replace(plan, settings=replace(plan.settings, methods=methods))
    tools = Tools(tmp_path)
    ours, theirs = (records_of(one, tools)._made_by for one in (plan, other))  # pyright: ignore[reportPrivateUsage]
    assert ours == theirs


def test_adding_one_outcome_leaves_those_that_are_not_asked_for(tmp_path: Path) -> None:
    Records(tmp_path, {"a": "1", "b": "1"}).add(5, "a", {"x": 1})
    Records(tmp_path, {"b": "1"}).add(5, "b", {"x": 2})
    both = Records(tmp_path, {"a": "1", "b": "1"}).read(5)
    assert {key: entry["x"] for key, entry in both.items()} == {"a": 1, "b": 2}
    assert not Records(tmp_path, {"a": "other"}).read(5)


def test_layouts_refuse_seeds_that_training_may_have_seen() -> None:
    with pytest.raises(ValueError, match="held-out"):
        MethodsPlan(first_seed=5)


def test_right_objects_in_their_regions_are_right_and_in_place() -> None:
    layout = next(lay for lay in map(Layout.from_seed, SEEDS) if len(lay.scene.objects) == 2)
    names = [placed.name for placed in layout.scene.objects]
    scores = measured(layout, names)
    assert all(right for right, count in zip(scores.right, scores.counts, strict=True) if count)
    assert not any(scores.elsewhere)
    assert not any(scores.neighbour)


def test_swapped_objects_are_neighbours_in_the_wrong_place() -> None:
    drawn = next(lay for lay in map(Layout.from_seed, SEEDS) if len(lay.scene.objects) == 2)
    apart = tuple(
        replace(placed, x=x, height=0.3)
        for placed, x in zip(drawn.scene.objects, (0.25, 0.75), strict=True)
    )
    layout = replace(drawn, scene=replace(drawn.scene, objects=apart))
    names = [placed.name for placed in layout.scene.objects]
    scores = measured(layout, names[::-1])
    assert scores.right == (False, False)
    assert scores.neighbour == (True, True)
    assert scores.elsewhere == (True, True)
    assert max(scores.overlap) < 0.2


def test_empty_picture_has_nothing_right_and_nothing_misplaced() -> None:
    picture, witness = _painted(LAYOUT, [placed.name for placed in LAYOUT.scene.objects])
    scores = measure_layout(LAYOUT, "m", np.zeros_like(picture), Meters(witness))
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
