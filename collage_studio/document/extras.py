"""What a run can be given beside text and pixels: control pictures, LoRAs, reference pictures.

Frozen values, and the table of what each model family can do with them. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collage_studio.document.model import Raster

STARTER_CONTROL = "starter"
"""Names the bundled control model, which follows edges and belongs to the starter model."""

MAX_WEIGHT = 2.0
"""LoRA weights lie in -MAX_WEIGHT..MAX_WEIGHT."""


class ControlKind(StrEnum):
    """What a ControlNet reads."""

    CANNY = "canny"
    SCRIBBLE = "scribble"
    TILE = "tile"
    DEPTH = "depth"
    POSE = "pose"

    @property
    def is_drawn_from_cutouts(self) -> bool:
        """The picture can be made of the cutouts; the other kinds need one of their own."""
        return self in (ControlKind.CANNY, ControlKind.SCRIBBLE, ControlKind.TILE)

    @property
    def is_lines(self) -> bool:
        """White lines on black."""
        return self in (ControlKind.CANNY, ControlKind.SCRIBBLE)


@dataclass(frozen=True, slots=True)
class LoraUse:
    """One LoRA file and how strongly it is felt.

    Args:
        path: of the .safetensors file.
        weight: -2..2, 1 = as it was trained.
    """

    path: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("A LoRA needs a file.")
        if not -MAX_WEIGHT <= self.weight <= MAX_WEIGHT:
            raise ValueError(f"LoRA weights lie in -2..2, got {self.weight}.")


@dataclass(frozen=True, slots=True)
class LayerExtras:
    """What holds for one layer, felt only where the run has a model for it.

    Args:
        control: [0, 1] how firmly its edges, or its control picture, hold the shape.
        control_picture: spread over the layer's source pixels, of the background over the canvas;
            None = drawn from the cutout where the kind allows.
        loras: LoRAs for this layer's place alone.
        reference: [0, 1] how firmly the model keeps to the cutout's look (IP-Adapter).
        unknown: keys of a newer file version, kept for writing.
    """

    control: float = 0.5
    control_picture: Raster | None = None
    loras: tuple[LoraUse, ...] = ()
    reference: float = 0.5
    unknown: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        for name in ("control", "reference"):
            value: float = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must lie in 0..1, got {value}.")


@dataclass(frozen=True, slots=True)
class RunExtras:
    """What holds for a whole run.

    Args:
        control_model: folder or .safetensors file of a ControlNet, or `STARTER_CONTROL`; empty =
            none.
        control_kind: what that ControlNet reads.
        reference_model: folder or .safetensors file of an IP-Adapter; empty = none.
        loras: LoRAs for the whole picture.
        clip_model: folder of a CLIP model that says how well layers match their texts.
        sam_model: folder of a SAM model that says how well they fit their boxes.
        identity_model: folder or .onnx file of an image encoder that says how much of what layers
            are was kept; the window takes it from the preferences.
    """

    control_model: str = ""
    control_kind: ControlKind = ControlKind.CANNY
    reference_model: str = ""
    loras: tuple[LoraUse, ...] = ()
    clip_model: str = ""
    sam_model: str = ""
    identity_model: str = ""


class Feature(StrEnum):
    """A part of Collage Diffusion, or something a layer can be given."""

    ATTENTION = "attention"
    NOISE = "noise"
    LOOK = "look"
    CONTROL = "control"
    LORA = "lora"
    REFERENCE = "reference"


FAMILY_NAMES = {
    "stable_diffusion": "Stable Diffusion 1 and 2",
    "sdxl": "SDXL",
    "sd3": "Stable Diffusion 3",
    "flux": "FLUX.1",
}
"""Families of the engine as people call them."""

_NO_MASKED_ADAPTER = (
    "Reference pictures are not possible with {name}: its image adapters know no masks, so one "
    "layer's picture would colour the whole canvas. "
    "Use Stable Diffusion or SDXL, or learn the look."
)
_WHY_NOT: Mapping[tuple[str, Feature], str] = {
    (family, Feature.REFERENCE): _NO_MASKED_ADAPTER.format(name=FAMILY_NAMES[family])
    for family in ("sd3", "flux")
}


def why_not(family: str, feature: Feature) -> str:
    """Why a family cannot have a feature, one or two sentences; empty if it can.

    Args:
        family: a key of `FAMILY_NAMES`. Nothing is known against families that it does not list.
    """
    return _WHY_NOT.get((family, feature), "")
