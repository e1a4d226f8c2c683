"""The ladder on engines whose outcome is known, and the collages it is built on."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from collage_studio.document.compositing import composite_picture
from collage_studio.document.masks import visible_masks
from collage_studio.document.recipe import Recipe, Start
from collage_studio.engine.api import (
    Event,
    Finished,
    HarmoniseRequest,
    Picture,
    Produced,
    Request,
    RerollRequest,
    Started,
)
from collage_studio.engine.quality.judge import Judge, JudgeNet
from collage_studio.evaluate.claims import comparisons
from collage_studio.evaluate.collages import (
    collage_of,
    kept_half,
    object_id,
    scene_of,
    unusual_names,
    unusual_scene,
    with_noise,
)
from collage_studio.evaluate.columns import ROWS
from collage_studio.evaluate.configurations import CA, GH, LN, PASTE, TI, Configuration
from collage_studio.evaluate.drawing import contact_sheet
from collage_studio.evaluate.judge_training import class_names
from collage_studio.evaluate.ladder import Climbed, Climber, one_by_one, request_of
from collage_studio.evaluate.look_learning import unusual_sheet
from collage_studio.evaluate.plan import Plan
from collage_studio.evaluate.report import as_json, as_markdown, columns_of, rows_of, sheet_rows
from collage_studio.evaluate.scores import Scores, Yardstick
from collage_studio.starter.render import paste_only, render_lit
from collage_studio.starter.render import visible_masks as world_masks
from collage_studio.starter.world import HELD_OUT_FROM, caption_text

PLAN = Plan(count=2, parts=("main", "strong", "sweep"), strengths=(0.4, 0.6), sweep_count=2)
(MAIN, STRONG), CURVES = PLAN.tables, PLAN.curves


class KnownOutcome:
    """An engine that answers a request for a held-out scene with a picture of that scene."""

    def __init__(self, paint: Callable[[int], Picture]) -> None:
        self._paint = paint

    def run(self, request: Request, is_cancelled: Callable[[], bool]) -> Iterator[Event]:
        seed = request.seeds[0]
        yield Started(request.seeds, 1)
        yield Produced(seed, self._paint(seed), Recipe("harmonise", seed, request.settings, ""))
        yield Finished()


class Listening:
    """An engine that gives back the picture it was handed, and remembers the requests."""

    def __init__(self) -> None:
        self.heard = list[Request]()

    def run(self, request: Request, is_cancelled: Callable[[], bool]) -> Iterator[Event]:
        self.heard.append(request)
        assert isinstance(request, RerollRequest)
        assert request.document.accepted is not None
        picture = request.document.accepted.picture.pixels[..., :3].copy()
        picture[0, 0] += 1
        yield Produced(request.seeds[0], picture, Recipe("reroll", 0, request.settings, ""))


def _column(name: str, noise: float = 0.0) -> Configuration:
    columns = (*MAIN.columns, *STRONG.columns)
    return next(c for c in columns if c.name == name and (not noise or c.noise == noise))


def _climbed(seed: int, paint: Callable[[int], Picture], plan: Plan = PLAN) -> Climbed:
    climber = Climber(plan, KnownOutcome(paint), _untrained_judge())
    run = Climbed(seed)
    for configuration, picture, scores in climber.climb(seed, list(plan.wanted(seed))):
        run.pictures[configuration.key] = picture
        run.scores[configuration.key] = scores
    return run


def _untrained_judge() -> Judge:
    with torch.random.fork_rng(devices=[]):
        return Judge(JudgeNet(len(class_names())), class_names())


@cache
def _perfect_runs() -> tuple[Climbed, ...]:
    return tuple(_climbed(seed, lambda seed: render_lit(scene_of(seed))) for seed in PLAN.seeds)


def test_collage_looks_like_the_worlds_photobash() -> None:
    scene = scene_of(HELD_OUT_FROM)
    difference = composite_picture(collage_of(scene, noise=0.5)).astype(int) - paste_only(scene)
    assert np.abs(difference).mean() < 1.0


def test_collage_has_the_worlds_visible_masks() -> None:
    scene = scene_of(HELD_OUT_FROM + 1)
    ours = visible_masks(collage_of(scene, noise=0.5))
    for index, mask in enumerate(world_masks(scene)[:-1]):
        assert np.abs(ours[object_id(index)] - mask).mean() < 0.01


def test_collage_says_the_scenes_caption_with_every_layer_as_a_chip() -> None:
    scene = scene_of(HELD_OUT_FROM + 2)
    document = collage_of(scene, noise=0.5)
    written, spans = document.written_caption()
    assert written == caption_text(scene)
    assert {span.layer_id for span in spans} == {layer.id for layer in document.layers}


@pytest.mark.parametrize("seed", range(HELD_OUT_FROM, HELD_OUT_FROM + 12))
def test_half_of_the_objects_is_kept(seed: int) -> None:
    scene = scene_of(seed)
    assert len(kept_half(scene)) == len(scene.objects) // 2 >= 1


def test_ladder_refuses_seeds_that_training_may_have_seen() -> None:
    with pytest.raises(ValueError, match="held-out"):
        Plan(first_seed=HELD_OUT_FROM - 1)


def test_rungs_differ_in_attention_control_and_noise_only() -> None:
    scene = scene_of(HELD_OUT_FROM)
    gh, ca, ln = (request_of(scene, _column(name, PLAN.noise), PLAN) for name in (GH, CA, LN))
    assert gh.settings == replace(ca.settings, ca_schedule="off")
    assert gh.document.layers == ca.document.layers
    assert ln.settings == ca.settings
    kept = kept_half(scene)
    assert ln.document == with_noise(ca.document, PLAN.kept_noise, kept)
    assert gh.seeds == ca.seeds == ln.seeds


def test_rung_with_control_holds_the_objects_and_leaves_the_backdrop_free() -> None:
    plan = replace(PLAN, control="some/controlnet")
    (column,) = (c for c in plan.tables[0].columns if c.edges)
    document = request_of(scene_of(HELD_OUT_FROM), column, plan).document
    assert document.settings.extras.control_model == "some/controlnet"
    assert [layer.extras.control for layer in document.layers][:2] == [0.0, plan.edge]
    assert len(PLAN.tables[0].columns) == len(plan.tables[0].columns) - 1


def test_every_configuration_has_a_key_of_its_own_and_runs_once() -> None:
    wanted = list(Plan().wanted(HELD_OUT_FROM))
    assert len({configuration.key for configuration in wanted}) == len(wanted)
    few = list(Plan(sweep_count=0).wanted(HELD_OUT_FROM))
    assert {configuration.key for configuration in few} < {c.key for c in wanted}


def test_plan_with_an_unknown_part_is_refused() -> None:
    with pytest.raises(ValueError, match="no part tables"):
        Plan(parts=("tables",))


def test_unusual_scene_differs_in_one_object_only() -> None:
    names = unusual_names()
    for seed in range(HELD_OUT_FROM, HELD_OUT_FROM + 20):
        usual, scene = scene_of(seed), unusual_scene(seed)
        odd = [placed for placed in scene.objects if placed.look]
        assert len(odd) == 1
        assert names[odd[0].look - 1] == odd[0].name
        assert len({placed.name for placed in scene.objects}) == len(scene.objects)
        assert len(set(usual.objects) - set(scene.objects)) == 1
        assert (scene.background, scene.lighting) == (usual.background, usual.lighting)


def test_learned_looks_go_on_the_unusual_object_alone() -> None:
    plan = Plan(count=1)
    column = plan.tables[2].named(TI)
    assert column is not None
    scene = unusual_scene(HELD_OUT_FROM)
    (odd,) = (placed.look for placed in scene.objects if placed.look)
    with pytest.raises(KeyError):
        request_of(scene, column, plan)
    sheet = unusual_sheet()
    assert [layer.id for layer in sheet.layers] == [f"look-{i + 1}" for i in range(8)]
    assert sheet.layers[odd - 1].text in caption_text(scene)


def test_painting_one_by_one_hands_each_object_the_picture_so_far() -> None:
    scene = scene_of(HELD_OUT_FROM)
    engine = Listening()
    picture = one_by_one(engine, request_of(scene, _column("one by one"), PLAN))
    assert [r.layer_ids for r in engine.heard if isinstance(r, RerollRequest)] == [
        (object_id(index),) for index in range(len(scene.objects))
    ]
    assert all(isinstance(r, RerollRequest) and r.start is Start.ORIGINAL for r in engine.heard)
    backdrop = request_of(scene, _column("one by one"), PLAN).document.layers[0].raster
    assert backdrop is not None
    assert int(picture[0, 0, 0]) - int(backdrop.pixels[0, 0, 0]) == len(scene.objects)
    captions = {request.document.written_caption()[0] for request in engine.heard}
    assert captions == {caption_text(scene)}


def test_engine_that_paints_the_truth_closes_the_whole_distance() -> None:
    found = columns_of(MAIN, _perfect_runs())
    rows = rows_of(MAIN, found)
    for zone in ("harmony_objects", "harmony_others", "harmony_shadows"):
        assert rows[zone][GH].value == pytest.approx(1.0)
    assert rows["backdrop_drift"][GH].value == pytest.approx(0.0)


def test_engine_that_changes_nothing_closes_nothing_and_keeps_all_appearance() -> None:
    plan = Plan(count=1, parts=("main",))
    runs = [_climbed(HELD_OUT_FROM, lambda seed: paste_only(scene_of(seed)), plan)]
    rows = rows_of(plan.tables[0], columns_of(plan.tables[0], runs))
    assert abs(rows["harmony_objects"][GH].value) < 0.05
    assert rows["appearance"][GH].value > 0.93


def test_truth_keeps_more_appearance_than_a_scrambled_picture() -> None:
    scene = scene_of(HELD_OUT_FROM + 4)
    yardstick = Yardstick.of(scene, collage_of(scene, noise=0.5))
    judge = _untrained_judge()
    truth = yardstick.measure("truth", render_lit(scene), judge)
    other = yardstick.measure("gh", np.flip(render_lit(scene), (0, 1)).copy(), judge)
    assert min(truth.appearance) > 0.7
    assert np.mean(other.appearance) < 0.4


def test_equal_rungs_have_no_difference() -> None:
    claims = comparisons(MAIN, columns_of(MAIN, _perfect_runs()))[1:]
    for gain in (claim.difference for claim in claims):
        assert gain.value == gain.low == gain.high == 0.0


def test_scores_come_back_from_json_with_undefined_numbers() -> None:
    run = _perfect_runs()[0]
    scores = replace(run.scores[PASTE], shadows=float("nan"))
    again = Scores.from_json(json.loads(json.dumps(scores.as_json(), allow_nan=False)))
    assert np.isnan(again.shadows)
    assert replace(again, shadows=0.0) == replace(scores, shadows=0.0)


def test_report_is_json_without_undefined_numbers() -> None:
    report = json.loads(json.dumps(as_json(PLAN, _perfect_runs(), 1.0), allow_nan=False))
    assert len(report["collages"]) == PLAN.count * len(list(PLAN.wanted(HELD_OUT_FROM)))
    figures = report["tables"]["main"]["rows"]["harmony_objects"]
    assert figures["paste-only"]["value"] == pytest.approx(0.0)
    assert [rival["noise"] for rival in report["sweep"]["objects"]["rivals"]] == [0.4, 0.6]


def test_tables_name_every_column_and_claim() -> None:
    text = as_markdown(PLAN, _perfect_runs())
    assert all(column.name in text for table in PLAN.tables for column in table.columns)
    claims = [c for t in PLAN.tables for c in comparisons(t, columns_of(t, _perfect_runs()))]
    assert text.count("| yes |") + text.count("| no |") == len(claims) + len(("zones",) * 3)
    assert "No rung with control" in text
    assert all(heading in text for heading, _ in [ROWS["placement"], ROWS["seconds"]])


def test_contact_sheet_ends_with_the_truth() -> None:
    runs = _perfect_runs()
    headings = [column.name for column in MAIN.columns]
    sheet = contact_sheet(headings, sheet_rows(MAIN, runs), tile=256)
    np.testing.assert_array_equal(sheet[34:290, -261:-5], render_lit(scene_of(runs[0].seed)))


def test_request_for_a_rung_is_a_plain_harmonise_run() -> None:
    request = request_of(scene_of(HELD_OUT_FROM), _column(CA, PLAN.strong_noise), PLAN)
    assert isinstance(request, HarmoniseRequest)
    assert {layer.noise for layer in request.document.layers} == {PLAN.strong_noise}
