"""Masked reference pictures: an IP-Adapter that shows each layer its own cutout, in its place.

IP-Adapter (arXiv 2308.06721) adds to every cross-attention layer a second one over tokens of a
picture. Here picture i counts only in its layer's visible mask:
    out = attention(Q, K, V) + sum_i s_i M_i attention(Q, K_i, V_i),
M_i averaged to the layer's size. M = 0 changes nothing, to the bit. Hooks do it, inside a with
block, so it goes with any attention processor.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from collage_studio.document.model import Mask, Raster
from collage_studio.engine.extras.reference_loading import ReferenceAdapter
from collage_studio.engine.families.base import Conditioning, Frame, ReadText
from collage_studio.engine.regions.maps import MapLevels
from collage_studio.engine.workspace import Floats

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """One layer's picture.

    Args:
        picture: (s, s, 3) [0, 1], the cutout on CLIP's mean colour; see `cutout_square`.
        mask: (h, w) [0, 1] on the cells of the whole canvas, times the layer's strength.
    """

    picture: Floats
    mask: Tensor


@dataclass(slots=True)
class _Call:
    """What the hooks look at during one call of the network."""

    masks: list[MapLevels] = field(default_factory=list[MapLevels])
    negative: Tensor | None = None


Pair = tuple[Tensor, Tensor]
"""Keys and values, each (n, c)."""


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """The pictures of a run, read by the adapter; an attachment of every call.

    Args:
        told: for each picture and attention layer keys and values, for pictures and for none.
        negative: the words to avoid, to know the rows that no picture is shown to.
    """

    masks: tuple[Tensor, ...]
    told: tuple[Mapping[str, tuple[Pair, Pair]], ...]
    negative: list[ReadText] = field(default_factory=list[ReadText])
    call: _Call = field(default_factory=_Call, init=False)

    def at(self, conditioning: Conditioning) -> _PlacedReferences:
        """The masks for the frames of one call, and which rows read the words to avoid."""
        count = len(conditioning.texts)
        avoid = [any(text is known for known in self.negative) for text in conditioning.texts]
        if all(avoid):
            # Caption and words to avoid are the same text: the first half is led away from.
            half = count // 2 if conditioning.guidance > 1 else 0
            avoid = [row < half for row in range(count)]
        return _PlacedReferences(self, tuple(conditioning.frames), tuple(avoid))

    def inputs(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing: hooks do it."""
        del given
        return {}

    def see(self, frames: tuple[Frame, ...], avoid: Sequence[bool]) -> None:
        """The next call works on these frames; rows marked in `avoid` are shown no picture."""
        device = self.masks[0].device
        self.call.masks = [MapLevels.of(mask, frames) for mask in self.masks]
        self.call.negative = torch.tensor(avoid, device=device)[:, None, None]

    @contextmanager
    def hooked(self, unet: Any) -> Generator[None]:
        """Inside the block the UNet sees the pictures."""
        with ExitStack() as stack:
            for name, module in unet.named_modules():
                if not name.endswith(".attn2"):
                    continue
                look = _Look(self, f"{name}.processor")
                handles = (
                    module.register_forward_pre_hook(look.before, with_kwargs=True),
                    module.to_out[0].register_forward_pre_hook(look.within),
                )
                for handle in handles:
                    stack.callback(handle.remove)
            yield


@dataclass(frozen=True, slots=True)
class _PlacedReferences:
    references: References
    frames: tuple[Frame, ...]
    avoid: tuple[bool, ...]

    def at(self, conditioning: Conditioning) -> _PlacedReferences:
        return self.references.at(conditioning)

    def inputs(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing to add; the hooks learn where the rows lie."""
        del given
        self.references.see(self.frames, self.avoid)
        return {}


class _Look:
    """One attention layer looking at the pictures."""

    def __init__(self, references: References, site: str) -> None:
        self._references = references
        self._site = site
        self._added: Tensor | None = None

    def before(self, attn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Work out what the pictures add to the layer's output, (B, n, c)."""
        hidden: Tensor = args[0] if args else kwargs["hidden_states"]
        call = self._references.call
        query = _heads(attn, attn.to_q(hidden))
        self._added = None
        for levels, told in zip(call.masks, self._references.told, strict=True):
            mask = levels.tokens(hidden.shape[1])
            if mask is None or call.negative is None:
                continue
            shown, nothing = told[self._site]
            key, value = (
                torch.where(call.negative, none, some).to(query.dtype)
                for some, none in zip(shown, nothing, strict=True)
            )
            seen = scaled_dot_product_attention(query, _heads(attn, key), _heads(attn, value))
            seen = mask.to(query.dtype) * seen.transpose(1, 2).flatten(2)
            self._added = seen if self._added is None else self._added + seen

    def within(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Add it before the layer's last projection, where the stock adapter does."""
        del module
        return inputs if self._added is None else (inputs[0] + self._added, *inputs[1:])


def _heads(attn: Any, values: Tensor) -> Tensor:
    return values.unflatten(-1, (attn.heads, -1)).transpose(1, 2)  # (B, heads, n, d)


@contextmanager
def shown(
    unet: Any, adapter: ReferenceAdapter, pictures: Sequence[Reference]
) -> Generator[References]:
    """Inside the block the network keeps to the pictures, each in its mask."""
    device = next(unet.parameters()).device
    told = tuple(_read(adapter, reference.picture) for reference in pictures)
    masks = tuple(reference.mask.to(device) for reference in pictures)
    references = References(masks, told)
    with references.hooked(unet):
        yield references


def _read(adapter: ReferenceAdapter, picture: Floats) -> dict[str, tuple[Pair, Pair]]:
    """Keys and values of a picture and of no picture, by attention layer."""
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (CLIP_MEAN, CLIP_DEVIATION))
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None]
    tokens = adapter.tokens((pixels - mean) / deviation)
    return {
        site: (
            (linear(tokens[0], key)[0], linear(tokens[0], value)[0]),
            (linear(tokens[1], key)[0], linear(tokens[1], value)[0]),
        )
        for site, (key, value) in adapter.layers.items()
    }


def cutout_square(raster: Raster, mask: Mask | None, side: int) -> Floats:
    """(side, side, 3) [0, 1]: the cutout as large as it fits, on the colour CLIP knows as none."""
    pixels = raster.pixels.astype(np.float32) / np.iinfo(raster.pixels.dtype).max
    alpha = pixels[..., 3] * (mask.values / np.float32(255) if mask else np.float32(1))
    rows, columns = (np.flatnonzero(alpha.max(axis=axis) > 0.02) for axis in (1, 0))
    ground = np.array(CLIP_MEAN, np.float32)
    if not len(rows):
        return np.broadcast_to(ground, (side, side, 3)).copy()
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    cut, share = pixels[box][..., :3], alpha[box][..., None]
    laid = (cut * share + ground * (1.0 - share)).astype(np.float32)
    height, width = laid.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = np.clip(cv2.resize(laid, size, interpolation=way), 0.0, 1.0)
    square = np.broadcast_to(ground, (side, side, 3)).copy()
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square
