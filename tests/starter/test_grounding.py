"""Words tied to places: token coverage of a caption, and attention weighed by it."""

from __future__ import annotations

import numpy as np
import torch

from collage_studio.starter.grounding import ground_attention, token_coverage
from collage_studio.starter.model import NetworkConfig, build_unet
from collage_studio.starter.tokenizer import build_tokenizer

WORDS = (("a dog", 0), (" and ", None), ("a red apple", 1), (" ", None), ("on a beach", 4))
SIZE = (16, 16)


def masks() -> np.ndarray:
    found = np.zeros((5, *SIZE), np.float16)
    found[0, :, :8] = 1
    found[1, :, 8:] = 0.5
    found[4, :, 8:] = 0.5
    return found


def tiny_unet() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_unet(NetworkConfig((16, 16, 16), groups=4, text_width=16, heads=2)).eval()


def test_each_token_is_covered_where_its_layer_shows():
    tokenizer = build_tokenizer()
    ids, coverage = token_coverage(tokenizer, WORDS, masks(), SIZE)
    text = "".join(piece for piece, _ in WORDS)
    assert ids.tolist() == tokenizer(text, padding="max_length").input_ids
    spoken = tokenizer.convert_ids_to_tokens(ids[1:10].tolist())
    assert spoken == ["a</w>", "dog</w>", "and</w>", "a</w>", "red</w>", "apple</w>", "on</w>",
                      "a</w>", "beach</w>"]  # fmt: skip
    left, right = coverage[:, 0, 0], coverage[:, 0, 15]
    assert left[1:10].tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert right[1:10].tolist() == [0, 0, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert (coverage[0] == 1).all()
    assert (coverage[10:] == 1).all()


def test_without_masks_everything_may_be_read_everywhere():
    _, coverage = token_coverage(build_tokenizer(), WORDS, None, SIZE)
    assert (coverage == 1).all()


@torch.inference_mode()
def test_full_coverage_is_the_stock_attention():
    unet = tiny_unet()
    x, t, rows = torch.randn(2, 8, *SIZE), torch.tensor([10, 500]), torch.randn(2, 77, 16)
    stock = unet(x, t, rows).sample
    ground_attention(unet)
    everywhere = torch.ones(2, 77, *SIZE)
    grounded = unet(x, t, rows, cross_attention_kwargs={"coverage": everywhere}).sample
    assert torch.allclose(stock, grounded, atol=1e-5)


@torch.inference_mode()
def test_a_word_without_coverage_is_hardly_read():
    unet = tiny_unet()
    ground_attention(unet)
    x, t, rows = torch.randn(1, 8, *SIZE), torch.tensor([500]), torch.randn(1, 77, 16)
    other = rows.clone()
    other[:, 5] = torch.randn(16)
    hidden = torch.ones(1, 77, *SIZE)
    hidden[:, 5] = 0

    def change(coverage: torch.Tensor) -> float:
        outs = [
            unet(x, t, row, cross_attention_kwargs={"coverage": coverage}).sample
            for row in (rows, other)
        ]
        return float((outs[0] - outs[1]).abs().max())

    assert change(hidden) < 0.01 * change(torch.ones(1, 77, *SIZE))
