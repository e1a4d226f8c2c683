"""Each pixel follows the known picture until its own noise sets it free."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.noise_map import noise_map
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import HarmoniseRequest, Produced
from collage_studio.engine.denoise import Pins, denoise
from collage_studio.engine.families.base import Prediction
from collage_studio.engine.finish import newness
from collage_studio.engine.noise import CanvasNoise
from collage_studio.engine.runner import Engine
from tests.engine import tiny
from tests.engine.scenes import cat_and_dog, difference

SAMPLERS = ["euler_a", "dpmpp_2m", "ddim"]


def pointwise(schedule):
    """A network whose pixels do not see each other: x0 is a curved function of x alone."""

    def denoiser(x, index):
        a, b = schedule.before[index]
        x0 = torch.tanh(x * 0.8)
        return Prediction(x0, (x - a * x0) / b)

    return denoiser


def no_noise() -> torch.Tensor:
    raise AssertionError("A deterministic sampler draws nothing.")


def run(schedule, clean, noise, strengths, draw):
    first_steps = schedule.first_steps(strengths)
    first = int(first_steps.min())
    level = schedule.before[first]
    pins = Pins(clean, noise, first_steps)
    *_, last = denoise(
        pointwise(schedule), schedule, first, level.a * clean + level.b * noise, draw, pins
    )
    return last.x


@pytest.fixture(scope="module")
def family():
    return tiny.family(tiny.pipeline())


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddim"])
def test_each_zone_equals_img2img_at_its_own_strength(family, sampler):
    schedule = family.schedule(sampler, 20, Size(8, 8))
    clean, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    strengths = torch.full((1, 1, 8, 8), 0.8)
    strengths[..., 4:] = 0.35
    mixed = run(schedule, clean, noise, strengths, no_noise)
    high = run(schedule, clean, noise, torch.full_like(strengths, 0.8), no_noise)
    low = run(schedule, clean, noise, torch.full_like(strengths, 0.35), no_noise)
    assert torch.allclose(mixed[..., :4], high[..., :4], atol=1e-6)
    assert torch.allclose(mixed[..., 4:], low[..., 4:], atol=1e-6)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_pinned_pixels_are_at_the_level_after_the_step_and_end_as_the_input(family, sampler):
    schedule = family.schedule(sampler, 10, Size(8, 8))
    clean, noise = torch.randn(2, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    strengths = torch.full((1, 1, 4, 4), 0.7)
    strengths[..., 0] = 0.0
    first_steps = schedule.first_steps(strengths)
    start = schedule.before[3]
    steps = denoise(
        pointwise(schedule),
        schedule,
        3,
        start.a * clean + start.b * noise,
        lambda: torch.zeros_like(clean),
        Pins(clean, noise, first_steps),
    )
    for index, step in enumerate(steps, start=3):
        level = schedule.after[index]
        known = clean if index == 9 else level.a * clean + level.b * noise
        assert torch.equal(step.x[..., 0], known[..., 0])
    assert index == 9


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_exact_denoiser_recovers_the_picture(family, sampler):
    schedule = family.schedule(sampler, 12, Size(8, 8))
    clean, noise = torch.randn(2, 1, 4, 6, 6, generator=torch.Generator().manual_seed(0))

    def exact(x, index):
        a, b = schedule.before[index]
        return Prediction(clean, (x - a * clean) / b)

    level = schedule.before[2]
    *_, last = denoise(
        exact, schedule, 2, level.a * clean + level.b * noise, lambda: torch.randn_like(clean)
    )
    assert (last.x - clean).abs().max() < 0.15  # DDIM of SD ends at sigma 0.029 by design


def test_strengths_of_float32_maps_start_where_the_written_number_does(family):
    schedule = family.schedule("ddim", 50, Size(8, 8))
    for tenth in range(11):
        strength = tenth / 10
        cell = torch.full((1,), strength, dtype=torch.float32)
        assert int(schedule.first_steps(cell)) == schedule.first_step(strength)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_noise_zero_everywhere_returns_the_composite_bit_for_bit(tiny_folder, sampler):
    settings = RunSettings(model=str(tiny_folder), sampler=sampler, steps=4)
    document = cat_and_dog(settings, noises=(0.0, 0.0, 0.0))
    [*_, produced, _] = Engine("cpu").run(HarmoniseRequest(document, (1,), settings), never)
    from collage_studio.document.compositing import composite_picture

    assert isinstance(produced, Produced)
    assert np.array_equal(produced.picture, composite_picture(document))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("resolution", [0, 96])
def test_pixels_of_noise_zero_are_the_input_bit_for_bit(kl_folder, sampler, resolution):
    settings = RunSettings(
        model=str(kl_folder), sampler=sampler, steps=4, softness=4, resolution=resolution
    )
    document = cat_and_dog(settings, noises=(0.0, 0.7, 0.0))
    events = list(Engine("cpu").run(HarmoniseRequest(document, (1,), settings), never))
    [produced] = [event for event in events if isinstance(event, Produced)]
    from collage_studio.document.compositing import composite_picture

    changed = difference(produced.picture, composite_picture(document)) > 0
    free = noise_map(document, settings) > 0
    assert changed.any()
    assert not (changed & ~free).any()
    outside = np.ones_like(free)
    assert produced.box is not None
    outside[produced.box.slices] = False
    assert not (free & outside).any()


def test_kept_share_is_exact_at_both_ends():
    share = newness(np.array([[0.0, 0.05, 0.1, 0.7]], np.float32))[0, :, 0]
    assert share[0] == 0.0
    assert share[1] == 0.5
    assert share[2] == share[3] == 1.0


def test_a_crop_sees_the_noise_of_the_canvas():
    grid, window = Size(12, 9), Rect(4, 2, 10, 8)
    whole = CanvasNoise([5, 6], 4, grid, Rect.of_size(grid))
    crop = CanvasNoise([5, 6], 4, grid, window)
    for _ in range(3):
        rows, columns = window.slices
        assert torch.equal(whole.draw()[:, :, rows, columns], crop.draw())


def never() -> bool:
    return False
