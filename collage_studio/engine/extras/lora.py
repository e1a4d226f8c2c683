"""LoRAs through PEFT: for the whole picture, for a layer's place, for rows of a call.

Everything happens inside a with block; weights are never fused, and afterwards the networks have
the modules they had. How a region's LoRA stays in its region stands in `lora_regions`.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from collage_studio.document.extras import LoraUse
from collage_studio.document.model import Document
from collage_studio.engine.extras.lora_loading import load_adapter
from collage_studio.engine.extras.lora_regions import LoraRegion, LoraStack
from collage_studio.engine.families.base import Attachment, Family, Frame
from collage_studio.engine.regions.maps import network_of


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
