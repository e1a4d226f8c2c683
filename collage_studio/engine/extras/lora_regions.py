"""How a region's LoRA stays in its region: hooks that add it to what the network's layers give.

Layers that look at each place by itself get it by the region's mask, averaged to their size:
    out = base(x) + sum_i w_i D_i(x) + sum_r M_r w_r D_r(x)
with the whole picture's adapters i, regions r and their masks M_r. What carries a change from one
place to others within itself (attention through its keys and values, residual blocks through the
statistics of their norms) is asked once without any region's LoRA and once with each, and mixed at
its output:
    out = block_0 + sum_r M_r (block_r - block_0).
What has no place (words of a joint transformer, time) gets the region's share of the picture.
M = 1 is the LoRA as it is, M = 0 none, both to the bit.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from diffusers.models.resnet import ResnetBlock2D
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from collage_studio.document.extras import LoraUse
from collage_studio.engine.families.base import Conditioning, Frame
from collage_studio.engine.regions.maps import MapLevels

_WORD_LAYERS = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "context")
"""Parts of the names of layers that see only the words."""
_ATTENTIONS = (".attn", ".attn1", ".attn2")
_READ_BY_OTHERS = ("to_k", "to_v", "add_k_proj", "add_v_proj")
"""Layers of an attention whose numbers every place reads."""


@dataclass(frozen=True, slots=True)
class LoraRegion:
    """A layer's own LoRAs.

    Args:
        mask: (h, w) [0, 1] on the cells of the whole canvas, 1 = belongs to the layer.
    """

    name: str
    uses: tuple[LoraUse, ...]
    mask: Tensor


@dataclass(slots=True)
class _Call:
    """What the hooks look at during one call of the network."""

    masks: Mapping[str, MapLevels] = field(default_factory=dict[str, MapLevels])
    known: dict[tuple[Frame, ...], Mapping[str, MapLevels]] = field(
        default_factory=dict[tuple[Frame, ...], Mapping[str, MapLevels]]
    )
    rows: dict[str, Tensor] | None = None
    masked: frozenset[str] = frozenset()
    alone: str | None = None
    tokens: int = 0

    def goes_by_mask(self, region: str) -> bool:
        """Whether the region's mask decides, and not the row."""
        return self.rows is None or region in self.masked


