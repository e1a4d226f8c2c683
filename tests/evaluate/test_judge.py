"""The judge: what it looks at, its file, and how it learns."""

from pathlib import Path

import numpy as np
import pytest
import torch

from collage_studio.engine.quality.judge import (
    CROP,
    Judge,
    JudgeMissing,
    JudgeNet,
    cut_square,
    square_around,
)
from collage_studio.evaluate.collages import scene_of
from collage_studio.evaluate.judge_training import class_names, make_lessons, train_judge
from collage_studio.starter.render import render_lit
from collage_studio.starter.world import HELD_OUT_FROM


def _untrained_judge() -> Judge:
    with torch.random.fork_rng(devices=[]):
        return Judge(JudgeNet(len(class_names())), class_names())


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


def test_judges_probabilities_add_up_and_agree_with_its_answer() -> None:
    judge, picture = _untrained_judge(), render_lit(scene_of(HELD_OUT_FROM))
    mask = np.zeros((256, 256), np.float32)
    mask[50:150, 60:160] = 1
    chances = judge.chances([cut_square(picture, *square_around(mask))] * 3, at_once=2)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-5)
    assert judge.found(picture, [mask]) == [judge.names[int(chances[0].argmax())]]
    assert judge.chances([]).shape == (0, len(judge.names))
