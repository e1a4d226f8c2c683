"""The judge of places: what it looks at, how it learns, and that it can be trusted."""

from pathlib import Path

import numpy as np
import pytest
import torch

from collage_studio.engine.quality.judge import CROP, Judge, JudgeMissing, JudgeNet
from collage_studio.evaluate.judge_training import class_names
from collage_studio.evaluate.place_training import (
    CHECK_SEED,
    FIRST_SEED,
    check,
    holes_in,
    make_lessons,
    train_place_judge,
)
from collage_studio.evaluate.places import (
    AROUND,
    PlaceJudge,
    hole_between,
    hole_crop,
    place_classes,
    place_judge_path,
    without,
)
from collage_studio.starter.render import render_lit
from collage_studio.starter.world import BACKGROUNDS, Scene


def _untrained() -> PlaceJudge:
    with torch.random.fork_rng(devices=[]):
        return PlaceJudge(Judge(JudgeNet(len(place_classes())), place_classes()))


def test_only_the_pixels_of_the_hole_can_give_the_answer() -> None:
    scene = Scene.from_seed(CHECK_SEED, min_objects=2)
    rest, hole = holes_in(scene)[0]
    truth = render_lit(rest)
    elsewhere = np.where(hole[..., None] > 0.5, truth, 255 - truth)
    crop = hole_crop(truth, hole)
    assert crop.shape == (CROP, CROP, 3)
    assert (crop == np.array(AROUND)).all(axis=2).any()
    apart = np.abs(crop.astype(int) - hole_crop(elsewhere, hole))
    assert np.median(apart.max(axis=2)) == 0
    assert (apart > 64).mean() < 0.02


def test_where_another_object_lies_there_is_no_background_to_name() -> None:
    mask, others = np.ones((8, 8), np.float32), np.zeros((8, 8), np.float32)
    others[:, 4:] = 0.5
    hole = hole_between(mask, others)
    assert hole[:, :4].all()
    assert not hole[:, 4:].any()
    assert _untrained().seen(np.zeros((8, 8, 3), np.uint8), hole, "noon") is None


def test_a_place_is_named_in_the_light_that_is_known() -> None:
    crop = np.zeros((CROP, CROP, 3), np.uint8)
    judge = _untrained()
    chances = judge.judge.chances([crop])[0]
    for light in ("noon", "night"):
        named = {name: chances[place_classes().index(f"{name}, {light}")] for name in BACKGROUNDS}
        assert judge.named([crop], [light]) == [max(named, key=lambda name: named[name])]


def test_scene_without_an_object_keeps_everything_else() -> None:
    scene = Scene.from_seed(FIRST_SEED, min_objects=3)
    rest = without(scene, 1)
    assert rest.objects == (scene.objects[0], *scene.objects[2:])
    assert (rest.seed, rest.background, rest.lighting) == (
        scene.seed,
        scene.background,
        scene.lighting,
    )


def test_judge_of_objects_is_no_judge_of_places() -> None:
    with torch.random.fork_rng(devices=[]):
        objects = Judge(JudgeNet(len(class_names())), class_names())
    with pytest.raises(JudgeMissing, match="beach"):
        PlaceJudge(objects)


def test_judge_of_places_learns_and_comes_back_from_its_file(tmp_path: Path) -> None:
    lessons = make_lessons(FIRST_SEED, 2)
    assert len(lessons.crops) == len(lessons.classes)
    messages = list[str]()
    judge = train_place_judge(3, 1, lambda what, _: messages.append(what), seed=1)
    assert "drawing scenes" in messages
    judge.judge.save(tmp_path / "places.safetensors")
    assert PlaceJudge.load(tmp_path / "places.safetensors").judge.names == place_classes()


@pytest.mark.skipif(not place_judge_path().is_file(), reason="the judge is not installed")
def test_bundled_judge_of_places_is_nearly_always_right_and_notices_wrong_fillings() -> None:
    found = check(PlaceJudge.load(), scenes=16)
    assert found.holes > 20
    assert found.right > 0.9
    assert found.other_place < 0.1
    assert found.object_left < 0.5
