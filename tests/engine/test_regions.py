"""Masks at every resolution, and tokens of layers from ranges of characters."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from collage_studio.document.geometry import Size
from collage_studio.document.model import Caption, CaptionSpan, Document, Layer, LayerKind, LayerRef
from collage_studio.engine.regions.ownership import Region, RegionWeights, halved, layer_tokens
from collage_studio.engine.text_plan import plan_text, skipped_warning
from tests.engine import tiny


@given(st.integers(1, 19), st.integers(1, 19))
def test_halving_keeps_ones_and_rounds_sizes_up(height, width):
    mask = halved(torch.ones(1, height, width))
    assert mask.shape == (1, -(-height // 2), -(-width // 2))
    assert torch.equal(mask, torch.ones_like(mask))


@given(st.integers(2, 33), st.integers(2, 33), st.randoms(use_true_random=False))
def test_a_small_object_never_vanishes(height, width, random):
    mask = torch.zeros(height, width)
    mask[random.randrange(height), random.randrange(width)] = 1 / 64
    region = Region("small", (1,), mask, 1.0, 1.0, 1.0)
    weights = RegionWeights([region])
    while True:
        assert weights.mask_at(height * width).max() >= 0.5
        if height * width == 1:
            break
        height, width = -(-height // 2), -(-width // 2)


def test_a_layer_outside_the_window_stays_outside():
    region = Region("away", (1,), torch.zeros(8, 8), 0.0, 0.4, 0.8)
    spread = torch.tensor([0.0, -0.8, 0.0]).expand(16, 3)
    assert torch.equal(RegionWeights([region]).at(16, 3), spread)


def fill(layer_id: str, text: str) -> Layer:
    return Layer(layer_id, layer_id, LayerKind.FILL, text=text)


def words_of(family, caption: str, tokens: tuple[int, ...], offsets) -> str:
    return "".join(caption[slice(*offsets[t])] for t in tokens)


def test_repeated_and_unicode_texts_have_their_own_tokens():
    family = tiny.family(tiny.pipeline())
    texts = {"one": "red cat", "two": "red cat", "three": "çä 😀 naïve", "four": "日本", "none": ""}
    layers = tuple(fill(key, text) for key, text in texts.items())
    parts = [part for key in texts for part in (LayerRef(key), ", and  ")]
    document = Document(Size(8, 8), layers, caption=Caption(tuple(parts)))
    plan = plan_text(document)
    offsets = family.read_text(plan.caption).offsets
    tokens = layer_tokens(plan.spans, offsets)
    assert set(tokens) == {"one", "two", "three", "four"}
    assert set(tokens["one"]).isdisjoint(tokens["two"])
    assert max(tokens["one"]) < min(tokens["two"])
    for key, found in tokens.items():
        ranges = dict.fromkeys(offsets[t] for t in found)
        written = "".join(plan.caption[start:end] for start, end in ranges)
        assert written.replace(" ", "") == texts[key].replace(" ", "")


def test_special_tokens_and_padding_belong_to_nobody():
    family = tiny.family(tiny.pipeline())
    offsets = family.read_text("cat").offsets
    tokens = layer_tokens([CaptionSpan("all", 0, 3)], offsets)
    assert tokens == {"all": (1,)}


def test_what_lies_beyond_the_limit_is_reported_and_has_no_tokens():
    family = tiny.family(tiny.pipeline())
    caption = "cat " * 75 + "dog cat dog"
    read = family.read_text(caption)
    assert read.skipped == "dog cat dog"
    start = caption.index("dog")
    assert layer_tokens([CaptionSpan("late", start, start + 3)], read.offsets) == {"late": ()}
    assert skipped_warning(read.skipped, family.text_limit) == (
        "The model reads about 75 words; the last 3 words are skipped: “dog cat dog”."
    )


def test_a_caption_that_just_fits_is_not_reported():
    family = tiny.family(tiny.pipeline())
    assert family.read_text("cat " * 75).skipped == ""


def test_an_empty_caption_is_made_of_the_layers_texts():
    document = Document(Size(8, 8), (fill("low", "a hill"), fill("high", " a cat "), fill("x", "")))
    plan = plan_text(document)
    assert plan.caption == "a cat, a hill"
    assert [(s.layer_id, plan.caption[s.start : s.end]) for s in plan.spans] == [
        ("high", "a cat"),
        ("low", "a hill"),
    ]


def test_a_text_without_a_chip_is_warned_of():
    document = Document(Size(8, 8), (fill("Hill", "a hill"),), caption=Caption(("at night",)))
    assert plan_text(document).warnings == (
        "“Hill” is not in the caption, so its text has no effect. Add the chip to use it.",
    )
