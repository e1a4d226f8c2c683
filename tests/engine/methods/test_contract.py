"""What holds for every method on every family."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import FluxPipeline, StableDiffusion3Pipeline, StableDiffusionXLPipeline
from torch import Tensor

from collage_studio.document.geometry import Rect
from collage_studio.document.layouts import box_layer
from collage_studio.document.method_settings import (
    DenseDiffusion,
    MultiDiffusion,
    NoiseCollage,
    RichContext,
)
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.families.diffusion_schedule import stock_scheduler
from collage_studio.engine.families.flow_schedule import stock_flow_scheduler
from collage_studio.engine.families.flux import unpacked
from collage_studio.engine.runner import METHODS
from tests.engine.methods.layouts import SIDE, blank, cat_and_dog, latent, settings
from tests.engine.tiny_families import PIPELINES, T5_LENGTH

KINDS = ("stable_diffusion", "sdxl", "sd3", "flux", "flux_schnell")
STEPS, SCALE = 2, 3.0
NEUTRAL: dict[str, Any] = {
    "collage_diffusion": None,
    "noise_collage": NoiseCollage(),
    "multi_diffusion": MultiDiffusion(),
    "dense_diffusion": DenseDiffusion(words=0.0, neighbours=0.0),
    "rich_context": RichContext(strength=0.0),
}
_stock: dict[str, Tensor] = {}


def stock_latent(kind: str) -> Tensor:
    """What the family's own text-to-image pipeline draws of "a red cat" with seed 3."""
    if kind in _stock:
        return _stock[kind]
    pipe: Any = PIPELINES[kind]()
    pipe.set_progress_bar_config(disable=True)
    config = dict(pipe.scheduler.config)
    is_flow = isinstance(pipe, StableDiffusion3Pipeline | FluxPipeline)
    pipe.scheduler = stock_flow_scheduler(config) if is_flow else stock_scheduler("ddim", config)
    more: dict[str, Any] = {"max_sequence_length": T5_LENGTH} if is_flow else {}
    found = pipe(
        "a red cat",
        height=SIDE,
        width=SIDE,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        generator=torch.Generator("cpu").manual_seed(3),
        output_type="latent",
        **more,
    ).images
    cells = SIDE // 8
    if isinstance(pipe, FluxPipeline):
        found = unpacked(found, cells // 2, cells // 2)
    if isinstance(pipe, StableDiffusionXLPipeline):
        found = found.float()
    _stock[kind] = found
    return found


def scale_of(kind: str) -> float:
    """The stock pipeline of a network that was distilled for few steps does not guide."""
    return 1.0 if kind == "flux_schnell" else SCALE


def short(method: str, own: Any = None, **more: Any) -> RunSettings:
    return settings(method, own, **({"steps": STEPS, "guidance": SCALE} | more))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_neutral_settings_equal_the_stock_text_to_image(family_named, method, kind):
    document = blank(short(method, NEUTRAL[method], guidance=scale_of(kind)), words="a red cat")
    ours = latent(family_named(kind), document)
    assert (ours - stock_latent(kind)).abs().max() <= 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["noise_collage", "multi_diffusion", "rich_context"])
def test_one_region_over_the_whole_canvas_is_plain_text_to_image(family_named, method, kind):
    own = {"multi_diffusion": MultiDiffusion(bootstrap=0.5)}.get(method)
    everything = box_layer(Rect(0, 0, SIDE, SIDE), text="a red cat", layer_id="cat")
    run = short(method, own, guidance=scale_of(kind))
    ours = latent(family_named(kind), blank(run, everything))
    assert (ours - stock_latent(kind)).abs().max() <= 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_a_layout_changes_the_picture_and_seeds_do_not_touch_each_other(family_named, method, kind):
    family = family_named(kind)
    document = cat_and_dog(short(method), words="a red")
    both = latent(family, document, (3, 4))
    assert torch.isfinite(both).all()
    alone = latent(family, document, (4,))
    assert (both[1:] - alone).abs().max() <= 1e-3
    plain = latent(family, replace(document, layers=()))
    assert (both[:1] - plain).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_crop_that_is_the_canvas_equals_the_full_prediction(family_named, kind):
    family = family_named(kind)
    pictures = [
        latent(family, cat_and_dog(short("noise_collage", NoiseCollage(crops=on, context=9.0))))
        for on in (True, False)
    ]
    assert torch.equal(*pictures)


@pytest.mark.parametrize("method", ["noise_collage", "multi_diffusion"])
def test_regions_that_all_say_the_caption_are_plain_text_to_image(family_named, method):
    own = (
        NoiseCollage(outside="caption", crops=False)
        if method == "noise_collage"
        else MultiDiffusion(bootstrap=0.0)
    )
    left = box_layer(Rect(0, 0, 32, SIDE), text="a red cat", layer_id="left")
    right = box_layer(Rect(24, 8, SIDE, 56), text="a red cat", layer_id="right")
    document = blank(short(method, own), words="a red cat").with_layers(left, right)
    ours = latent(family_named("stable_diffusion"), document)
    assert (ours - stock_latent("stable_diffusion")).abs().max() <= 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_steering_attention_acts_in_every_family(family_named, kind):
    family = family_named(kind)
    for method, on, off in (
        (
            "dense_diffusion",
            DenseDiffusion(until=1.0, separate=False),
            DenseDiffusion(words=0.0, neighbours=0.0),
        ),
        ("noise_collage", NoiseCollage(crops=False), NoiseCollage(crops=False, outside="off")),
        ("rich_context", RichContext(), RichContext(until=0.0)),
        ("rich_context", RichContext(strength=0.0, words=True), RichContext(strength=0.0)),
    ):
        steered, plain = (latent(family, cat_and_dog(short(method, own))) for own in (on, off))
        assert (steered - plain).abs().max() > 1e-3
