"""Learned looks inside a text: an encoder's input embeddings overwritten at some tokens.

A hook on the embedding layer replaces rows by position, so no vocabulary is resized, no token id
changes, and nothing is left behind.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from collage_studio.engine.families.base import LearnedWords


@contextmanager
def overwritten(
    embeddings: nn.Module,
    encoder: str,
    offsets: Sequence[tuple[int, int]],
    learned: Sequence[LearnedWords],
) -> Generator[None]:
    """Inside the block, `embeddings` gives the learned vectors at the tokens of their places.

    Args:
        embeddings: maps token ids (B, T) to (B, T, width).
        encoder: the name by which the learned words keep their vectors.
        offsets: characters [start, end) of each of the T tokens.
    """
    rows = [
        (index, words.vectors[encoder][number])
        for words in learned
        if encoder in words.vectors
        for number, place in enumerate(words.places)
        for index in tokens_at(offsets, place)
    ]

    def overwrite(module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
        del module, inputs
        out = out.clone()
        for index, vector in rows:
            out[:, index] = vector.to(out)
        return out

    handle = embeddings.register_forward_hook(overwrite) if rows else None
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()


PLACEHOLDER = "a"
"""Stands for one learned vector: one token for every tokenizer, and harmless where it is read."""


def placeholders(count: int) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Placeholder words with a space behind each, and their characters [start, end)."""
    step = len(PLACEHOLDER) + 1
    places = tuple((step * i, step * i + len(PLACEHOLDER)) for i in range(count))
    return (PLACEHOLDER + " ") * count, places


def tokens_at(offsets: Sequence[tuple[int, int]], place: tuple[int, int]) -> list[int]:
    """The tokens whose characters overlap [start, end)."""
    return [
        index
        for index, (start, end) in enumerate(offsets)
        if max(start, place[0]) < min(end, place[1])
    ]
