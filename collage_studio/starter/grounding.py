"""Training with words tied to places: a word of an object is read only where that object shows.

The sticker world knows which pixels belong to which words. Multiplying the attention that a pixel
pays to a word by how much of the pixel the word's object covers teaches a small network in few
steps what each word looks like, and prepares it for attention control. The exact masks are used in
a part of the examples only; in the rest the network has to find the places itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTokenizer

FLOOR = 1e-3
"""The least factor on a word's attention; 0 would leave pixels without any word to read."""


def token_coverage(
    tokenizer: CLIPTokenizer,
    words: tuple[tuple[str, int | None], ...],
    masks: NDArray[np.float16] | None,
    size: tuple[int, ...],
) -> tuple[Tensor, Tensor]:
    """A caption's token ids, (77,), and where each token may be read, (77, h, w) in [0, 1].

    Args:
        words: pieces of the caption, each with the mask it belongs to or None.
        masks: (n, h, w); None if all words may be read everywhere.
    """
    length = int(tokenizer.model_max_length)
    text = "".join(piece for piece, _ in words)
    ids = tokenizer(text, padding="max_length", truncation=True, return_tensors="pt").input_ids[0]
    coverage = torch.ones(length, *size)
    if masks is None:
        return ids, coverage
    known = torch.from_numpy(masks.astype(np.float32))
    position = 1  # after the token that begins every text
    for piece, owner in words:
        count = len(tokenizer(piece, add_special_tokens=False).input_ids)
        if owner is not None:
            coverage[position : position + count] = known[owner]
        position += count
    return ids, coverage


class GroundedAttention:
    """Attention of pixels to words, weighed by coverage: softmax(Q K^T / sqrt(d) + log c) V."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        coverage: Tensor | None = None,
    ) -> Tensor:
        del attention_mask, temb  # the starter's blocks use neither
        text = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            projected.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for projected in (attn.to_q(hidden_states), attn.to_k(text), attn.to_v(text))
        )
        bias = None
        if encoder_hidden_states is not None and coverage is not None:
            bias = _log_coverage(coverage, hidden_states.shape[1])[:, None].to(query.dtype)
        read = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return attn.to_out[0](read.transpose(1, 2).flatten(2))


def ground_attention(unet: Any) -> None:
    """Let all attention layers of `unet` take `coverage` through `cross_attention_kwargs`."""
    unet.set_attn_processor(GroundedAttention())


def _log_coverage(coverage: Tensor, queries: int) -> Tensor:
    """(B, 77, h, w) as (B, queries, 77): area averages at the layer's size, as logarithms."""
    height, width = coverage.shape[-2:]
    shrink = round((height * width / queries) ** 0.5)
    smaller = functional.avg_pool2d(coverage, shrink) if shrink > 1 else coverage
    return smaller.flatten(2).transpose(1, 2).clamp(min=FLOOR).log()
