"""At neutral settings the engine is diffusers' own img2img, for any whole canvas."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
import torch

from collage_studio.document.geometry import Size
from collage_studio.document.model import Document, Layer, LayerKind, Raster
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import HarmoniseRequest, Produced
from collage_studio.engine.families.diffusion_schedule import SCHEDULERS, stock_scheduler
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.methods import collage_diffusion
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.models import load_model
from collage_studio.engine.runner import Engine
from collage_studio.resources_dir import resources_path
from tests.engine import tiny

WORDS, AVOID = "a cat on a dog", "blurry"


def canvas(picture: np.ndarray, noise: float, settings: RunSettings) -> Document:
    """A document that shows `picture` as one layer, with one noise everywhere."""
    height, width = picture.shape[:2]
    layer = Layer("photo", "Photo", raster=Raster.from_rgb(picture), noise=noise)
    ground = Layer("background", "Background", LayerKind.FILL, noise=noise)
    size = Size(width, height)
    from collage_studio.document.model import Caption

    return Document(size, (layer,), ground, Caption((WORDS,)), settings)


def decoded(family, document: Document, seeds: list[int]) -> torch.Tensor:
    """The engine's pictures before they become uint8, (B, 3, H, W) in [0, 1]."""
    plan = plan_harmonise(document, document.settings, family)
    start = torch.from_numpy(plan.start.transpose(2, 0, 1).copy())[None] / 255 * 2 - 1
    with torch.inference_mode():
        materials = Materials(
            family.read_text(WORDS), family.read_text(AVOID), family.encode(start)
        )
        setup = collage_diffusion.prepare(family, plan, materials)
        *_, last = collage_diffusion.sample(family, plan, setup, seeds, lambda: False)
        return (family.decode(last.x) / 2 + 0.5).clamp(0, 1)


def stock_picture(pipe, settings: RunSettings, picture: np.ndarray, strength, seed):
    scheduler = stock_scheduler(settings.sampler, dict(pipe.scheduler.config))
    return tiny.img2img(pipe, scheduler)(
        prompt=WORDS,
        negative_prompt=AVOID,
        image=PIL.Image.fromarray(picture),
        strength=strength,
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance,
        generator=torch.Generator("cpu").manual_seed(seed),
        output_type="pt",
    ).images


@pytest.mark.parametrize("autoencoder", ["kl", "tiny"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("sampler", SCHEDULERS)
def test_neutral_run_equals_stock_img2img(sampler, prediction, autoencoder):
    pipe = tiny.pipeline(prediction, autoencoder)
    picture = tiny.photograph(64, 64)
    settings = RunSettings(sampler=sampler, steps=10, guidance=5.0, avoid=AVOID)
    expected = stock_picture(pipe, settings, picture, 0.7, seed=3)
    ours = decoded(tiny.family(pipe), canvas(picture, 0.7, settings), [3])
    assert (ours - expected).abs().max() <= 1e-4


@pytest.mark.parametrize("sampler", SCHEDULERS)
@pytest.mark.parametrize(("width", "height", "strength"), [(40, 64, 1.0), (64, 24, 0.55)])
def test_neutral_run_equals_stock_img2img_off_the_square(sampler, width, height, strength):
    pipe = tiny.pipeline("v_prediction", "tiny")
    picture = tiny.photograph(width, height, seed=1)
    settings = RunSettings(sampler=sampler, steps=8, guidance=3.0, avoid=AVOID, resolution=64)
    expected = stock_picture(pipe, settings, picture, strength, seed=0)
    ours = decoded(tiny.family(pipe), canvas(picture, strength, settings), [0])
    assert (ours - expected).abs().max() <= 1e-4


def test_no_guidance_equals_stock_img2img_without_guidance():
    pipe = tiny.pipeline()
    picture = tiny.photograph(64, 64)
    settings = RunSettings(sampler="ddim", steps=6, guidance=1.0)
    expected = stock_picture(pipe, settings, picture, 0.5, seed=0)
    ours = decoded(tiny.family(pipe), canvas(picture, 0.5, settings), [0])
    assert (ours - expected).abs().max() <= 1e-4


@pytest.mark.parametrize("spacing", ["linspace", "trailing"])
@pytest.mark.parametrize("sampler", SCHEDULERS)
def test_other_spacings_of_the_checkpoint_are_kept(sampler, spacing):
    pipe = tiny.pipeline()
    pipe.scheduler.register_to_config(timestep_spacing=spacing)
    picture = tiny.photograph(64, 64)
    settings = RunSettings(sampler=sampler, steps=7, guidance=2.0, avoid=AVOID)
    expected = stock_picture(pipe, settings, picture, 0.6, seed=5)
    ours = decoded(tiny.family(pipe), canvas(picture, 0.6, settings), [5])
    assert (ours - expected).abs().max() <= 1e-4


@pytest.mark.parametrize("sampler", SCHEDULERS)
def test_batched_seeds_equal_single_seeds(sampler):
    family = tiny.family(tiny.pipeline())
    settings = RunSettings(sampler=sampler, steps=6, guidance=4.0, avoid=AVOID)
    document = canvas(tiny.photograph(64, 64), 0.8, settings)
    together = decoded(family, document, [0, 7, 9])
    alone = torch.cat([decoded(family, document, [seed]) for seed in (0, 7, 9)])
    assert (together - alone).abs().max() <= 1e-4


def test_starter_model_equals_stock_img2img():
    folder = resources_path("starter", "model")
    if not folder.is_dir():
        pytest.skip("The bundled starter model is not built in this checkout.")
    family = load_model("starter", tiny.CPU)
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None, requires_safety_checker=False
    ).to(torch.float32)
    picture = tiny.photograph(128, 96)
    settings = RunSettings(sampler="euler_a", steps=4, guidance=5.0, avoid=AVOID)
    expected = stock_picture(pipe, settings, picture, 0.75, seed=1)
    ours = decoded(family, canvas(picture, 0.75, settings), [1])
    assert (ours - expected).abs().max() <= 1e-4


def test_engine_run_gives_the_stock_picture(kl_folder):
    from diffusers import StableDiffusionPipeline

    picture = tiny.photograph(64, 48)
    settings = RunSettings(model=str(kl_folder), steps=5, guidance=5.0, avoid=AVOID)
    pipe = StableDiffusionPipeline.from_pretrained(kl_folder)
    expected = stock_picture(pipe, settings, picture, 0.8, seed=2)[0].permute(1, 2, 0).numpy()
    request = HarmoniseRequest(canvas(picture, 0.8, settings), (2,), settings)
    events = list(Engine("cpu").run(request, lambda: False))
    [ours] = [event.picture for event in events if isinstance(event, Produced)]
    assert np.abs(ours.astype(float) - np.rint(expected * 255)).max() <= 1
