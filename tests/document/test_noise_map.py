"""The noise map reaches every object's own value, stays in range and never touches kept pixels."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, NextState
from collage_studio.document.noise_map import noise_map, run_layers
from collage_studio.document.recipe import RunSettings
from tests.document.collages import disc, documents, fill, group, picture, plain, unit

CANVAS = Size(512, 512)
SETTINGS = RunSettings()


def on_background(*layers, noise=0.8, size=CANVAS, **changes):
    return Document(size, layers, fill("background", (0, 0, 0, 255), noise=noise, **changes))


@pytest.mark.parametrize("radius", [8, 9, 13, 20, 31, 60, 140])
@pytest.mark.parametrize(("own", "around"), [(0.2, 0.8), (1.0, 0.1), (0.0, 1.0), (0.5, 0.0)])
def test_centre_of_a_disc_has_its_own_noise(radius, own, around):
    document = on_background(disc("d", (256, 200), radius, CANVAS, noise=own), noise=around)
    assert noise_map(document, SETTINGS)[200, 256] == pytest.approx(own, abs=0.02)


@pytest.mark.parametrize("side", [256, 1024, 700])
def test_softness_scales_with_the_canvas(side):
    size = Size(side, side)
    document = on_background(disc("d", (side / 2, side / 2), side / 64, size, noise=0.2), size=size)
    assert noise_map(document, SETTINGS)[side // 2, side // 2] == pytest.approx(0.2, abs=0.02)
    big = on_background(disc("d", (side / 2, side / 2), side / 4, size, noise=0.2), size=size)
    row = noise_map(big, SETTINGS)[side // 2]
    edge = side // 4
    assert row[edge] == pytest.approx(0.5, abs=0.05)
    assert row[edge + side // 51] == pytest.approx(0.8 - 0.6 * 0.8413, abs=0.05)


def test_small_disc_on_a_big_object_keeps_its_value():
    big = disc("big", (256, 256), 150, CANVAS, noise=0.9)
    small = disc("small", (256, 256), 8, CANVAS, noise=0.3)
    values = noise_map(on_background(big, small, noise=0.1), SETTINGS)
    assert values[256, 256] == pytest.approx(0.3, abs=0.02)
    assert values[256, 330] == pytest.approx(0.9, abs=0.02)


def test_map_is_soft_everywhere():
    big = disc("big", (256, 256), 100, CANVAS, noise=0.9)
    values = noise_map(on_background(big, noise=0.1), SETTINGS)
    assert np.abs(np.diff(values, axis=0)).max() < 0.06


@settings(max_examples=25, deadline=None)
@given(
    documents(),
    st.sampled_from([0.0, 10.0, 60.0]),
    st.sampled_from([None, Size(6, 5), Size(30, 25)]),
)
def test_values_stay_between_those_of_the_visible_layers(document, softness, size):
    masks = visible_masks(document)
    seen = [document.find(key).effective_noise for key, mask in masks.items() if mask.max() > 0]
    values = noise_map(document, RunSettings(softness=softness), size=size)
    assert values.dtype == np.float32
    assert values.shape == (size or document.size).shape
    assert values.min() >= np.float32(min(seen))
    assert values.max() <= np.float32(max(seen))


@settings(max_examples=25, deadline=None)
@given(
    documents(),
    st.sampled_from([3.0, 10.0, 200.0]),
    st.sampled_from([None, Size(6, 5), Size(30, 25)]),
    st.data(),
)
def test_kept_pixels_are_exactly_zero(document, softness, size, data):
    leaves = [layer.id for layer in document.walk() if not layer.is_group]
    assume(leaves)
    kept = data.draw(st.sets(st.sampled_from(leaves), min_size=1))
    keep = lambda one: replace(  # noqa: E731
        one,
        state=NextState.KEEP if one.id in kept else one.state,
        children=tuple(keep(child) for child in one.children),
    )
    document = document.with_layers(*map(keep, document.layers))
    values = noise_map(document, RunSettings(softness=softness), size=size)
    masks = visible_masks(document, size)
    covered = sum(masks[key] for key in kept if key in masks)
    assert not values[np.broadcast_to(covered >= 1 - 1e-6, values.shape)].any()


def test_softening_next_to_a_kept_layer_happens_outside_it():
    kept = disc("k", (256, 256), 100, CANVAS, state=NextState.KEEP)
    values = noise_map(on_background(kept, noise=0.8), SETTINGS)
    row = values[256]
    assert not row[157:356].any()
    assert 0 < row[360] < row[366] < row[372] < 0.8
    assert row[400] == pytest.approx(0.8, abs=0.01)


def test_small_object_on_a_kept_layer_reaches_its_value():
    kept = picture("k", plain(512, 512, (1, 2, 3, 255)), state=NextState.KEEP)
    small = disc("s", (300, 300), 8, CANVAS, noise=0.6)
    values = noise_map(on_background(kept, small), SETTINGS)
    assert values[300, 300] == pytest.approx(0.6, abs=0.02)
    assert np.count_nonzero(values) < 4 * 10 * 10


@pytest.mark.parametrize("noise", [0.1, 0.3, 0.7, 1.0])
def test_uniform_inputs_give_a_uniform_map_to_the_bit(noise):
    document = on_background(disc("d", (256, 200), 40, CANVAS, noise=noise), noise=noise)
    assert (noise_map(document, SETTINGS) == np.float32(noise)).all()


def test_noise_scale_is_clipped_to_one():
    document = on_background(disc("d", (256, 256), 100, CANVAS, noise=0.3), noise=0.8)
    values = noise_map(document, RunSettings(noise_scale=2.0))
    assert values[256, 256] == pytest.approx(0.6, abs=1e-3)
    assert values[5, 5] == 1


def test_half_transparent_layer_mixes_the_values():
    over = picture("o", plain(512, 512, (1, 2, 3, 255)), opacity=0.5, noise=0.2)
    values = noise_map(on_background(over, noise=0.8), SETTINGS)
    assert values == pytest.approx(0.5, abs=1e-5)


def test_kept_group_keeps_all_inside():
    child = disc("c", (256, 256), 100, CANVAS, noise=0.9)
    document = on_background(group("g", child, state=NextState.KEEP))
    assert noise_map(document, SETTINGS)[256, 256] == 0


def test_reroll_is_zero_beyond_the_feather():
    chosen = disc("c", (256, 256), 60, CANVAS, noise=0.7, state=NextState.KEEP)
    other = disc("o", (100, 100), 60, CANVAS, noise=0.9)
    values = noise_map(on_background(other, chosen), SETTINGS, only=("c",))
    mask = visible_masks(on_background(other, chosen))["c"]
    distance = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, 5)
    assert not values[distance > 1.5 * SETTINGS.softness].any()
    assert np.abs(values[mask == 1] - 0.7).max() < 1e-5
    feather = values[(distance > 1) & (distance < 6)]
    assert feather.min() > 0
    assert feather.max() <= np.float32(0.7)


def test_reroll_of_a_group_means_its_leaves():
    inner = disc("c", (256, 256), 60, CANVAS, noise=0.7)
    document = on_background(group("g", inner))
    by_group = noise_map(document, SETTINGS, only=("g",))
    assert np.array_equal(by_group, noise_map(document, SETTINGS, only=("c",)))
    assert by_group.max() == np.float32(0.7)


def test_reroll_spares_kept_neighbours():
    kept = disc("k", (320, 256), 60, CANVAS, state=NextState.KEEP)
    chosen = disc("c", (220, 256), 60, CANVAS, noise=0.7)
    document = on_background(chosen, kept)
    values = noise_map(document, SETTINGS, only=("c",))
    assert not values[visible_masks(document)["k"] == 1].any()
    assert values[256, 190] == pytest.approx(0.7, abs=1e-3)


def test_reroll_of_several_layers_gives_each_its_own_noise():
    big = disc("big", (256, 256), 150, CANVAS, noise=0.9)
    small = disc("small", (256, 256), 12, CANVAS, noise=0.3)
    values = noise_map(on_background(big, small), SETTINGS, only=("big", "small"))
    assert values[256, 256] == pytest.approx(0.3, abs=0.02)
    assert values[256, 340] == pytest.approx(0.9, abs=0.02)
    assert values[5, 5] == 0


def test_reroll_of_a_missing_or_hidden_layer_changes_nothing():
    hidden = disc("h", (256, 256), 60, CANVAS, visible=False)
    assert not noise_map(on_background(hidden), SETTINGS, only=("h",)).any()
    assert not noise_map(on_background(hidden), SETTINGS, only=("gone",)).any()


@settings(max_examples=25, deadline=None)
@given(documents(), unit)
def test_rerolled_map_stays_in_range(document, noise):
    leaves = [layer.id for layer in document.walk() if not layer.is_group]
    assume(leaves)
    values = noise_map(document, RunSettings(softness=80), only=leaves[:2])
    assert values.min() >= 0
    top = max(layer.noise for layer in document.walk() if layer.id in leaves[:2])
    assert values.max() <= np.float32(top)


def test_no_softness_gives_the_plain_sum():
    own = disc("d", (256, 256), 60, CANVAS, noise=0.3)
    document = on_background(own)
    masks = visible_masks(document)
    plain_sum = masks["d"] * np.float32(0.3) + masks["background"] * np.float32(0.8)
    assert np.abs(noise_map(document, RunSettings(softness=0)) - plain_sum).max() < 1e-6


def test_marked_layers_are_those_that_run():
    marked = NextState.REROLL
    hidden = picture("h", state=marked, visible=False)
    inner = picture("i", state=marked, placement=Affine())
    document = on_background(picture("a"), group("g", inner), hidden, state=marked)
    assert run_layers(document) == ("background", "i")
    assert run_layers(on_background(picture("a"))) == ()
