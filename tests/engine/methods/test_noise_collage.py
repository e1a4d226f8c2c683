"""NoiseCollage: the published weights, masked reading, merging, and what a crop saves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.layouts import box_layer, layout_layer
from collage_studio.document.method_settings import NoiseCollage
from collage_studio.document.model import Document, LayerKind, Mask
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import (
    BadRequest,
    HarmoniseRequest,
    Produced,
    RerollRequest,
    Started,
)
from collage_studio.engine.attention.edits import Site
from collage_studio.engine.attention.joint_processors import joint_attention
from collage_studio.engine.attention.reading import CAPTION, NOTHING, OWN, MaskedReading, Reader
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.methods.noise_collage import prepare, region_weights
from collage_studio.engine.regions.branches import cost
from collage_studio.engine.regions.segments import Levels, assigned, find_segments, hard
from collage_studio.engine.runner import Engine
from collage_studio.engine.schedule import SAMPLERS
from tests.engine import scenes, tiny
from tests.engine.methods.layouts import SIDE, blank, cat_and_dog, materials_of, settings


@pytest.mark.parametrize(
    ("boxes", "object_weight"), [(0, 0), (1, 0.9091), (2, 0.4762), (3, 0.3226)]
)
def test_weights_are_the_published_ones(boxes, object_weight):
    masks = torch.zeros(3, 2, 2)
    masks[:boxes] = 1.0
    weights = region_weights(masks, 0.1)
    assert torch.allclose(weights.sum(0), torch.ones(2, 2))
    assert weights[1:, 0, 0].tolist() == pytest.approx(
        [object_weight] * boxes + [0] * (3 - boxes), abs=1e-4
    )
    assert float(weights[0, 0, 0]) == pytest.approx(0.1 / (boxes + 0.1), abs=1e-4)


def reader(outside: str, mask: torch.Tensor, window: Rect | None = None, **more) -> Reader:
    height, width = mask.shape
    return Reader(
        "cat",
        (height, width),
        window or Rect(0, 0, width, height),
        Levels(mask[None]),
        outside,
        **more,
    )


def half(height: int = 8, width: int = 8) -> torch.Tensor:
    mask = torch.zeros(height, width)
    mask[:, : width // 2] = 1.0
    return mask


@pytest.mark.parametrize(
    ("outside", "allowed"),
    [("caption", {CAPTION}), ("ring", {CAPTION, NOTHING}), ("drop", {CAPTION, NOTHING})],
)
def test_pixels_of_the_region_read_its_text_and_no_others(outside, allowed):
    mask = torch.zeros(8, 8)
    mask[2:6, 2:5] = 1.0
    texts = reader(outside, mask).texts_at(8, 8, (1,), 0)[0]
    assert bool((texts[mask > 0] == OWN).all())
    assert set(texts[mask == 0].tolist()) == allowed


def test_three_quarters_of_the_rest_read_nothing():
    texts = reader("drop", half(64, 64)).texts_at(64, 64, (1, 2), 3)
    share = float((texts == NOTHING).float().mean()) * 2
    assert abs(share - 0.75) < 0.03
    assert not torch.equal(texts[0], texts[1])


def test_a_crop_draws_what_the_whole_canvas_draws_there():
    whole = reader("drop", half()).texts_at(8, 8, (5,), 1)
    crop = Rect(2, 0, 8, 6)
    part = reader("drop", half()[crop.slices])
    part = replace(part, window=crop, grid=(8, 8)).texts_at(6, 6, (5,), 1)
    assert torch.equal(part, whole[:, 0:6, 2:8])


def gathered(query, key, value, texts, count):
    """Each pixel attends to the keys of its own text alone."""
    out = torch.empty_like(query)
    size = key.shape[2] // count
    for text in range(count):
        rows = texts == text
        keys = slice(text * size, (text + 1) * size)
        logits = query[:, :, rows] @ key[:, :, keys].transpose(-1, -2) / math.sqrt(query.shape[-1])
        out[:, :, rows] = logits.softmax(-1) @ value[:, :, keys]
    return out


@tried(max_examples=25, deadline=None)
@given(seed=st.integers(0, 50), outside=st.sampled_from(["drop", "ring", "caption"]))
def test_masked_reading_equals_gather_and_scatter(seed, outside):
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(4, 6, generator=generator) > 0.5).float()
    count = 2 if outside == "caption" else 3
    one = reader(outside, mask)
    edit = MaskedReading([one], (seed,), 2, count)
    query = torch.randn(1, 2, 24, 8, generator=generator)
    key, value = (torch.randn(1, 2, 5 * count, 8, generator=generator) for _ in range(2))
    bias = edit.text_bias(Site("x", 4, 6), query, key)
    ours = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    texts = one.texts_at(4, 6, (seed,), 2).flatten()
    assert (ours - gathered(query, key, value, texts, count)).abs().max() <= 1e-6


def test_a_regions_text_does_not_change_attention_outside_its_mask():
    mask = half(4, 4)
    edit = MaskedReading([reader("drop", mask)], (1,), 0, 3)
    query, key, value = (torch.randn(1, 2, n, 8) for n in (16, 12, 12))

    def out(own):
        bias = edit.text_bias(Site("x", 4, 4), query, own)
        return torch.nn.functional.scaled_dot_product_attention(query, own, value, attn_mask=bias)

    other = key.clone()
    other[:, :, :4] += 1.0
    inside = mask.flatten() > 0
    assert torch.equal(out(key)[:, :, ~inside], out(other)[:, :, ~inside])
    assert not torch.equal(out(key)[:, :, inside], out(other)[:, :, inside])


def test_joint_attention_keeps_texts_apart_as_well():
    mask = half(2, 4)
    edit = MaskedReading([reader("drop", mask, drop_rate=0.0)], (1,), 0, 3)
    parts = [torch.randn(1, 2, 6 + 8, 8) for _ in range(3)]
    text, pixels = slice(0, 6), slice(6, None)

    def out(shift):
        key = parts[1].clone()
        key[:, :, :2] += shift  # the region's own text
        return joint_attention(edit, Site("x", 2, 4), (parts[0], key, parts[2]), pixels, text)

    changed = (out(0.0) - out(1.0)).abs().amax(dim=(0, 1, 3)) > 0
    assert changed[:2].all()  # its own words
    assert not changed[2:6].any()  # caption and nothing
    assert changed[6:].tolist() == (mask.flatten() > 0).tolist()


def test_merging_outputs_is_merging_latents_for_samplers_without_fresh_noise():
    family = tiny.family(tiny.pipeline())
    for name in ("ddim", "dpmpp_2m"):
        schedule = family.schedule(name, 5, Size(4, 4))
        share = torch.rand(1, 1, 4, 4, dtype=torch.float64)
        x = torch.randn(1, 4, 4, 4, dtype=torch.float64)
        apart, once = [x, x], x
        samplers = [SAMPLERS[name]() for _ in range(3)]
        for index in range(len(schedule)):
            outs = [torch.randn(1, 4, 4, 4, dtype=torch.float64) for _ in range(2)]
            merged = share * outs[0] + (1 - share) * outs[1]
            found = family.interpret(merged, once, schedule, index)
            once = samplers[2].step(once, found.x0, found.noise, schedule, index, once)
            for number, out in enumerate(outs):
                here = apart[number]
                found = family.interpret(out, here, schedule, index)
                apart[number] = samplers[number].step(
                    here, found.x0, found.noise, schedule, index, here
                )
            both = share * apart[0] + (1 - share) * apart[1]
            apart = [both, both]
            assert (both - once).abs().max() < 1e-9


def prepared(document: Document, family):
    plan = plan_harmonise(document, document.settings, family)
    with torch.inference_mode():
        return prepare(family, plan, materials_of(family, plan))


def test_shares_of_all_rows_add_up_to_one():
    family = tiny.family(tiny.pipeline())
    for own in (NoiseCollage(), NoiseCollage(crops=False), NoiseCollage(shape="outline")):
        setup = prepared(cat_and_dog(settings("noise_collage", own)), family)
        total = torch.zeros(SIDE // 8, SIDE // 8)
        for row in setup.rows:
            total[row.window.slices] += row.share
        assert torch.allclose(total, torch.ones_like(total), atol=1e-5)


def test_on_the_whole_canvas_the_words_to_avoid_are_read_once():
    family = tiny.family(tiny.pipeline())
    setup = prepared(cat_and_dog(settings("noise_collage", NoiseCollage(crops=False))), family)
    assert len(setup.rows) == 4  # caption, words to avoid, cat, dog


def test_small_regions_cost_little():
    family = tiny.family(tiny.pipeline())
    boxes = [
        box_layer(Rect(64 * i, 8, 64 * i + 56, 64), text="cat", layer_id=f"cat{i}")
        for i in range(8)
    ]
    run = settings("noise_collage", resolution=512)
    setup = prepared(blank(run, *boxes, size=Size(512, 512)), family)
    assert cost(setup.rows, Size(64, 64)) < 0.35 * 18


def test_a_large_region_is_predicted_on_the_whole_canvas_and_a_small_one_in_a_crop():
    family = tiny.family(tiny.pipeline())
    boxes = [
        box_layer(Rect(0, 0, 320, 400), text="cat", layer_id="cat"),
        box_layer(Rect(400, 400, 500, 500), text="dog", layer_id="dog"),
    ]
    run = settings("noise_collage", resolution=512)
    rows = prepared(blank(run, *boxes, size=Size(512, 512)), family).rows
    whole = [row for row in rows if row.window == Rect(0, 0, 64, 64)]
    assert len(whole) == 3  # the caption, the cat, and the words to avoid of both
    assert len(rows) - len(whole) == 2  # the dog with words to avoid of its own


def test_regions_that_nothing_may_change_are_not_predicted():
    family = tiny.family(tiny.pipeline())
    document = cat_and_dog(settings("noise_collage", NoiseCollage(crops=False)))
    cat, dog = document.layers
    kept = replace(document, layers=(replace(cat, noise=0.0), dog))
    assert len(prepared(kept, family).rows) == len(prepared(document, family).rows) - 1


def overlapping(own: NoiseCollage) -> list:
    """Masks of a box and an ellipse in front of it, on 8 x 8 cells."""
    family = tiny.family(tiny.pipeline())
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    shape = Mask(np.where(x * x + y * y <= 1, 255, 0).astype(np.uint8))
    back = box_layer(Rect(0, 0, 48, 48), text="cat", layer_id="back")
    front = layout_layer(shape, (32, 32), text="dog", layer_id="front")
    document = blank(settings("noise_collage", own), back, front)
    plan = plan_harmonise(document, document.settings, family)
    return find_segments(plan, shape=own.shape, in_front=own.in_front)


def test_boxes_and_outlines_with_and_without_the_order_of_the_canvas():
    corner = (4, 4)  # inside both boxes, outside the ellipse
    box, published = overlapping(NoiseCollage())
    assert float(box.mask[corner]) == 1.0
    assert float(published.mask[corner]) > 0.5
    back, front = overlapping(NoiseCollage(in_front=True))
    assert float(back.mask[corner]) < 0.5 < float(front.mask[corner])
    _, outline = overlapping(NoiseCollage(shape="outline"))
    assert float(outline.mask[corner]) < 0.5
    behind, before = overlapping(NoiseCollage(shape="outline", in_front=True))
    assert float((behind.mask + before.mask).max()) <= 1.0 + 1e-5


def test_a_tiny_region_keeps_a_cell_at_every_resolution():
    mask = torch.zeros(1, 16, 16)
    mask[0, 5, 7] = 0.4
    for side in (16, 8, 4, 2, 1):
        assert bool(hard(Levels(mask).at(side, side)).any())
    shares = torch.stack([torch.full((4, 4), 0.9), torch.zeros(4, 4)])
    shares[1, 2, 3] = 0.1
    assert int(assigned(shares)[2, 3]) == 1


@pytest.mark.parametrize("method", ["noise_collage", "multi_diffusion", "dense_diffusion"])
def test_a_reroll_by_any_method_leaves_the_rest_to_the_bit(kl_folder, method):
    run = RunSettings(model=str(kl_folder), method=method, steps=3, softness=3)
    document = scenes.cat_and_dog(run, width=192, height=128)
    events = list(Engine("cpu").run(RerollRequest(document, ("cat",), (1,), run), lambda: False))
    [made] = [event for event in events if isinstance(event, Produced)]
    before = plan_harmonise(document, run, tiny.family(tiny.pipeline())).base
    changed = (made.picture != before).any(axis=2)
    assert changed.any()
    outside = np.ones_like(changed)
    outside[made.box.slices] = False
    assert not (changed & outside).any()


def warned(folder, document) -> tuple[str, ...]:
    run = replace(document.settings, model=str(folder))
    request = HarmoniseRequest(replace(document, settings=run), (1,), run)
    return next(
        e for e in Engine("cpu").run(request, lambda: False) if isinstance(e, Started)
    ).warnings


def test_a_layout_without_text_and_one_off_the_canvas_are_named(kl_folder):
    silent = box_layer(Rect(0, 0, 20, 20), name="Box 1", layer_id="silent")
    gone = box_layer(Rect(500, 500, 520, 520), text="cat", name="Far", layer_id="gone")
    found = warned(
        kl_folder, blank(settings("noise_collage", steps=2), silent, gone, words="a dog")
    )
    assert any("“Box 1” has a place but no text" in sentence for sentence in found)
    assert any("“Far” covers no part of the canvas" in sentence for sentence in found)


def test_a_document_that_says_nothing_is_explained(kl_folder):
    document = blank(settings("noise_collage", model=str(kl_folder)), words=" ")
    assert document.background.kind is LayerKind.FILL
    request = HarmoniseRequest(document, (1,), document.settings)
    with pytest.raises(BadRequest, match="nothing to draw yet"):
        list(Engine("cpu").run(request, lambda: False))
