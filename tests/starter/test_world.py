"""The sticker world: scenes are values of their seed, and the renderings agree with each other."""

from __future__ import annotations

import numpy as np
import pytest

from collage_studio.starter.render import (
    cutouts,
    paste_only,
    render_background,
    render_lit,
    shadow_zone,
    visible_masks,
)
from collage_studio.starter.stickers import STICKER_FOLDER, load_sticker
from collage_studio.starter.world import (
    BACKGROUNDS,
    HELD_OUT_FROM,
    LIGHTINGS,
    OBJECTS,
    HeldOutSeed,
    Scene,
    caption_parts,
    caption_text,
    refuse_held_out,
)

SIZE = 96


def test_a_seed_always_gives_the_same_scene_and_pixels():
    first, second = Scene.from_seed(5), Scene.from_seed(5)
    assert first == second
    assert np.array_equal(render_lit(first, SIZE), render_lit(second, SIZE))


def test_different_seeds_give_different_scenes():
    assert len({Scene.from_seed(seed) for seed in range(50)}) == 50


def test_a_lighting_can_be_chosen_without_moving_the_objects():
    noon, night = (Scene.from_seed(5, lighting=name) for name in ("noon", "night"))
    assert noon.objects == night.objects
    assert render_lit(night, SIZE).mean() < 0.7 * render_lit(noon, SIZE).mean()


def test_seeds_draw_every_object_background_and_lighting():
    scenes = [Scene.from_seed(seed) for seed in range(300)]
    assert {placed.name for scene in scenes for placed in scene.objects} == {
        kind.name for kind in OBJECTS
    }
    assert {scene.background for scene in scenes} == set(BACKGROUNDS)
    assert {scene.lighting for scene in scenes} == {kind.name for kind in LIGHTINGS}


@pytest.mark.parametrize("seed", [0, 7, HELD_OUT_FROM])
def test_visible_masks_add_up_to_one(seed: int):
    masks = visible_masks(Scene.from_seed(seed), SIZE)
    np.testing.assert_allclose(masks.sum(axis=0), 1.0, atol=1e-5)
    assert masks.min() >= 0


def test_the_photobash_is_the_lit_background_outside_its_objects():
    scene = Scene.from_seed(3)
    outside = visible_masks(scene, SIZE)[-1] == 1
    assert outside.any()
    assert np.array_equal(paste_only(scene, SIZE)[outside], render_background(scene, SIZE)[outside])


def test_the_truth_differs_from_the_background_only_by_objects_and_shadows():
    scene = Scene.from_seed(3)
    free = (visible_masks(scene, SIZE)[-1] == 1) & (shadow_zone(scene, SIZE) < 1e-4)
    difference = np.abs(
        render_lit(scene, SIZE)[free].astype(int) - render_background(scene, SIZE)[free]
    )
    assert difference.max() <= 1


def test_shadows_darken_the_ground():
    scene = Scene.from_seed(3)
    core = shadow_zone(scene, SIZE) > 0.3
    assert render_lit(scene, SIZE)[core].mean() < 0.9 * render_background(scene, SIZE)[core].mean()


def test_light_changes_the_coarse_colour_of_objects():
    scene = Scene.from_seed(3, lighting="night")
    covered = visible_masks(scene, SIZE)[:-1].sum(axis=0) > 0.99
    lit, flat = render_lit(scene, SIZE)[covered], paste_only(scene, SIZE)[covered]
    assert lit.mean() < 0.7 * flat.mean()


def test_a_cutout_lands_where_the_mask_says():
    scene = Scene.from_seed(1, min_objects=1, max_objects=1)
    cutout = cutouts(scene, SIZE)[0]
    height, width = cutout.pixels.shape[:2]
    centre = cutout.placement @ np.array([width / 2, height / 2, 1.0])
    placed = scene.objects[0]
    np.testing.assert_allclose(centre, np.array([placed.x, placed.base - placed.height / 2]) * SIZE)


def test_captions_name_every_object_once_and_say_place_and_light():
    for seed in range(60):
        scene = Scene.from_seed(seed)
        parts = caption_parts(scene)
        assert sorted(part for part in parts if isinstance(part, int)) == list(
            range(len(scene.objects))
        )
        text = caption_text(scene)
        assert all(placed.phrase in text for placed in scene.objects)
        assert BACKGROUNDS[scene.background] in text


def test_the_order_in_captions_tells_nothing_about_depth():
    scenes = [Scene.from_seed(seed, min_objects=3, max_objects=3) for seed in range(60)]
    orders = {tuple(p for p in scene.caption if isinstance(p, int)) for scene in scenes}
    assert len(orders) == 6


def test_held_out_seeds_are_refused_by_name():
    refuse_held_out(range(HELD_OUT_FROM))
    with pytest.raises(HeldOutSeed, match="Scene 1000000 is held out"):
        refuse_held_out([3, HELD_OUT_FROM])


def test_every_object_has_a_sticker_with_alpha():
    for kind in OBJECTS:
        sticker = load_sticker(kind.name)
        assert sticker.shape[2] == 4
        assert sticker[..., 3].max() == 255
        assert sticker[..., 3].min() == 0
    assert (STICKER_FOLDER / "OFL.txt").exists()
