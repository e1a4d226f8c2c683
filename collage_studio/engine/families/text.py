"""Text encoders: ids, character ranges of the tokens, and what CLIP and T5 make of them.

Nothing is masked: padding is read like words, as the stock pipelines do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from collage_studio.engine.families.base import LearnedWords, Vocabulary
from collage_studio.engine.looks.learned import overwritten

Offsets = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text as one encoder reads it.

    Args:
        ids: (1, L) padded. mask: (1, L), 1 = begin, words and end.
        offsets: characters [start, end) of each of the L tokens, without white space around them;
            (0, 0) for special tokens and padding.
        skipped: the end of the text that did not fit.
    """

    ids: Tensor
    mask: Tensor
    offsets: Offsets
    skipped: str


def tokens_of(tokenizer: Any, text: str, length: int) -> Tokens:
    """Exactly `length` tokens: cut or padded."""
    coded = tokenizer(
        text,
        padding="max_length",
        max_length=length,
        truncation=True,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    offsets = tuple(_trimmed(text, int(s), int(e)) for s, e in coded.offset_mapping[0])
    whole = tokenizer(text, truncation=False, verbose=False).input_ids
    end = max((end for _, end in offsets), default=0)
    skipped = text[end:].strip() if len(whole) > length else ""
    return Tokens(coded.input_ids, coded.attention_mask, offsets, skipped)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else (0, 0)


@dataclass(frozen=True, slots=True)
class ClipStates:
    """What CLIP made of a text.

    Args:
        last: (1, T, d) after the final norm. penultimate: (1, T, d) before the last block.
        pooled: (1, p), the state at the end token, projected where the encoder projects.
    """

    last: Tensor
    penultimate: Tensor
    pooled: Tensor
    offsets: Offsets
    skipped: str


class ClipText:
    """A CLIP text encoder with its tokenizer; `name` is the one learned words know it by."""

    def __init__(self, name: str, encoder: Any, tokenizer: Any, device: torch.device) -> None:
        self.name = name
        self.encoder = encoder
        self.tokenizer = tokenizer
        self._device = device
        longest = int(encoder.config.max_position_embeddings)
        self.length = min(int(tokenizer.model_max_length), longest)

    @property
    def vocabulary(self) -> Vocabulary:
        """Where learned looks of this encoder are put."""
        return Vocabulary(self.tokenizer, self.encoder.get_input_embeddings())

    def read(self, text: str, learned: Sequence[LearnedWords]) -> ClipStates:
        """Encode `text`; learned vectors take the place of the words they stand for."""
        tokens = tokens_of(self.tokenizer, text, self.length)
        masked = getattr(self.encoder.config, "use_attention_mask", False)
        with overwritten(self.encoder.get_input_embeddings(), self.name, tokens.offsets, learned):
            out = self.encoder(
                tokens.ids.to(self._device),
                attention_mask=tokens.mask.to(self._device) if masked else None,
                output_hidden_states=True,
            )
        pooled = out.text_embeds if hasattr(out, "text_embeds") else out.pooler_output
        return ClipStates(
            out.last_hidden_state, out.hidden_states[-2], pooled, tokens.offsets, tokens.skipped
        )


class T5Text:
    """A T5 encoder with its tokenizer, reading `length` tokens.

    T5 reads both ways and padding is not masked, so the length changes every row.
    """

    name = "t5"

    def __init__(self, encoder: Any, tokenizer: Any, length: int, device: torch.device) -> None:
        self.encoder = encoder
        self.tokenizer = tokenizer
        self.length = length
        self._device = device

    @property
    def vocabulary(self) -> Vocabulary:
        """Where learned looks of this encoder are put."""
        return Vocabulary(self.tokenizer, self.encoder.encoder.embed_tokens)

    def read(self, text: str, learned: Sequence[LearnedWords]) -> tuple[Tensor, Offsets, str]:
        """Rows (1, length, d), the offsets of their tokens and what did not fit."""
        tokens = tokens_of(self.tokenizer, text, self.length)
        # get_input_embeddings() gives `shared`, which the forward pass does not call.
        embeddings = self.encoder.encoder.embed_tokens
        with overwritten(embeddings, self.name, tokens.offsets, learned):
            rows = self.encoder(tokens.ids.to(self._device))[0]
        return rows, tokens.offsets, tokens.skipped
