"""LoRAs through PEFT: for the whole picture, for a layer's place, for rows of a call.

Everything happens inside a with block; weights are never fused, and afterwards the networks have
the modules they had. A layer's LoRA is a forward hook on the layers it changes:
    out = base(x) + sum_i w_i D_i(x) + sum_r M_r w_r D_r(x)
with the whole picture's adapters i, regions r and their masks M_r averaged to the layer's size.
Where a layer works on things without a place (words of a joint transformer, time), M_r is the
region's share of the picture. Cross-attention reads keys of words, so it is mixed at its output:
    out = attention_0 + sum_r M_r (attention_r - attention_0).
M = 1 is the LoRA as it is, M = 0 none, both to the bit.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from collage_studio.document.extras import LoraUse
from collage_studio.document.model import Document
from collage_studio.engine.extras.lora_loading import load_adapter
from collage_studio.engine.families.base import Attachment, Conditioning, Family, Frame
from collage_studio.engine.regions.maps import MapLevels, network_of

_WORD_LAYERS = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "context")
"""Parts of the names of layers that see only the words."""


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
        cross = {
            name
            for name, module in self.network.named_modules()
            if name.endswith(".attn2") and _reads_words(module)
        }
        for name, module in self.network.named_modules():
            inside = next((start for start in cross if name.startswith(f"{start}.")), None)
            if name in cross:
                yield module.register_forward_hook(self._mix_attention, with_kwargs=True)
            elif isinstance(module, BaseTunerLayer):
                layer = cast("nn.Module", module)
                yield layer.register_forward_hook(_LayerHook(self, name, inside is not None))

    def _mix_attention(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor
    ) -> Tensor:
        """The output of a cross-attention layer, mixed by the masks; (B, n, c)."""
        mixed = out
        for region in self.regions:
            if not self.call.goes_by_mask(region.name):
                continue
            levels = self.call.masks.get(region.name)
            mask = None if levels is None else levels.tokens(out.shape[1])
            if mask is None or not any(_has(module, name) for name in self.adapters[region.name]):
                continue
            self.call.alone = region.name
            try:
                other = module.forward(*args, **kwargs)
            finally:
                self.call.alone = None
            mixed = _mixed(mixed, out, other, mask.to(out.dtype))
        return mixed


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
    """Adds the regions' LoRAs to what one layer gives."""

    def __init__(self, stack: LoraStack, name: str, in_cross: bool) -> None:
        self._stack = stack
        self._of_words = any(part in name for part in _WORD_LAYERS)
        self._in_cross = in_cross

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
        if self._in_cross:
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


def _reads_words(attention: Any) -> bool:
    return bool(getattr(attention, "is_cross_attention", False))


def _has(module: nn.Module, adapter: str) -> bool:
    return any(
        isinstance(part, BaseTunerLayer) and adapter in cast("Any", part).lora_A
        for part in module.modules()
    )


@contextmanager
def loras(
    family: Family, whole: Sequence[LoraUse], regions: Sequence[LoraRegion] = ()
) -> Generator[LoraStack]:
    """Inside the block the family's networks have these LoRAs.

    Args:
        whole: felt everywhere, in the text encoders too.
        regions: felt in their masks, in the denoising network alone.

    Raises:
        BadRequest: a file is gone, a pickle, damaged or made for another family.
    """
    network = network_of(family)
    whole = [use for use in whole if use.weight != 0]
    kept = [replace(r, uses=tuple(u for u in r.uses if u.weight != 0)) for r in regions]
    kept = [region for region in kept if region.uses]
    with ExitStack() as stack:
        stack.callback(_remove, family)
        names = {f"whole_{index}": use for index, use in enumerate(whole)}
        for name, use in names.items():
            load_adapter(family, use.path, name, texts=True)
        adapters = dict[str, tuple[str, ...]]()
        for number, region in enumerate(kept):
            own = {f"region_{number}_{index}": use for index, use in enumerate(region.uses)}
            for name, use in own.items():
                load_adapter(family, use.path, name, texts=False)
                _set_weight(network, name, use.weight)
            adapters[region.name] = tuple(own)
        for part in (network, *text_encoders_of(family)):
            for name, use in names.items():
                _set_weight(part, name, use.weight)
            _activate(part, list(names))
        made = LoraStack(network, tuple(kept), adapters)
        made.see((Frame.whole(*kept[0].mask.shape),) if kept else ())
        for handle in made.hooks() if kept else ():
            stack.callback(handle.remove)
        yield made


@contextmanager
def adapter_rows(
    attachments: Sequence[Attachment],
    rows: Sequence[Collection[str]],
    masked: Collection[str] = (),
) -> Generator[None]:
    """Inside the block each row of a call has the LoRAs of its layers; for methods with branches.

    Args:
        attachments: of the run; without LoRAs among them nothing happens.
        rows: ids of layers for each row of the batch.
        masked: ids of layers whose masks decide, in all rows.
    """
    with ExitStack() as stack:
        for attachment in attachments:
            if isinstance(attachment, LoraStack):
                stack.enter_context(attachment.adapter_rows(rows, masked))
        yield


@dataclass(frozen=True, slots=True)
class RowLoras:
    """The LoRAs of one row.

    Args:
        own: layers whose LoRAs hold for all of it. masked: those that hold by their masks.
    """

    own: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()


def row_loras(
    attachments: Sequence[Attachment], document: Document, layer_ids: Collection[str]
) -> tuple[RowLoras | None, dict[str, RowLoras]]:
    """Whose LoRAs hold in the predictions of single layers, and in the one of everything else.

    A layer's own prediction has its LoRAs and those of the groups around it; those of layers in a
    group hold there by their masks. What has a prediction of its own is left out of the common one.

    Args:
        layer_ids: layers and groups with a prediction of their own.

    Returns:
        For the common prediction, None if no layer has LoRAs; and by layer id.
    """
    stacks = [found for found in attachments if isinstance(found, LoraStack)]
    named = frozenset(region.name for stack in stacks for region in stack.regions)
    if not named:
        return None, {}
    found = dict[str, RowLoras]()
    for layer in document.walk():
        if layer.id in layer_ids:
            inside = {part.id for part in layer.walk()} - {layer.id}
            around = {g.id for g in document.walk() if any(p.id == layer.id for p in g.walk())}
            found[layer.id] = RowLoras(named & around, named & inside)
    return RowLoras(masked=named - frozenset(layer_ids)), found


def text_encoders_of(family: Family) -> list[Any]:
    """The text encoders of a family, in their order."""
    found = (getattr(family, f"text_encoder{end}", None) for end in ("", "_2", "_3"))
    return [encoder for encoder in found if encoder is not None]


def _layers(module: nn.Module) -> Iterator[Any]:
    return (part for part in module.modules() if isinstance(part, BaseTunerLayer))


def _set_weight(module: nn.Module, adapter: str, weight: float) -> None:
    for layer in _layers(module):
        layer.set_scale(adapter, weight)


def _activate(module: nn.Module, adapters: list[str]) -> None:
    for layer in _layers(module):
        layer.set_adapter([name for name in adapters if name in layer.lora_A])
        layer.requires_grad_(False)


def _remove(family: Family) -> None:
    """Give every network its own modules back."""
    from diffusers.utils.peft_utils import recurse_remove_peft_layers

    for part in (network_of(family), *text_encoders_of(family)):
        if any(True for _ in _layers(part)):
            recurse_remove_peft_layers(part)
        for name in ("peft_config", "_hf_peft_config_loaded"):
            part.__dict__.pop(name, None)
