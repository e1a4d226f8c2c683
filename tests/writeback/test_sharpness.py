"""A large cutout comes out of a small run at full size, sharp, and in the new light."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from collage_studio.document.compositing import composite_picture
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, Raster
from collage_studio.document.noise_paint import over
from collage_studio.writeback.sharpness import detail_kept, full_size
from collage_studio.writeback.stack import write_back

SIDE, CANVAS = 800, 160


def photo_like(seed: int = 0) -> Raster:
    """Fine texture on soft shapes, with a soft round border."""
    rng = np.random.default_rng(seed)
    soft = cv2.resize(rng.uniform(0.3, 0.7, (6, 6, 3)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    fine = rng.normal(0, 0.05, (SIDE, SIDE, 1))
    middle = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE)), (0, 0), 4)[..., None] * 0.25
    pixels = np.empty((SIDE, SIDE, 4), np.uint8)
    pixels[..., :3] = np.clip((soft + fine + middle) * 255, 0, 255)
    y, x = np.mgrid[0:SIDE, 0:SIDE] - SIDE / 2
    pixels[..., 3] = np.clip((SIDE * 0.48 - np.hypot(x, y)) / 6, 0, 1) * 255
    return Raster(pixels)


def written_back(noise: float) -> tuple[Layer, np.ndarray]:
    """The layer after a run that warmed and softened the picture at canvas size."""
    scale = Affine.scaling(CANVAS * 0.9 / SIDE)
    layer = Layer(
        "photo",
        "Photo",
        raster=photo_like(),
        noise=noise,
        placement=Affine.translation(8, 8).after(scale),
    )
    document = Document(Size(CANVAS, CANVAS), (layer,))
    shown = cv2.GaussianBlur(composite_picture(document), (0, 0), 1.0)
    lit = np.rint(shown * np.array([1.0, 0.92, 0.8])).astype(np.uint8)
    return write_back(document, lit).layers[0], lit


def fine_energy(raster: Raster) -> float:
    values = raster.pixels[200:600, 200:600, :3].astype(np.float32)
    return float(np.square(values - cv2.GaussianBlur(values, (0, 0), 3)).mean())


@pytest.mark.parametrize("noise", [0.1, 0.4])
def test_little_noise_keeps_the_sources_detail_and_takes_the_new_colour(noise: float):
    layer, lit = written_back(noise)
    sharp = full_size(layer)
    assert sharp.size == layer.raster.size
    # The light itself dims the picture by 0.9 on average, and with it its detail.
    assert fine_energy(sharp) >= 0.95 * 0.9**2 * fine_energy(layer.raster)
    small = cv2.resize(sharp.pixels[..., :3], (144, 144), interpolation=cv2.INTER_AREA)
    inside = np.s_[40:104, 40:104]
    low = np.abs(
        cv2.GaussianBlur(small.astype(np.float32), (0, 0), 4)
        - cv2.GaussianBlur(lit[8:152, 8:152].astype(np.float32), (0, 0), 4)
    )[inside]
    assert low.mean() < 2


def test_full_noise_keeps_the_models_own_detail():
    layer, _ = written_back(1.0)
    assert fine_energy(full_size(layer)) < 0.05 * fine_energy(layer.raster)


def test_detail_fades_evenly_above_the_limit():
    kept = [detail_kept(noise / 20) for noise in range(21)]
    assert kept[:9] == [1.0] * 9
    assert kept[-1] == 0.0
    assert all(a >= b for a, b in pairwise(kept))


def test_alpha_and_depth_are_the_sources():
    layer, _ = written_back(0.3)
    assert (full_size(layer).pixels[..., 3] == layer.raster.pixels[..., 3]).all()


def test_a_layer_without_harmonised_pixels_is_refused():
    with pytest.raises(ValueError, match="no harmonised pixels"):
        full_size(Layer("photo", "Photo", raster=photo_like()))


def test_where_little_noise_is_painted_the_source_keeps_its_detail():
    layer, _ = written_back(1.0)
    assert layer.raster is not None
    cover = np.zeros(layer.raster.size.shape, np.float32)
    cover[:400] = 1.0
    painted = replace(layer, noise_paint=over(None, layer.raster.size, 0.0, cover))
    plain, sharp = full_size(layer).pixels, full_size(painted).pixels
    assert np.array_equal(sharp[420:], plain[420:])
    assert fine_energy(Raster(sharp[:380])) > 10 * fine_energy(Raster(plain[:380]))
