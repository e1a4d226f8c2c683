"""Biases of pixels among words and pixels: equal to attention written out, in both orders."""

from __future__ import annotations

import math

import pytest
import torch

from collage_studio.engine.attention.edits import CrossAttentionControl, Site
from collage_studio.engine.attention.joint_processors import joint_attention
from collage_studio.engine.regions.ownership import Region, RegionWeights

PIXELS, WORDS, SITE = 24, 150, Site("layer", 4, 6)


class Both:
    """A bias of each kind, one of them by head."""

    def __init__(self, to_text, to_pixels) -> None:
        self.to_text, self.to_pixels = to_text, to_pixels

    def text_bias(self, site, query, key):
        assert key.shape[2] == WORDS
        return self.to_text

    def pixel_bias(self, site, query, key):
        assert key.shape[2] == PIXELS
        return self.to_pixels


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def written_out(parts, bias) -> torch.Tensor:
    query, key, value = parts
    logits = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    return (logits + bias).softmax(-1) @ value


@pytest.fixture(params=["pixels first", "words first"])
def order(request):
    if request.param == "pixels first":
        return slice(0, PIXELS), slice(PIXELS, None)
    return slice(WORDS, None), slice(0, WORDS)


@pytest.mark.parametrize("kinds", ["text", "pixels", "both"])
def test_biases_reach_the_pixels_rows_alone(order, kinds):
    pixels, text = order
    shape = (2, 3, PIXELS + WORDS, 8)
    parts = (random(*shape), random(*shape) + 1, random(*shape) * 2)
    to_text = random(2, 1, PIXELS, WORDS) * 3 if kinds != "pixels" else None
    to_pixels = random(1, 3, PIXELS, PIXELS) * 3 if kinds != "text" else None
    bias = torch.zeros(2, 3, PIXELS + WORDS, PIXELS + WORDS)
    if to_text is not None:
        bias[:, :, pixels, text] = to_text
    if to_pixels is not None:
        bias[:, :, pixels, pixels] = to_pixels
    found = joint_attention(Both(to_text, to_pixels), SITE, parts, pixels, text)
    assert (found - written_out(parts, bias)).abs().max() <= 1e-5


def test_cross_attention_control_is_the_papers_formula_here_too(order):
    pixels, text = order
    shape = (3, 2, PIXELS + WORDS, 8)
    parts = (random(*shape), random(*shape) * 2, random(*shape))
    mask = torch.zeros(4, 6)
    mask[:, :2] = 1.0
    regions = [
        Region("left", (3, 140), mask, 1.0, 0.4, 0.8),
        Region("right", (7,), 1 - mask, 1.0, 0.2, 0.9),
    ]
    edit = CrossAttentionControl(RegionWeights(regions), 1.3, rows=2)
    bias = torch.zeros(3, 1, PIXELS + WORDS, PIXELS + WORDS)
    query, key, _ = parts
    scores = query[:, :, pixels] @ key[:, :, text].transpose(-1, -2) / math.sqrt(8)
    block = torch.zeros(3, 1, PIXELS, WORDS)
    for region in regions:
        spread = region.inside * region.mask - region.outside * (1 - region.mask)
        for token in region.tokens:
            for row in (1, 2):
                peak = scores[row, :, :, token].max()
                block[row, 0, :, token] = 1.3 * peak * spread.flatten()
    bias[:, :, pixels, text] = block
    found = joint_attention(edit, SITE, parts, pixels, text)
    assert (found - written_out(parts, bias)).abs().max() <= 1e-5
