"""The ladder on engines whose outcome is known, and the collages it is built on."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from collage_studio.document.compositing import composite_picture
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Recipe
from collage_studio.engine.api import Event, Finished, Picture, Produced, Request, Started
from collage_studio.evaluate import commands
from collage_studio.evaluate.cli import add_arguments
from collage_studio.evaluate.collages import collage_of, kept_half, object_id, with_noise
from collage_studio.evaluate.judge import (
    CROP,
    Judge,
    JudgeMissing,
    JudgeNet,
    cut_square,
    square_around,
)
from collage_studio.evaluate.judge_training import class_names, make_lessons, train_judge
from collage_studio.evaluate.ladder import Climbed, Rung, Yardstick, climb, request_of, scene_of
from collage_studio.evaluate.plan import Plan
from collage_studio.evaluate.report import (
    COLUMNS,
    as_json,
    as_markdown,
    comparisons,
    contact_sheet,
)
from collage_studio.starter.render import paste_only, render_lit
from collage_studio.starter.render import visible_masks as world_masks
from collage_studio.starter.world import HELD_OUT_FROM, caption_text

PLAN = Plan(count=2)


class KnownOutcome:
    """An engine that answers a request for a held-out scene with a picture of that scene."""

    def __init__(self, paint: Callable[[int], Picture]) -> None:
        self._paint = paint

    def run(self, request: Request, is_cancelled: Callable[[], bool]) -> Iterator[Event]:
        seed = request.seeds[0]
        yield Started(request.seeds, 1)
        yield Produced(seed, self._paint(seed), Recipe("harmonise", seed, request.settings, ""))
        yield Finished()


def _untrained_judge() -> Judge:
    with torch.random.fork_rng(devices=[]):
        return Judge(JudgeNet(len(class_names())), class_names())


@cache
def _perfect_runs() -> tuple[Climbed, ...]:
    engine = KnownOutcome(lambda seed: render_lit(scene_of(seed)))
    return tuple(climb(scene_of(seed), PLAN, engine, _untrained_judge()) for seed in PLAN.seeds)


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
    gh, ca, ln = (request_of(scene, rung, PLAN) for rung in (Rung.GH, Rung.CA, Rung.LN))
    assert gh.settings == replace(ca.settings, ca_schedule="off")
    assert gh.document.layers == ca.document.layers
    assert ln.settings == ca.settings
    kept = kept_half(scene)
    assert ln.document == with_noise(ca.document, PLAN.kept_noise, kept)
    assert gh.seeds == ca.seeds == ln.seeds


def test_engine_that_paints_the_truth_closes_the_whole_distance() -> None:
    runs = _perfect_runs()
    for zone in ("harmony_objects", "harmony_others", "harmony_shadows"):
        assert COLUMNS[zone](runs, Rung.GH).value == pytest.approx(1.0)
    assert COLUMNS["backdrop_drift"](runs, Rung.GH).value == pytest.approx(0.0)


def test_engine_that_changes_nothing_closes_nothing_and_keeps_all_appearance() -> None:
    engine = KnownOutcome(lambda seed: paste_only(scene_of(seed)))
    runs = [climb(scene_of(HELD_OUT_FROM), PLAN, engine, _untrained_judge())]
    assert abs(COLUMNS["harmony_objects"](runs, Rung.GH).value) < 0.05
    assert COLUMNS["appearance"](runs, Rung.GH).value > 0.93


def test_truth_keeps_more_appearance_than_a_scrambled_picture() -> None:
    scene = scene_of(HELD_OUT_FROM + 4)
    yardstick = Yardstick.of(scene, collage_of(scene, noise=0.5))
    judge = _untrained_judge()
    truth = yardstick.measure(Rung.TRUTH, render_lit(scene), judge)
    other = yardstick.measure(Rung.GH, np.flip(render_lit(scene), (0, 1)).copy(), judge)
    assert min(truth.appearance) > 0.7
    assert np.mean(other.appearance) < 0.4


def test_equal_rungs_have_no_difference() -> None:
    gains = [claim.difference for claim in comparisons(_perfect_runs())[1:]]
    assert all(gain.value == gain.low == gain.high == 0.0 for gain in gains)


def test_report_is_json_without_undefined_numbers() -> None:
    report = json.loads(json.dumps(as_json(PLAN, _perfect_runs(), 1.0), allow_nan=False))
    assert len(report["collages"]) == PLAN.count * len(Rung)
    assert report["rungs"]["paste-only"]["harmony_objects"]["value"] == pytest.approx(0.0)


def test_table_names_every_rung_and_claim() -> None:
    table = as_markdown(PLAN, _perfect_runs())
    assert all(str(rung) in table for rung in Rung)
    assert table.count("| yes |") + table.count("| no |") == len(comparisons(_perfect_runs()))


def test_contact_sheet_ends_with_the_truth() -> None:
    runs = _perfect_runs()
    sheet = contact_sheet(runs)
    np.testing.assert_array_equal(sheet[28:284, -260:-4], render_lit(runs[0].scene))


def test_tables_replace_what_stands_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{commands.BEGIN}\nold\n{commands.END}\nafter\n", encoding="utf-8")
    commands.update_page(page, "new")
    text = page.read_text(encoding="utf-8")
    assert text == f"before\n{commands.BEGIN}\n\nnew\n{commands.END}\nafter\n"


def test_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing to replace", encoding="utf-8")
    with pytest.raises(ValueError, match="has no lines"):
        commands.update_page(page, "new")


def test_judge_cannot_tell_masks_with_the_same_box_apart() -> None:
    picture = render_lit(scene_of(HELD_OUT_FROM))
    box, cross = np.zeros((256, 256), np.float32), np.zeros((256, 256), np.float32)
    box[50:150, 60:160] = 1
    cross[95:105, 60:160] = cross[50:150, 105:115] = 1
    np.testing.assert_array_equal(
        cut_square(picture, *square_around(box)), cut_square(picture, *square_around(cross))
    )


def test_judge_sees_the_square_around_the_mask() -> None:
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[100:164, 40:104] = 255
    crop = cut_square(picture, 72, 132, 64)
    assert crop.shape == (CROP, CROP, 3)
    assert crop.min() == 255


def test_judge_comes_back_from_its_file(tmp_path: Path) -> None:
    judge, path = _untrained_judge(), tmp_path / "judge.safetensors"
    judge.save(path)
    again = Judge.load(path)
    crops = torch.rand(2, 3, CROP, CROP, generator=torch.Generator().manual_seed(0))
    assert again.names == judge.names
    with torch.inference_mode():
        torch.testing.assert_close(again.net(crops), judge.net(crops), atol=1e-2, rtol=1e-2)


def test_missing_judge_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(JudgeMissing, match="evaluate judge"):
        Judge.load(tmp_path / "judge.safetensors")


def test_judge_refuses_a_world_it_does_not_know() -> None:
    with pytest.raises(JudgeMissing, match="zeppelin"):
        _untrained_judge().check_names(["tent", "zeppelin"])


def test_lessons_never_come_from_training_or_ladder_seeds() -> None:
    lessons = make_lessons(2_000_000, 2)
    assert lessons.crops.shape[1:] == (CROP, CROP, 3)
    assert len(lessons.crops) == len(lessons.classes) >= 2


def test_judge_learns_from_a_few_scenes() -> None:
    messages: list[str] = []
    judge = train_judge(12, 1, lambda what, _: messages.append(what), seed=1)
    assert judge.names == class_names()
    assert "drawing scenes" in messages


def test_command_line_is_built_without_torch() -> None:
    code = (
        "import argparse, sys\n"
        "from collage_studio.evaluate.cli import add_arguments\n"
        "add_arguments(argparse.ArgumentParser())\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ladder_arguments_have_the_plans_defaults() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert commands.plan_of(parser.parse_args(["ladder"])) == Plan()
