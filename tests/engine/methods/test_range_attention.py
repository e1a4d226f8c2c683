"""DenseDiffusion's attention equals its written-out formula, without the whole matrix."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.profiler import ProfilerActivity, profile

from collage_studio.engine.attention.edits import Block, Site
from collage_studio.engine.attention.joint_processors import joint_attention
from collage_studio.engine.attention.range_attention import (
    LayoutLevel,
    RangeControl,
    lerp_attention,
)


def written_out(query, key, value, strength, member):
    """The paper's two lines, with the whole matrix."""
    logits = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    high, low = logits.amax(-1, keepdim=True), logits.amin(-1, keepdim=True)
    up = logits + strength[:, None] * (high - logits)
    down = logits - strength[:, None] * (logits - low)
    return torch.where(member, up, down).softmax(-1) @ value


def tensors(rows, heads, n, keys, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(rows, heads, n, width, generator=generator)
    key, value = (torch.randn(rows, heads, keys, width, generator=generator) for _ in range(2))
    return query, key, value


@pytest.mark.parametrize(("n", "keys"), [(9, 5), (64, 64), (300, 77), (1024, 1024)])
def test_modulated_attention_equals_the_written_out_formula(n, keys):
    query, key, value = tensors(2, 3, n, keys, 8)
    strength = torch.rand(n)
    member = torch.rand(n, keys) > 0.6
    ours = lerp_attention(
        query, (Block(key, value, True),), (strength,), (lambda a, b: member[a:b],)
    )
    assert (ours - written_out(query, key, value, strength, member)).abs().max() <= 1e-5


def test_without_strength_it_is_plain_attention():
    query, key, value = tensors(1, 2, 50, 20, 8)
    ours = lerp_attention(
        query,
        (Block(key, value, True),),
        (torch.zeros(50),),
        (lambda a, b: torch.ones(b - a, 20).bool(),),
    )
    assert (ours - scaled_dot_product_attention(query, key, value)).abs().max() <= 1e-6


def test_joint_attention_takes_the_range_of_each_block():
    query, key, value = tensors(1, 2, 16, 16, 8)
    _, words, word_values = tensors(1, 2, 1, 6, 8, seed=1)
    strength = torch.rand(16)
    ours = lerp_attention(
        query,
        (Block(words, word_values, True), Block(key, value, False)),
        (strength, None),
        (lambda a, b: torch.zeros(b - a, 6, dtype=torch.bool), lambda a, b: torch.empty(0)),
    )
    scale = 1 / math.sqrt(8)
    text, pixels = query @ words.transpose(-1, -2) * scale, query @ key.transpose(-1, -2) * scale
    text = text - strength[:, None] * (text - text.amin(-1, keepdim=True))
    whole = torch.cat([text, pixels], -1).softmax(-1) @ torch.cat([word_values, value], 2)
    assert (ours - whole).abs().max() <= 1e-5


def control(level, owners, rows, words=0.8, neighbours=0.3):
    return RangeControl(lambda site: level, owners, words, neighbours, 1.0, rows)


def test_rows_that_do_not_read_the_caption_are_stock_attention():
    level = LayoutLevel(torch.randint(0, 2, (12,)), torch.tensor([0.7, 0.3]))
    edit = control(level, torch.tensor([-1, 0, 1, 1]), rows=1)
    query, key, value = tensors(2, 2, 12, 4, 8)
    out = edit.attended(Site("x", 3, 4), query, (Block(key, value, True),))
    stock = scaled_dot_product_attention(query, key, value)
    assert torch.equal(out[:1], stock[:1])
    assert (out[1:] - stock[1:]).abs().max() > 1e-3


def test_larger_segments_are_pushed_less_and_never_beyond_the_range():
    level = LayoutLevel(torch.tensor([0, 1]), torch.tensor([0.9, 0.1]))
    assert level.strengths(1.0, 1.0).tolist() == pytest.approx([0.1, 0.9])
    assert level.strengths(2.0, 0.0).tolist() == [1.0, 1.0]


def test_peak_memory_at_64_by_64_cells_stays_near_plain_attention():
    query, key, value = tensors(1, 8, 4096, 4096, 40)
    level = LayoutLevel(torch.randint(0, 3, (4096,)), torch.tensor([0.5, 0.3, 0.2]))
    edit = control(level, torch.tensor([-1]), rows=1)
    site, block = Site("x", 64, 64), Block(key, value, False)
    held = sum(part.numel() * part.element_size() for part in (query, key, value))
    plain = held + peak_of(lambda: scaled_dot_product_attention(query, key, value))
    ours = held + peak_of(lambda: edit.attended(site, query, (block,)))
    assert ours < 1.5 * plain


def peak_of(work) -> int:
    """The most bytes that are allocated at once while `work` runs."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    now = most = 0
    for event in seen.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most


def test_in_joint_attention_pixels_are_steered_and_words_are_not():
    level = LayoutLevel(torch.randint(0, 2, (12,)), torch.tensor([0.7, 0.3]))
    edit = control(level, torch.tensor([-1, 0, 1, 1]), rows=1)
    query, key, value = tensors(1, 2, 16, 16, 8)
    text, pixels = slice(0, 4), slice(4, None)
    found = joint_attention(edit, Site("x", 3, 4), (query, key, value), pixels, text)
    stock = scaled_dot_product_attention(query, key, value)
    assert (found[:, :, text] - stock[:, :, text]).abs().max() <= 1e-6
    blocks = [Block(key[:, :, part], value[:, :, part], part is text) for part in (text, pixels)]
    steered = edit.attended(Site("x", 3, 4), query[:, :, pixels], blocks)
    assert torch.equal(found[:, :, pixels], steered)
    assert (steered - stock[:, :, pixels]).abs().max() > 1e-3
