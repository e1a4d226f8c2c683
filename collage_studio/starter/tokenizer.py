"""A CLIP tokenizer with a small vocabulary: the world's words, and bytes for any other text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from transformers import CLIPTokenizer

from collage_studio.starter.world import (
    BACKGROUNDS,
    CAPTION_ORDERS,
    EMPTY_CAPTION,
    LIGHTINGS,
    OBJECTS,
)

BEGIN = "<|startoftext|>"
END = "<|endoftext|>"
MAX_TOKENS = 77
WORD_END = "</w>"
COMMON_WORDS = (
    "a an the of and with in on by at under near next to behind picture photo painting",
    "two three four day daylight morning evening dusk dawn moonlight sunlight sky ground",
)


def world_words() -> list[str]:
    """Every word the captions use, plus some that people are likely to type."""
    templates = (re.sub(r"{\w+}", " ", text) for text in (*CAPTION_ORDERS, EMPTY_CAPTION))
    texts = (
        *COMMON_WORDS,
        *templates,
        *(kind.phrase for kind in OBJECTS),
        *BACKGROUNDS,
        *BACKGROUNDS.values(),
        *(kind.phrase for kind in LIGHTINGS),
    )
    return list(dict.fromkeys(re.findall(r"[a-z]+", " ".join(texts))))


def build_tokenizer(words: Iterable[str] | None = None) -> CLIPTokenizer:
    """Build the tokenizer; each word becomes one token, any other text falls back to pieces."""
    merges = word_merges(world_words() if words is None else words)
    symbols = byte_symbols()
    pieces = [*symbols, *(symbol + WORD_END for symbol in symbols)]
    pieces += [left + right for left, right in merges]
    pieces += [BEGIN, END]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    pairs: Any = merges  # pairs are what works; the annotation still names the old line format
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=MAX_TOKENS)


def byte_symbols() -> list[str]:
    """The 256 printable characters that stand for bytes in byte-level BPE."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in set(printable)]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(hidden))]


def word_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Merges that join each word whole.

    A merge added later ranks last, so it cannot disturb words that already join without it.
    """
    ranks: dict[tuple[str, str], int] = {}
    for word in words:
        pieces = _apply([*word[:-1], word[-1] + WORD_END], ranks)
        while len(pieces) > 1:
            ranks[pieces[0], pieces[1]] = len(ranks)
            pieces = _apply(pieces, ranks)
    return list(ranks)


def _apply(pieces: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    while True:
        pairs = [pair for pair in pairwise(pieces) if pair in ranks]
        if not pairs:
            return pieces
        pieces = _merge(pieces, min(pairs, key=ranks.__getitem__))


def _merge(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    index = 0
    while index < len(pieces):
        if tuple(pieces[index : index + 2]) == pair:
            merged.append(pair[0] + pair[1])
            index += 2
        else:
            merged.append(pieces[index])
            index += 1
    return merged
