"""MultiDiffusion's windows are diffusers' panorama pipeline, and go further than it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import StableDiffusionPanoramaPipeline, UNet2DConditionModel
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.layouts import box_layer
from collage_studio.document.method_settings import MultiDiffusion
from collage_studio.engine.api import BadRequest
from collage_studio.engine.families.base import Frame
from collage_studio.engine.families.diffusion_schedule import stock_scheduler
from collage_studio.engine.regions.branches import Branch, add, rows_of, taken
from collage_studio.engine.regions.windows import gaussian, surrounded, views
from tests.engine import tiny
from tests.engine.methods.layouts import blank, latent, settings


def light_pipeline():
    """The stock panorama's windows have 64 x 64 cells whatever the model, so this one is small."""
    pipe = tiny.pipeline()
    torch.manual_seed(1)
    pipe.unet = UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(8, 16, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=4,
    ).eval()
    return pipe


def panorama(pipe, width, height, *, wrap, sampler, steps, scale):
    stock = StableDiffusionPanoramaPipeline(
        vae=pipe.vae,
        text_encoder=pipe.text_encoder,
        tokenizer=pipe.tokenizer,
        unet=pipe.unet,
        scheduler=stock_scheduler("ddim", dict(pipe.scheduler.config)),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    # The pipeline asks for DDIM when it is made and runs with any other scheduler afterwards.
    stock.scheduler = stock_scheduler(sampler, dict(pipe.scheduler.config))
    stock.set_progress_bar_config(disable=True)
    return stock(
        "a red cat",
        height=height,
        width=width,
        num_inference_steps=steps,
        guidance_scale=scale,
        negative_prompt="blurry",
        circular_padding=wrap,
        view_batch_size=4,
        generator=torch.Generator("cpu").manual_seed(3),
        output_type="latent",
    ).images


@pytest.mark.parametrize(
    ("width", "height", "wrap", "sampler"),
    [(576, 512, True, "dpmpp_2m"), (640, 576, False, "ddim")],
)
def test_windows_equal_the_stock_panorama(width, height, wrap, sampler):
    pipe = light_pipeline()
    own = MultiDiffusion(window_cells=64, stride_cells=8, wrap=wrap)
    run = settings(
        "multi_diffusion",
        own,
        steps=2,
        guidance=3.0,
        avoid="blurry",
        sampler=sampler,
        resolution=min(width, height),
    )
    document = blank(run, size=Size(width, height), words="a red cat")
    ours = latent(tiny.family(pipe), document)
    expected = panorama(pipe, width, height, wrap=wrap, sampler=sampler, steps=2, scale=3.0)
    assert (ours - expected).abs().max() <= 1e-3


@tried(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 40),
    side=st.integers(1, 32),
    stride=st.integers(1, 32),
)
def test_windows_cover_every_cell(width, height, side, stride):
    stride = min(stride, side)
    covered = torch.zeros(height, width)
    for view in views(Size(width, height), side, stride):
        assert view.intersect(Rect(0, 0, width, height)) == view
        covered[view.slices] += 1
    assert bool((covered > 0).all())


def test_wrapped_windows_cover_every_cell_equally():
    count = torch.zeros(1, 1, 8, 32)
    for view in views(Size(32, 8), 8, 2, wrap=True):
        add(count, view, torch.ones(1, 1, view.height, view.width))
    assert bool((count == 4).all())


def test_a_wrapped_window_continues_at_the_left_edge():
    x = torch.arange(12.0).view(1, 1, 2, 6)
    part = taken(x, Rect(4, 0, 8, 2))
    assert part[0, 0].tolist() == [[4, 5, 0, 1], [10, 11, 6, 7]]
    out = torch.zeros_like(x)
    add(out, Rect(4, 0, 8, 2), part)
    assert out[0, 0, 0].tolist() == [0, 1, 0, 0, 4, 5]


@tried(max_examples=40, deadline=None)
@given(
    left=st.integers(0, 60),
    top=st.integers(0, 60),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    context=st.floats(0, 1),
)
def test_a_crop_holds_its_region_and_lies_on_the_canvas(left, top, width, height, context):
    box = Rect(left, top, left + width, top + height)
    grid = Size(100, 100)
    crop = surrounded(box, context, 16, 4, grid)
    assert crop.intersect(box) == box
    assert crop.intersect(Rect.of_size(grid)) == crop
    assert crop.width >= 16
    assert crop.height >= 16


def test_gaussian_weights_are_largest_in_the_middle():
    weights = gaussian(8, 12)
    assert weights.shape == (8, 12)
    assert float(weights.min()) > 0
    assert torch.equal(weights, weights.flip(0, 1))
    assert float(weights[3:5, 5:7].min()) > float(weights[0].max())


@pytest.mark.parametrize(
    "own",
    [
        MultiDiffusion(stride_cells=4, gaussian=True),
        MultiDiffusion(stride_cells=4, bootstrap=0.5),
        MultiDiffusion(stride_cells=4, wrap=True, batch=1),
    ],
)
def test_windows_and_regions_work_together(own):
    family = tiny.family(tiny.pipeline())
    run = settings("multi_diffusion", own, steps=2)
    cat = box_layer(Rect(8, 8, 60, 60), text="cat", layer_id="cat")
    document = blank(run, cat, size=Size(128, 64), words="a dog")
    ours = latent(family, document)
    assert ours.shape[-2:] == (8, 16)
    assert torch.isfinite(ours).all()
    assert (ours - latent(family, replace(document, layers=()))).abs().max() > 1e-3


def test_batches_of_windows_do_not_change_the_picture():
    family = tiny.family(tiny.pipeline())
    pictures = [
        latent(
            family,
            blank(
                settings("multi_diffusion", MultiDiffusion(batch=count), steps=2),
                size=Size(128, 64),
                words="a dog",
            ),
        )
        for count in (1, 3)
    ]
    assert (pictures[0] - pictures[1]).abs().max() <= 1e-4


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        (MultiDiffusion(window_cells=8, stride_cells=12), "leave gaps"),
        (MultiDiffusion(window_cells=7), "multiple of 2"),
    ],
)
def test_windows_that_do_not_fit_are_explained(own, sentence):
    document = blank(settings("multi_diffusion", own), words="a dog")
    with pytest.raises(BadRequest, match=sentence):
        latent(tiny.family(tiny.pipeline()), document)


def test_rows_that_ask_the_same_are_asked_once():
    family = tiny.family(tiny.pipeline())
    text, other, avoid = (family.read_text(words) for words in ("a cat", "a dog", ""))
    window, frame = Rect(0, 0, 4, 4), Frame.whole(4, 4)
    half = torch.zeros(4, 4)
    half[:, :2] = 1.0
    rows = rows_of(
        [
            Branch(text, avoid, window, half, frame),
            Branch(other, avoid, window, 1.0 - half, frame),
        ],
        family,
        4.0,
    )
    assert [row.text for row in rows] == [text, avoid, other]
    assert torch.allclose(sum(row.share for row in rows), torch.ones(4, 4))
