"""Attention edits in networks whose pixels and words attend together: SD3 and FLUX.

The rows of the pixels get a bias in the columns of the words (`text_bias`) and in those of the
pixels (`pixel_bias`). Words read everything as they always do, unless an edit says what they may
(`words_bias`).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.models.attention_processor import JointAttnProcessor2_0
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.transformer_flux import FluxAttnProcessor
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from collage_studio.engine.attention.edits import (
    AttentionEdit,
    Block,
    Site,
    WordsControl,
    attended,
)
from collage_studio.engine.attention.processors import (
    EditedAttention,
    SeenGrid,
    heads_of,
    replaced,
)


class JointSites:
    """The joint attention layers of an SD3 or FLUX transformer."""

    def __init__(self, transformer: Any) -> None:
        self._layers = [
            (name, module)
            for name, module in transformer.named_modules()
            if name.endswith((".attn", ".attn2")) and hasattr(module, "processor")
        ]
        self._grid = SeenGrid()

    def see(self, height: int, width: int, text: int) -> None:
        """The next call works on h x w tokens of the picture and reads `text` rows."""
        self._grid.see(height, width, text)

    @contextmanager
    def attending(self, edit: AttentionEdit) -> Generator[None]:
        """Apply `edit` in all layers inside the block; restore them always."""
        with replaced(
            (module, self._processor(name, module.processor, edit)) for name, module in self._layers
        ):
            yield

    def _processor(self, name: str, stock: Any, edit: AttentionEdit) -> Any:
        if type(stock) is JointAttnProcessor2_0:
            return JointAttention(name, self._grid, edit)
        if type(stock) is FluxAttnProcessor:
            return FluxAttention(name, self._grid, edit)
        return stock


class JointAttention(EditedAttention):
    """JointAttnProcessor2_0 (pixels first, then words) with biases; also its image-only form."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Any:
        del attention_mask
        x, words, n = hidden_states, encoder_hidden_states, hidden_states.shape[1]
        query = heads_of(attn, attn.to_q(x), attn.norm_q)
        key = heads_of(attn, attn.to_k(x), attn.norm_k)
        value = heads_of(attn, attn.to_v(x), None)
        site = self._grid.site(self._name, n)
        if words is None:
            out = attended(self._edit, site, query, (Block(key, value, False),))
            if out is None:
                out = _plain(query, key, value, self._edit.pixel_bias(site, query, key))
            return attn.to_out[1](attn.to_out[0](out.transpose(1, 2).flatten(2)))
        query = torch.cat([query, heads_of(attn, attn.add_q_proj(words), attn.norm_added_q)], 2)
        key = torch.cat([key, heads_of(attn, attn.add_k_proj(words), attn.norm_added_k)], 2)
        value = torch.cat([value, heads_of(attn, attn.add_v_proj(words), None)], 2)
        pixels, text = slice(0, n), slice(n, None)
        out = joint_attention(self._edit, site, (query, key, value), pixels, text)
        out = out.transpose(1, 2).flatten(2)  # (B, n + T, heads d)
        picture = attn.to_out[1](attn.to_out[0](out[:, :n]))
        rest = out[:, n:]
        return picture, rest if attn.context_pre_only else attn.to_add_out(rest)


class FluxAttention(EditedAttention):
    """FluxAttnProcessor (words first, then pixels) with biases."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> Any:
        del attention_mask
        words = encoder_hidden_states
        query = heads_of(attn, attn.to_q(hidden_states), attn.norm_q)
        key = heads_of(attn, attn.to_k(hidden_states), attn.norm_k)
        value = heads_of(attn, attn.to_v(hidden_states), None)
        if words is not None:
            query = torch.cat([heads_of(attn, attn.add_q_proj(words), attn.norm_added_q), query], 2)
            key = torch.cat([heads_of(attn, attn.add_k_proj(words), attn.norm_added_k), key], 2)
            value = torch.cat([heads_of(attn, attn.add_v_proj(words), None), value], 2)
        if image_rotary_emb is not None:
            query = _turned(query, image_rotary_emb)
            key = _turned(key, image_rotary_emb)
        count = self._grid.text
        site = self._grid.site(self._name, query.shape[2] - count)
        text, pixels = slice(0, count), slice(count, None)
        out = joint_attention(self._edit, site, (query, key, value), pixels, text)
        out = out.transpose(1, 2).flatten(2)  # (B, T + n, heads d)
        if words is None:
            return out
        picture = attn.to_out[1](attn.to_out[0](out[:, count:].contiguous()))
        return picture, attn.to_add_out(out[:, :count].contiguous())


def joint_attention(
    edit: AttentionEdit,
    site: Site,
    parts: tuple[Tensor, Tensor, Tensor],
    pixels: slice,
    text: slice,
) -> Tensor:
    """softmax(q k^T / sqrt(d) + bias) v over pixels and words together.

    Args:
        parts: query, key and value, (B, heads, n + T, d). pixels, text: where each lies.
    """
    query, key, value = parts
    words = Block(key[:, :, text], value[:, :, text], is_text=True)
    picture = Block(key[:, :, pixels], value[:, :, pixels], is_text=False)
    seen = attended(edit, site, query[:, :, pixels], (words, picture))
    if seen is None:
        bias = pixel_rows_bias(edit, site, query, key, pixels, text)
        if bias is None:
            return scaled_dot_product_attention(query, key, value)
        seen = _plain(query[:, :, pixels], key, value, bias)
    # Where only pixels have a bias, words keep the faster kernel and the mask has n rows.
    read = _plain(query[:, :, text], key, value, word_rows_bias(edit, site, key, pixels, text))
    out = {pixels.start or 0: seen, text.start or 0: read}
    return torch.cat([out[start] for start in sorted(out)], dim=2)


def word_rows_bias(
    edit: AttentionEdit, site: Site, key: Tensor, pixels: slice, text: slice
) -> Tensor | None:
    """(B, 1, T, n + T): what words may read; None for edits that say nothing about it."""
    if not isinstance(edit, WordsControl):
        return None
    to_words, to_pixels = edit.words_bias(site, key[:, :, text].shape[2])
    bias = torch.zeros(*to_words.shape[:3], key.shape[2], dtype=key.dtype, device=key.device)
    bias[..., text] = to_words.to(key.dtype)
    bias[..., pixels] = to_pixels.to(key.dtype)
    return bias


def pixel_rows_bias(
    edit: AttentionEdit, site: Site, query: Tensor, key: Tensor, pixels: slice, text: slice
) -> Tensor | None:
    """(B | 1, heads | 1, n, n + T): both biases of the pixels' rows; None if there is neither."""
    asking = query[:, :, pixels]
    to_text = edit.text_bias(site, asking, key[:, :, text])
    to_pixels = edit.pixel_bias(site, asking, key[:, :, pixels])
    given = [bias for bias in (to_text, to_pixels) if bias is not None]
    if not given:
        return None
    rows, heads = max(b.shape[0] for b in given), max(b.shape[1] for b in given)
    shape = (rows, heads, site.pixels, key.shape[2])
    bias = torch.zeros(shape, dtype=query.dtype, device=query.device)
    if to_text is not None:
        bias[..., text] = to_text.to(query.dtype)
    if to_pixels is not None:
        bias[..., pixels] = to_pixels.to(query.dtype)
    return bias


def _turned(x: Tensor, angles: Any) -> Tensor:
    """x (B, heads, N, d) turned by the positions of its N tokens."""
    turned: Any = apply_rotary_emb(x, angles)
    return turned


def _plain(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    bias = None if bias is None else bias.to(query.dtype)
    return scaled_dot_product_attention(query, key, value, attn_mask=bias)
