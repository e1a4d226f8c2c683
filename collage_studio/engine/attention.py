"""Cross-attention control as data: an additive bias before the softmax, nothing left behind.

Collage Diffusion (arXiv 2303.00262): S = Q K^T / sqrt(d); for a token j of a layer with mask M
S[:, :, j] += f(sigma) m_j (w+ M - w- (1 - M)), m_j the maximum of S[:, :, j] over all heads and
pixels of that picture, f(sigma) = log(log(sigma + 1.01) + 1). Only rows that read the caption
are changed, never those that read the words to avoid.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


def paper_strength(sigma: float) -> float:
    """f(sigma) of the paper; sigma >= 0 is the scheduler's own level of this step."""
    return math.log(math.log(sigma + 1.01) + 1.0)


class _SiteWeights(Protocol):
    def at(self, queries: int) -> Tensor:
        """(queries, J) w+ M - w- (1 - M) at the layer with that many pixels."""
        ...


@dataclass(frozen=True, slots=True)
class AttentionEdit:
    """The bias of one step.

    Args:
        tokens: (J,) int64, columns of the text that belong to layers.
        weights: what each pixel is given for each of them.
        strength: f(sigma) of this step.
        rows: how many rows at the end of the batch read the caption.
    """

    tokens: Tensor
    weights: _SiteWeights
    strength: float
    rows: int

    def bias(self, attn: Any, hidden: Tensor, text: Tensor) -> Tensor:
        """(B, n, T) to be added to the logits of attention layer `attn`.

        Args:
            hidden: (B, n, c) pixels. text: (B, T, d) rows.
        """
        if attn.norm_cross:
            text = attn.norm_encoder_hidden_states(text)
        query = _heads(attn, attn.to_q(hidden[-self.rows :]), attn.norm_q)
        key = _heads(attn, attn.to_k(text[-self.rows :, self.tokens]), attn.norm_k)
        logits = query.float() @ key.float().transpose(-1, -2) / math.sqrt(query.shape[-1])
        peak = logits.amax(dim=(1, 2))  # (rows, J)
        weights = self.weights.at(hidden.shape[1])
        bias = torch.zeros(*hidden.shape[:2], text.shape[1], device=hidden.device)
        bias[-self.rows :, :, self.tokens] = self.strength * peak[:, None] * weights[None]
        return bias.to(query.dtype)


def _heads(attn: Any, projected: Tensor, norm: Any) -> Tensor:
    split = projected.unflatten(-1, (attn.heads, -1)).transpose(1, 2)  # (B, heads, N, d)
    return split if norm is None else norm(split)


class BiasedCrossAttention:
    """An attention processor that adds the edit's bias and leaves the rest to the one it wraps."""

    def __init__(self, inner: Any, edit: AttentionEdit) -> None:
        self.inner = inner
        self.edit = edit

    def __call__(  # the parameter names are what diffusers looks at to pass them on
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Any = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        ip_adapter_masks: Any = None,
    ) -> Tensor:
        if encoder_hidden_states is not None:
            paired = isinstance(encoder_hidden_states, tuple)
            text = encoder_hidden_states[0] if paired else encoder_hidden_states
            bias = self.edit.bias(attn, hidden_states, text)
            attention_mask = bias if attention_mask is None else attention_mask + bias
        more = {} if ip_adapter_masks is None else {"ip_adapter_masks": ip_adapter_masks}
        return self.inner(attn, hidden_states, encoder_hidden_states, attention_mask, temb, **more)


@contextmanager
def biased_cross_attention(unet: Any, edit: AttentionEdit) -> Generator[None]:
    """Apply `edit` in all attn2 layers of `unet` inside the block; restore them always."""
    saved: Mapping[str, Any] = dict(unet.attn_processors)
    # set_attn_processor empties the dictionary it is given.
    unet.set_attn_processor(
        {
            name: BiasedCrossAttention(inner, edit) if name.endswith("attn2.processor") else inner
            for name, inner in saved.items()
        }
    )
    try:
        yield
    finally:
        unet.set_attn_processor(dict(saved))
