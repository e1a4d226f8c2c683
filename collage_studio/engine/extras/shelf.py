"""Makes a run's extras ready: control, LoRAs, adapters and pictures, all gone when it ends."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from collage_studio.document.extras import (
    ControlKind,
    Feature,
    LoraUse,
    why_not,
)
from collage_studio.document.model import Document, Layer, NextState
from collage_studio.engine.api import BadRequest
from collage_studio.engine.extras.control import Control
from collage_studio.engine.extras.control_loading import load_control
from collage_studio.engine.extras.control_picture import control_picture
from collage_studio.engine.extras.lora import loras
from collage_studio.engine.extras.lora_regions import LoraRegion
from collage_studio.engine.extras.reference import Reference, References, cutout_square, shown
from collage_studio.engine.extras.reference_loading import ReferenceAdapter, load_reference
from collage_studio.engine.families.base import Attachment, Family, ReadText
from collage_studio.engine.families.unet import UNetFamily
from collage_studio.engine.memory import explained_memory
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.recent import Recent
from collage_studio.engine.regions.layout_plan import layout_rows
from collage_studio.engine.regions.maps import network_of
from collage_studio.engine.rich_context.adapter import RichContextAdapter, attached
from collage_studio.engine.rich_context.attachment import LayoutRows
from collage_studio.engine.rich_context.checkpoint import load_adapter
from collage_studio.formats.adapter_files import NOT_THERE, adapter_file
from collage_studio.formats.errors import FormatError


@dataclass(frozen=True, slots=True)
class Extras:
    """What is attached to a run.

    Args:
        text_key: tells texts read with these LoRAs from those read without.
    """

    attachments: tuple[Attachment, ...] = ()
    warnings: tuple[str, ...] = ()
    text_key: str = ""

    def told(self, avoid: ReadText) -> tuple[Attachment, ...]:
        """The attachments, once the words to avoid have been read."""
        for attachment in self.attachments:
            if isinstance(attachment, References | LayoutRows):
                attachment.negative.append(avoid)
        return self.attachments


class ExtrasShelf:
    """Keeps the last ControlNet and adapters in memory as long as runs ask for them."""

    def __init__(self) -> None:
        self._nets: Recent[str, Any] = Recent(1)
        self._adapters: Recent[str, ReferenceAdapter] = Recent(1)
        self._layouts: Recent[tuple[Path, float], RichContextAdapter] = Recent(1)

    def clear(self) -> None:
        """Let go of everything; the model they were loaded for is gone."""
        self._nets.clear()
        self._adapters.clear()
        self._layouts.clear()

    @contextmanager
    def attached(self, family: Family, plan: RunPlan) -> Generator[Extras]:
        """Inside the block the family runs with the plan's extras.

        Raises:
            BadRequest: a file is gone, a pickle, damaged or made for another model.
        """
        with ExitStack() as stack:
            with explained_memory(family.device, 0):
                made = self._made(family, plan, stack)
            yield made

    def _made(self, family: Family, plan: RunPlan, stack: ExitStack) -> Extras:
        asked, regions = plan.settings.extras, lora_regions(plan)
        warnings, attachments = list[str](), list[Attachment]()
        if asked.loras or regions:
            attachments.append(stack.enter_context(loras(family, asked.loras, regions)))
        control = self._control(family, plan, warnings)
        attachments += [] if control is None else [control]
        pictures = self._pictures(family, plan, warnings)
        if pictures is not None:
            attachments.append(stack.enter_context(shown(network_of(family), *pictures)))
        if plan.settings.method == "rich_context":
            attachments += self._layout(family, plan, stack, warnings)
        return Extras(tuple(attachments), tuple(warnings), text_key(asked.loras))

    def _control(self, family: Family, plan: RunPlan, warnings: list[str]) -> Control | None:
        path, kind = plan.settings.extras.control_model, plan.settings.extras.control_kind
        if not path:
            self._nets.clear()
            return None
        picture = control_picture(plan, kind)
        if not picture.is_felt:
            warnings.append(_nothing_held(kind))
            return None
        net = self._nets.get(path, lambda: load_control(path, family))
        return Control.of(family, net, kind, picture, plan.workspace)

    def _layout(
        self, family: Family, plan: RunPlan, stack: ExitStack, warnings: list[str]
    ) -> list[LayoutRows]:
        """What the trained adapter reads, the adapter attached; nothing where there is none."""
        path = adapter_file(plan.settings)
        if path is None:
            warnings += [NOT_THERE] if not plan.settings.methods.rich_context.adapter else []
            return []
        if not isinstance(family, UNetFamily):
            warnings.append(_NO_DOOR)
            return []
        try:
            key = (path, path.stat().st_mtime)
            adapter = self._layouts.get(
                key, lambda: load_adapter(path, family.device, family.dtype)
            )
        except OSError as error:
            raise BadRequest(f"The adapter {path.name} is gone. Choose another one.") from error
        except FormatError as error:
            raise BadRequest(str(error)) from error
        strength = plan.settings.methods.rich_context.strength
        stack.enter_context(attached(family.unet, adapter, strength))
        rows = layout_rows(family, plan, upstream=adapter.metadata.get("join") == "upstream")
        window = plan.workspace.window
        rows.rows((window,), window)
        warnings += rows.warnings
        return [rows]

    def _pictures(
        self, family: Family, plan: RunPlan, warnings: list[str]
    ) -> tuple[ReferenceAdapter, Sequence[Reference]] | None:
        path = plan.settings.extras.reference_model
        if not path:
            self._adapters.clear()
            return None
        reason = why_not(family.name, Feature.REFERENCE)
        if reason:
            warnings.append(reason)
            return None
        adapter = self._adapters.get(path, lambda: load_reference(path, family))
        found = references(plan, adapter.side)
        return (adapter, found) if found else None


def text_key(uses: Sequence[LoraUse]) -> str:
    """A name for the text encoders with these LoRAs; empty for none."""
    return "".join(f"{use.path}:{use.weight}|" for use in uses if use.weight != 0)


def lora_regions(plan: RunPlan) -> list[LoraRegion]:
    """The layers and groups with LoRAs of their own that can be seen."""
    found = list[LoraRegion]()
    for layer in _all_layers(plan.document):
        cells = _cells(plan, layer.id) if layer.extras.loras else None
        if cells is not None:
            found.append(LoraRegion(layer.id, layer.extras.loras, cells))
    return found


def references(plan: RunPlan, side: int) -> list[Reference]:
    """The cutouts that the run may change, each with its visible mask times its strength."""
    found = list[Reference]()
    for layer in _all_layers(plan.document):
        strength = layer.extras.reference
        if layer.raster is None or not strength or layer.state is NextState.KEEP:
            continue
        cells = _cells(plan, layer.id)
        if cells is not None:
            mask = layer.mask if layer.mask_enabled else None
            found.append(Reference(cutout_square(layer.raster, mask, side), cells * strength))
    return found


def _all_layers(document: Document) -> tuple[Layer, ...]:
    return (document.background, *document.walk())


def _cells(plan: RunPlan, layer_id: str) -> Tensor | None:
    """(h, w) the visible mask on latent cells of the whole canvas; None for what is not seen."""
    mask = plan.masks.get(layer_id)
    if mask is None or not mask[plan.workspace.pixels.slices].any():
        return None
    return plan.workspace.cells(mask)


_NO_DOOR = (
    "Trained adapters fit Stable Diffusion 1, 2 and SDXL alone. "
    "Regional attention without training is used."
)


def _nothing_held(kind: ControlKind) -> str:
    if kind.is_drawn_from_cutouts:
        return "Edges of all layers are at 0, so the control model was not used."
    return (
        f"A control model for {kind} needs a picture. "
        "Give one to the background or to a layer, or choose another kind."
    )
