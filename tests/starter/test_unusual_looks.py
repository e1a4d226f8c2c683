"""Unusual looks: other colours and a pattern, the same outline."""

import numpy as np
import pytest

from collage_studio.starter.looks import repainted
from collage_studio.starter.stickers import load_sticker
from collage_studio.starter.world import OBJECTS, Scene


@pytest.mark.parametrize("name", [kind.name for kind in OBJECTS[::5]])
def test_look_changes_colours_and_keeps_the_outline(name: str) -> None:
    usual = load_sticker(name)
    looks = [load_sticker(name, number) for number in (1, 2)]
    for look in looks:
        np.testing.assert_array_equal(look[..., 3], usual[..., 3])
        solid = usual[..., 3] > 200
        change = np.abs(look[solid][:, :3].astype(int) - usual[solid][:, :3])
        assert change.mean() > 25
    assert not np.array_equal(looks[0], looks[1])


def test_same_number_is_the_same_look() -> None:
    usual = load_sticker("car")
    np.testing.assert_array_equal(repainted(usual, 3), repainted(usual, 3))


def test_looks_are_numbered_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        repainted(load_sticker("car"), 0)


def test_scenes_that_training_draws_have_no_unusual_look() -> None:
    assert all(not placed.look for seed in range(40) for placed in Scene.from_seed(seed).objects)
