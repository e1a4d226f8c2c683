"""What the engine asks of a model family: text, latents, schedule and one prediction.

Tensors are (B, C, h, w) latents or (B, 3, H, W) pictures in [-1, 1]; the loop works in float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from collage_studio.document.geometry import Rect, Size
from collage_studio.engine.attention.edits import AttentionEdit
from collage_studio.engine.schedule import Schedule


@dataclass(frozen=True, slots=True)
class LearnedWords:
    """A learned look inside a text: vectors in place of what the encoder knows of some words.

    The text holds one placeholder word per vector. The tokens of placeholder i get vector i.

    Args:
        places: characters [start, end) of each placeholder in the text.
        vectors: (len(places), width) by encoder: "clip_l", "clip_g", "t5". An encoder without
            vectors reads the placeholders as they stand.
    """

    places: tuple[tuple[int, int], ...]
    vectors: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a text encoder knows of words before it reads them.

    Args:
        tokenizer: of the encoder, as transformers has it.
        table: maps token ids (..., T) to (..., T, width); the layer that `overwritten` hooks.
    """

    tokenizer: Any
    table: nn.Module

    @property
    def weight(self) -> Tensor:
        """(words, width)"""
        return next(self.table.parameters())

    @property
    def width(self) -> int:
        return int(self.weight.shape[1])

    def vectors(self, text: str) -> Tensor:
        """(T, width) float32: the tokens of `text` without begin, end and padding."""
        ids = self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        return self.weight.detach()[ids].float()


@dataclass(frozen=True, slots=True)
class ReadText:
    """What a model made of one text.

    Args:
        rows: (1, T, d) what the network attends to.
        offsets: for each of the T rows the characters [start, end) of the text it stands for;
            (0, 0) for special tokens and padding. Where several encoders share a row or follow
            each other, each row has the range of its own token.
        skipped: the end of the text that did not fit; empty if all was read.
        pooled: (1, p) the whole text in one vector, in families that use one.
    """

    rows: Tensor
    offsets: tuple[tuple[int, int], ...]
    skipped: str = ""
    pooled: Tensor | None = None

    @property
    def has_words(self) -> bool:
        """Whether any row stands for characters of the text."""
        return any(start < end for start, end in self.offsets)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the latent that the network sees lies on the canvas, in latent cells."""

    grid: Size
    window: Rect

    @classmethod
    def whole(cls, height: int, width: int) -> Frame:
        """A canvas of h x w cells, seen whole."""
        size = Size(width, height)
        return cls(size, Rect.of_size(size))

    @property
    def is_whole(self) -> bool:
        return self.window == Rect.of_size(self.grid)


@runtime_checkable
class Placeable(Protocol):
    """An attachment that depends on what the rows of a call are told and where they lie."""

    def at(self, conditioning: Conditioning) -> Attachment:
        """The attachment for the rows of one call."""
        ...


class Attachment(Protocol):
    """Something that adds to what the network is given: a ControlNet, reference pictures."""

    def inputs(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keyword arguments to add for one call.

        Args:
            given: the network's own keyword arguments of this call.
        """
        ...


@dataclass(frozen=True, slots=True)
class Conditioning:
    """What each of the B rows of one network call is told.

    Args:
        texts: B texts. frames: B places on the canvas, or one for all.
        guidance: for networks that take the guidance scale as an input; others ignore it.
        attachments: asked in turn for what they add, each at these rows where it can be placed.
    """

    texts: Sequence[ReadText]
    frames: Sequence[Frame]
    guidance: float = 1.0
    attachments: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        placed = (a.at(self) if isinstance(a, Placeable) else a for a in self.attachments)
        object.__setattr__(self, "attachments", tuple(placed))

    @property
    def rows(self) -> Tensor:
        """(B, T, d)"""
        return torch.cat([text.rows for text in self.texts])

    @property
    def pooled(self) -> Tensor:
        """(B, p)"""
        return torch.cat([text.pooled for text in self.texts if text.pooled is not None])

    def frame(self, row: int) -> Frame:
        return self.frames[row] if len(self.frames) > 1 else self.frames[0]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture in latent space: mean and, for a KL autoencoder, deviation (1, C, h, w), scaled."""

    mean: Tensor
    deviation: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The clean estimate and the noise estimate, each (B, C, h, w)."""

    x0: Tensor
    noise: Tensor


@dataclass(frozen=True, slots=True)
class Guide:
    """How one prediction is guided: both texts, the scale, the place on the canvas."""

    positive: ReadText
    negative: ReadText
    scale: float
    frame: Frame
    attachments: tuple[Attachment, ...] = ()


class Family(Protocol):
    """One loaded checkpoint."""

    name: str
    device: torch.device
    guidance_is_input: bool
    """Guidance is distilled into the network: FLUX.1 dev is told the scale, schnell has its own."""
    takes_one_frame: bool
    """Rows of different frames go into different calls of the network."""
    native_px: int
    factor: int
    latent_channels: int
    alignment: int

    @property
    def weight_bytes(self) -> int:
        """Memory of all weights."""
        ...

    @property
    def text_limit(self) -> int:
        """Tokens of one text, without begin and end."""
        ...

    @property
    def vocabularies(self) -> Mapping[str, Vocabulary]:
        """By encoder, where learned looks can be put; empty if the family has no such place."""
        ...

    def read_text(self, text: str, learned: Sequence[LearnedWords] = ()) -> ReadText:
        """Encode `text`; what does not fit is left out and reported."""
        ...

    def encode(self, picture: Tensor) -> Encoded:
        """Latent of one picture (1, 3, H, W); H and W are multiples of `factor`."""
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), about [-1, 1], of latents (B, C, h, w)."""
        ...

    def schedule(self, sampler: str, steps: int, grid: Size) -> Schedule:
        """The noise levels of `steps` full steps on a canvas of `grid` latent cells."""
        ...

    def forward(
        self, x: Tensor, schedule: Schedule, index: int, conditioning: Conditioning
    ) -> Tensor:
        """One call of the network: its raw output for x (B, C, h, w), float32, same shape."""
        ...

    def interpret(self, out: Tensor, x: Tensor, schedule: Schedule, index: int) -> Prediction:
        """What a raw output, or a mixture of several, says about x (B, C, h, w)."""
        ...

    def attending(self, edit: AttentionEdit) -> AbstractContextManager[None]:
        """Apply `edit` in every attention layer of the network, within a with block."""
        ...

    def watched_modules(self) -> tuple[nn.Module, ...]:
        """Parts that a long forward pass goes through, where a cancel may take effect."""
        ...
