"""Placement: exact on the pixel grid, area-true when smaller, antialiased at its borders."""

import cv2
import numpy as np
import pytest

from collage_studio.document.compositing import bounds, flatten, place_layer
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import Document, Mask, Raster
from tests.document.collages import fill, group, picture, plain, raster

CANVAS = Size(40, 30)


def placed(layer, **changes):
    return place_layer(layer, size=CANVAS, **changes)


def test_whole_pixel_shift_returns_the_source_to_the_bit():
    source = raster(20, 15, alpha=255)
    shown = placed(picture(pixels=source, placement=Affine.translation(7, -3)))
    assert np.array_equal(np.round(shown[:12, 7:27] * 255).astype(np.uint8), source.pixels[3:])
    assert not shown[12:].any()


def test_sixteen_bit_source_keeps_its_precision():
    source = raster(20, 15, alpha=65535, dtype=np.uint16)
    shown = placed(picture(pixels=source))
    assert np.abs(shown[:15, :20] * 65535 - source.pixels).max() < 0.02


@pytest.mark.parametrize(
    ("placement", "turn"),
    [
        (Affine(-1, 0, 20, 0, 1, 0), lambda p: p[:, ::-1]),
        (Affine(1, 0, 0, 0, -1, 15), lambda p: p[::-1]),
        (Affine.rotation(180).about(10, 7.5), lambda p: p[::-1, ::-1]),
        (Affine.translation(15, 0).after(Affine.rotation(90)), lambda p: np.rot90(p, -1)),
    ],
)
def test_flip_and_right_angle_move_whole_pixels(placement, turn):
    source = raster(20, 15, alpha=255)
    shown = placed(picture(pixels=source, placement=placement))
    expected = turn(source.pixels)
    height, width = expected.shape[:2]
    assert np.array_equal(np.round(shown[:height, :width] * 255).astype(np.uint8), expected)


def test_doubling_follows_the_pixel_centre_convention():
    ramp = np.zeros((4, 16, 4), np.uint8)
    ramp[..., :3] = (np.arange(16) * 10)[None, :, None]
    ramp[..., 3] = 255
    shown = placed(picture(pixels=Raster(ramp), placement=Affine.scaling(2)))
    # Target pixel j has its centre at source position (j + 0.5) / 2 - 0.5 in pixel centres.
    expected = ((np.arange(32) + 0.5) / 2 - 0.5) * 10
    assert np.abs(shown[4, 4:28, 0] * 255 - expected[4:28]).max() < 0.6


def test_half_pixel_shift_makes_half_transparent_borders():
    layer = picture(pixels=plain(10, 8, (255, 255, 255, 255)), placement=Affine(c=2.5, f=3.25))
    alpha = placed(layer)[..., 3]
    assert alpha[6, 2] == pytest.approx(0.5, abs=1e-4)
    assert alpha[6, 12] == pytest.approx(0.5, abs=1e-4)
    assert alpha[3, 6] == pytest.approx(0.75, abs=1e-4)
    assert alpha[11, 6] == pytest.approx(0.25, abs=1e-4)
    assert (alpha[4:11, 3:12] == 1).all()


def test_shrinking_averages_the_area():
    board = np.zeros((64, 64, 4), np.uint8)
    board[..., 3] = 255
    board[::2, ::2, :3] = board[1::2, 1::2, :3] = 255
    for scale in (0.5, 0.37, 0.25, 0.1):
        shown = placed(picture(pixels=Raster(board), placement=Affine.scaling(scale)))
        inner = shown[1 : int(64 * scale) - 1, 1 : int(64 * scale) - 1, 0]
        assert np.abs(inner - 0.5).max() < 0.06, scale


def test_halving_on_the_grid_equals_the_mean_of_each_four_pixels():
    source = raster(20, 16, alpha=255)
    shown = placed(picture(pixels=source, placement=Affine.scaling(0.5)))
    mean = source.pixels.reshape(8, 2, 10, 2, 4).mean((1, 3)) / 255
    assert np.abs(shown[:8, :10] - mean).max() < 1e-5


@pytest.mark.parametrize("scale", [3.3, 1.0, 0.61, 0.2, 0.013])
@pytest.mark.parametrize("degrees", [0, 17, 45, 90])
def test_covered_area_is_kept(scale, degrees):
    placement = (
        Affine.translation(60.3, 55.7).after(Affine.rotation(degrees)).after(Affine.scaling(scale))
    )
    layer = picture(pixels=plain(12, 9, (9, 9, 9, 255)), placement=placement)
    area = place_layer(layer, size=Size(130, 120))[..., 3].sum()
    assert area == pytest.approx(12 * 9 * scale**2, rel=0.02)


def test_resampled_cutout_keeps_its_colour_at_soft_edges():
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[..., 1] = 255
    pixels[5:15, 5:15] = (200, 40, 0, 255)
    placement = Affine.translation(20, 2).after(Affine.rotation(31))
    shown = placed(picture(pixels=Raster(pixels), placement=placement))
    alpha = shown[..., 3]
    colour = shown[alpha > 0.02][:, :3] / alpha[alpha > 0.02][:, None]
    assert np.abs(colour - np.array([200, 40, 0]) / 255).max() < 0.01
    assert shown.min() >= 0
    assert alpha.max() <= 1


def test_mask_and_opacity_scale_the_alpha():
    values = np.random.default_rng(1).integers(0, 256, (6, 8)).astype(np.uint8)
    source, mask = raster(seed=4), Mask(values)
    shown = placed(picture(pixels=source, mask=mask, opacity=0.5))
    expected = source.pixels[..., 3] / 255 * (values / 255) * 0.5
    assert np.abs(shown[:6, :8, 3] - expected).max() < 1e-6
    ignored = placed(picture(pixels=source, mask=mask, mask_enabled=False))
    assert np.abs(ignored[:6, :8, 3] - source.pixels[..., 3] / 255).max() < 1e-6


def test_a_box_shows_the_same_pixels_as_the_whole():
    placement = Affine.translation(5.2, 1.9).after(Affine.rotation(20)).after(Affine.scaling(1.3))
    layer = picture(pixels=raster(20, 15), placement=placement)
    box = Rect(9, 4, 30, 25)
    assert np.abs(placed(layer, box=box) - placed(layer)[box.slices]).max() < 0.03


def test_flattening_smaller_resamples_from_the_source():
    source = raster(40, 30, alpha=255)
    document = Document(CANVAS, (picture(pixels=source),))
    small = flatten(document, size=Size(20, 15))
    expected = cv2.resize(source.pixels, (20, 15), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).max() <= 1


def test_degenerate_placement_shows_nothing():
    assert not placed(picture(placement=Affine(0, 0, 5, 0, 1, 5))).any()
    assert not placed(picture(placement=Affine(1, 1, 5, 1, 1, 5))).any()


def test_layer_outside_the_canvas_shows_nothing():
    assert not placed(picture(placement=Affine.translation(400, 5.5))).any()


def test_bounds_hold_the_placed_picture():
    layer = picture(placement=Affine.translation(2.5, 3))
    assert bounds(layer) == Rect(2, 3, 11, 9)
    assert bounds(group("g", layer, placement=Affine.scaling(2))) == Rect(5, 6, 21, 18)
    assert bounds(group("g")).is_empty
    assert bounds(fill("f", (1, 2, 3, 255))).is_empty
    assert bounds(fill("f", (1, 2, 3, 255)), canvas=CANVAS) == Rect.of_size(CANVAS)
