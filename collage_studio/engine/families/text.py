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
class JoinedTokens:
    """Several texts as one sequence.

    Args:
        ids: (1, L) padded. mask: (1, L), 1 = begin, words and end.
        owner: (L,) the number of the text each token belongs to; -1 for begin, end, separators
            and padding.
        offsets: characters [start, end) of each of the L tokens in the texts joined by "; ".
    """

    ids: Tensor
    mask: Tensor
    owner: Tensor
    offsets: Offsets


SEPARATOR = ";"
_BETWEEN = f"{SEPARATOR} "


def joined_tokens(
    tokenizer: Any, texts: Sequence[str], length: int, *, upstream: bool = False
) -> JoinedTokens:
    """Exactly `length` tokens: begin, the texts with separators between them, end, padding.

    Each text is made into tokens on its own. CLIP would otherwise join ".;" into one token, and
    the separator would be lost behind a text that ends in punctuation.

    Args:
        upstream: join the texts with "; " before, and split where the separator is found, as the
            released code of Rich-Context Layout-to-Image does it.
    """
    separator = int(tokenizer(SEPARATOR, add_special_tokens=False, verbose=False).input_ids[-1])
    clean = [text.replace(SEPARATOR, "") for text in texts]
    parts = [_BETWEEN.join(clean)] if upstream else clean
    words, owner, offsets = list[int](), list[int](), list[tuple[int, int]]()
    begins = 0
    for number, text in enumerate(parts):
        if number:
            words, owner, offsets = [*words, separator], [*owner, -1], [*offsets, (0, 0)]
        own = tokenizer(text, add_special_tokens=False, verbose=False, return_offsets_mapping=True)
        words += own.input_ids
        owner += [number] * len(own.input_ids)
        places = (_trimmed(text, start, end) for start, end in own.offset_mapping)
        offsets += [(begins + start, begins + end) for start, end in places]
        begins += len(text) + len(_BETWEEN)
    if upstream:
        owner = _split_at(words, separator)
    words, owner, offsets = words[: length - 2], owner[: length - 2], offsets[: length - 2]
    padding = length - 2 - len(words)
    ids = [tokenizer.bos_token_id, *words, tokenizer.eos_token_id]
    ids += [tokenizer.pad_token_id] * padding
    mask = [1] * (len(words) + 2) + [0] * padding
    return JoinedTokens(
        torch.tensor([ids]),
        torch.tensor([mask]),
        torch.tensor([-1, *owner, -1] + [-1] * padding),
        ((0, 0), *offsets, *((0, 0),) * (padding + 1)),
    )


def joined_words(
    texts: Sequence[str], learned: Sequence[Sequence[LearnedWords]]
) -> tuple[LearnedWords, ...]:
    """The learned words of several texts, their places in the texts joined by "; ".

    Args:
        learned: of each text; () = there are none at all.
    """
    found, begins = list[LearnedWords](), 0
    for text, own in zip(texts, learned or [()] * len(texts), strict=True):
        # Separators inside a text are left out when it is joined.
        gaps = [text[:at].count(SEPARATOR) for at in range(len(text) + 1)]
        for words in own:
            places = tuple(
                (begins + start - gaps[start], begins + end - gaps[end])
                for start, end in words.places
            )
            found.append(LearnedWords(places, words.vectors))
        begins += len(text) - gaps[-1] + len(_BETWEEN)
    return tuple(found)


def _split_at(words: Sequence[int], separator: int) -> list[int]:
    """The number of separators before each word; -1 for the separators themselves."""
    found, number = list[int](), 0
    for word in words:
        found.append(-1 if word == separator else number)
        number += word == separator
    return found


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

    def read_joined(
        self,
        texts: Sequence[str],
        *,
        upstream: bool = False,
        learned: Sequence[Sequence[LearnedWords]] = (),
    ) -> tuple[Tensor, Tensor]:
        """Encode texts as one sequence, for regional attention; see `joined_tokens`.

        Args:
            learned: looks inside each text; () = none.

        Returns rows (T, d) after the final norm, and which text each belongs to, (T,).
        """
        joined = joined_tokens(self.tokenizer, texts, self.length, upstream=upstream)
        looks = joined_words(texts, learned)
        with overwritten(self.encoder.get_input_embeddings(), self.name, joined.offsets, looks):
            out = self.encoder(
                joined.ids.to(self._device), attention_mask=joined.mask.to(self._device)
            )
        return out.last_hidden_state[0], joined.owner.to(self._device)

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