@dataclass(frozen=True, slots=True, eq=False)
class LoraStack:
    """The LoRAs that are in a family's networks now; an attachment of every call.

    Args:
        adapters: names in PEFT by region.
    """

    network: Any
    regions: tuple[LoraRegion, ...]
    adapters: Mapping[str, tuple[str, ...]]
    call: _Call = field(default_factory=_Call, init=False)

    def at(self, conditioning: Conditioning) -> _PlacedStack:
        """The masks for the frames of one call."""
        return _PlacedStack(self, tuple(conditioning.frames))

    def inputs(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing: hooks do it."""
        del given
        return {}

    def see(self, frames: tuple[Frame, ...]) -> None:
        """The next call works on these frames; regions that lie in none of them are left out."""
        if frames not in self.call.known:
            device = next(self.network.parameters()).device
            levels = {r.name: MapLevels.of(r.mask.to(device), frames) for r in self.regions}
            self.call.known[frames] = {n: found for n, found in levels.items() if found.any}
        self.call.masks = self.call.known[frames]

    @contextmanager
    def adapter_rows(
        self, rows: Sequence[Collection[str]], masked: Collection[str] = ()
    ) -> Generator[None]:
        """Inside the block each row of a call has the LoRAs of its regions, whatever the masks say.

        Args:
            rows: names of regions for each row of the batch.
            masked: regions that hold by their masks, in all rows.
        """
        before = self.call.rows, self.call.masked
        self.call.masked = frozenset(masked)
        self.call.rows = {
            region.name: torch.tensor([float(region.name in names) for names in rows])
            for region in self.regions
            if any(region.name in names for names in rows)
        }
        try:
            yield
        finally:
            self.call.rows, self.call.masked = before

    def hooks(self) -> Iterator[Any]:
        """Install what adds the regions' LoRAs; yields the handles."""
        blocks = [name for name, module in self.network.named_modules() if _spreads(name, module)]
        for name, module in self.network.named_modules():
            if name in blocks:
                yield module.register_forward_hook(self._mix, with_kwargs=True)
            elif isinstance(module, BaseTunerLayer):
                is_inside = any(name.startswith(f"{block}.") for block in blocks)
                layer = cast("nn.Module", module)
                yield layer.register_forward_hook(_LayerHook(self, name, is_inside))

    def _mix(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any
    ) -> Any:
        """What a block gives, mixed by the masks; pixels and words where it gives both."""
        base: tuple[Tensor, ...] = out if isinstance(out, tuple) else (out,)
        mixed = list(base)
        for region in self.regions:
            levels = self.call.masks.get(region.name)
            if levels is None or not self.call.goes_by_mask(region.name):
                continue
            if not any(_has(module, name) for name in self.adapters[region.name]):
                continue
            self.call.alone = region.name
            try:
                other = module.forward(*args, **kwargs)
            finally:
                self.call.alone = None
            parts = other if isinstance(out, tuple) else (other,)
            for at, part in enumerate(parts):
                mask = _placed_share(levels, base[at], self.call.tokens, of_words=at == 1)
                mixed[at] = _mixed(mixed[at], base[at], part, mask.to(part.dtype))
        return tuple(mixed) if isinstance(out, tuple) else mixed[0]


@dataclass(frozen=True, slots=True)
class _PlacedStack:
    stack: LoraStack
    frames: tuple[Frame, ...]

    def at(self, conditioning: Conditioning) -> _PlacedStack:
        return self.stack.at(conditioning)

    def inputs(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing to add; the hooks learn where the rows lie."""
        self.stack.see(self.frames)
        hidden = given.get("hidden_states")
        self.stack.call.tokens = 0 if hidden is None or hidden.ndim == 4 else hidden.shape[1]
        return {}


class _LayerHook:
    """Adds the regions' LoRAs to what one layer gives.

    Args:
        is_inside: the layer is part of a block that is mixed at its output, so it has the LoRA of
            one region whole, or none.
    """

    def __init__(self, stack: LoraStack, name: str, is_inside: bool) -> None:
        self._stack = stack
        self._of_words = any(part in name for part in _WORD_LAYERS)
        self._is_inside = is_inside

    def __call__(self, layer: Any, inputs: tuple[Any, ...], out: Tensor) -> Tensor:
        given = out
        for region in self._stack.regions:
            names = [n for n in self._stack.adapters[region.name] if n in layer.lora_A]
            if not names:
                continue
            share = self._share(region.name, given)
            if share is None:
                continue
            for name in names:
                out = out + share.to(out.dtype) * _difference(layer, name, inputs[0], given)
        return out

    def _share(self, region: str, out: Tensor) -> Tensor | None:
        """What the region counts in each number of `out`; None for nothing at all."""
        call = self._stack.call
        if not call.goes_by_mask(region):
            if call.rows is None or region not in call.rows:
                return None
            rows = call.rows[region].to(out.device)
            return rows.view(-1, *((1,) * (out.ndim - 1)))
        if self._is_inside:
            return torch.ones((), device=out.device) if call.alone == region else None
        if region not in call.masks:
            return None
        return _placed_share(call.masks[region], out, call.tokens, of_words=self._of_words)


def _placed_share(levels: MapLevels, out: Tensor, tokens: int, *, of_words: bool) -> Tensor:
    """The mask at the size of `out`: feature maps, tokens of pixels, words before pixels."""
    share = levels.share
    if out.ndim == 4:
        found = levels.planes(*out.shape[-2:])
        return share[..., None] if found is None else found
    if out.ndim != 3:
        return share.flatten(1) if out.ndim == 2 else share.flatten()[:1]
    count = out.shape[1]
    if of_words or count < tokens:
        return share
    pixels = levels.tokens(tokens or count)
    if pixels is None or not tokens or count == tokens:
        return share if pixels is None else pixels
    # FLUX's single blocks: words first, then pixels.
    return torch.cat([share.expand(-1, count - tokens, 1), pixels], dim=1)


def _difference(layer: Any, name: str, x: Tensor, out: Tensor) -> Tensor:
    """What one adapter adds to a layer's output, weight included."""
    if name in getattr(layer, "lora_variant", {}):
        return _variant_difference(layer, name, x)
    down = layer.lora_A[name]
    added = layer.lora_B[name](down(x.to(down.weight.dtype))) * layer.scaling[name]
    return added.to(out.dtype)


def _variant_difference(layer: Any, name: str, x: Tensor) -> Tensor:
    """The same for adapters that are more than a product, such as DoRA."""
    active = layer._active_adapter
    try:
        layer._active_adapter = [name]
        return layer.forward(x) - layer.base_layer(x)
    finally:
        layer._active_adapter = active


def _mixed(so_far: Tensor, base: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """so_far + mask (other - base), exact where the mask is 0 or 1."""
    added = so_far + mask * (other - base)
    whole = other if so_far is base else so_far + (other - base)
    return torch.where(mask == 1, whole, torch.where(mask == 0, so_far, added))


def _spreads(name: str, module: nn.Module) -> bool:
    """Whether a block has LoRAs whose work in one place is read in others, within the block."""
    if isinstance(module, ResnetBlock2D):
        return _is_tuned(module)
    if not name.endswith(_ATTENTIONS):
        return False
    if getattr(module, "is_cross_attention", False):
        return _is_tuned(module)
    return any(_is_tuned(getattr(module, part, None)) for part in _READ_BY_OTHERS)


def _is_tuned(module: nn.Module | None) -> bool:
    return module is not None and any(isinstance(m, BaseTunerLayer) for m in module.modules())


def _has(module: nn.Module, adapter: str) -> bool:
    return any(
        isinstance(part, BaseTunerLayer) and adapter in cast("Any", part).lora_A
        for part in module.modules()
    )
