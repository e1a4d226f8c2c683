"""What the training learns from: examples drawn from a source, the same for a key and an epoch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol
from zlib import crc32

import numpy as np
import numpy.typing as npt
from torch import Tensor

from collage_studio.document.region_plan import LayoutObject

Words = tuple[tuple[str, int | None], ...]
Floats = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One picture or its latent, with its caption and its layout.

    Args:
        content: (3, H, W) a picture in [-1, 1], or (C, h, w) its latent.
        words: pieces of the caption, each with the object it speaks of or None.
        visible: (n, h, w) where each object shows, 0..1; None if the data does not say.
        objects: back to front, on the grid of the latent.
        cached_as: a name under which its latent can be kept; "" = it is never seen again.
    """

    content: Tensor
    is_latent: bool
    words: Words
    visible: Floats | None
    objects: tuple[LayoutObject, ...]
    cached_as: str = ""

    @property
    def caption(self) -> str:
        return "".join(text for text, _ in self.words)


class Source(Protocol):
    """A set of things to learn from."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """A name that stays the same between runs and machines."""
        ...

    def example(self, index: int, rng: np.random.Generator) -> Example:
        """One view of the thing; all that is random comes from `rng`."""
        ...


def generator_of(seed: int, key: str, epoch: int) -> np.random.Generator:
    """The random source of one item in one epoch, whichever process draws it."""
    return np.random.default_rng([seed, crc32(key.encode()), epoch])


@dataclass(frozen=True, slots=True)
class Order:
    """Which item is learned from when: a new permutation each epoch."""

    count: int
    seed: int

    def at(self, first: int, count: int) -> list[tuple[int, int]]:
        """Index and epoch of the `count` examples from the `first` one of the training on."""
        wanted = range(first, first + count)
        orders = {epoch: self._permuted(epoch) for epoch in {at // self.count for at in wanted}}
        return [(int(orders[at // self.count][at % self.count]), at // self.count) for at in wanted]

    def _permuted(self, epoch: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng([self.seed, 77, epoch]).permutation(self.count)


def shifted(example: Example) -> Example:
    """The same with every object's place moved, around the edges, by a third of the picture."""
    height, width = example.content.shape[-2:] if example.is_latent else (0, 0)
    moved = list[LayoutObject]()
    for thing in example.objects:
        rows, columns = (height or thing.mask.shape[0]) // 3, (width or thing.mask.shape[1]) // 3
        mask = np.roll(thing.mask, (rows, columns), axis=(0, 1))
        moved.append(LayoutObject.from_mask(thing.text, mask.astype(np.float32), thing.key))
    return replace(example, objects=tuple(moved))


def with_texts_of_others(examples: list[Example]) -> list[Example]:
    """The same with every region's text exchanged for one of another object."""
    changed = list[Example]()
    for index, example in enumerate(examples):
        other = examples[(index + 1) % len(examples)].objects
        own = [thing.text for thing in example.objects]
        texts = own[1:] + own[:1] if len(own) > 1 else [thing.text for thing in other[:1]] or own
        objects = (
            replace(thing, text=text) for thing, text in zip(example.objects, texts, strict=True)
        )
        changed.append(replace(example, objects=tuple(objects)))
    return changed
