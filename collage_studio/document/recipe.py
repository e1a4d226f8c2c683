"""How a run is made: its settings, and the recipe that a variation keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from collage_studio.document.extras import RunExtras
from collage_studio.document.method_settings import MethodSettings


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run needs beside the document; the same in app, command line and recipe.

    Args:
        model: "starter", a folder, a .safetensors file or a hub id.
        method: name of a published method.
        sampler: "euler_a", "dpmpp_2m" or "ddim".
        steps: of the full schedule; a run from noise 0.6 performs about 0.6 of them.
        guidance: classifier-free guidance scale; 1 or less switches it off. The default suits
            the bundled model; real checkpoints want about 7.5.
        noise_scale: factor on every layer's noise.
        avoid: words to avoid (the negative prompt).
        softness: Gaussian sigma of the noise map in canvas px at 512 px height; scales with it.
        detail: [0, 1], source detail kept where the model works below canvas resolution.
        resolution: short side in px at which the model works; 0 = the model's native size.
        ca_schedule: "sigma" = the paper's schedule; "off" = no attention control.
        methods: what each method is told beside this.
        extras: ControlNet, IP-Adapter and LoRAs of the run.
    """

    model: str = "starter"
    method: str = "collage_diffusion"
    sampler: str = "euler_a"
    steps: int = 25
    guidance: float = 1.5
    noise_scale: float = 1.0
    avoid: str = ""
    softness: float = 10.0
    detail: float = 0.8
    resolution: int = 0
    ca_schedule: str = "sigma"
    methods: MethodSettings = field(default_factory=MethodSettings)
    extras: RunExtras = field(default_factory=RunExtras)

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"Steps must lie in 1..1000, got {self.steps}.")
        if not 0.0 <= self.detail <= 1.0:
            raise ValueError(f"Source detail must lie in 0..1, got {self.detail}.")


class Start(StrEnum):
    """What a re-rolled layer starts from."""

    CURRENT = "current"
    ORIGINAL = "original"
    NOISE = "noise"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a variation was made: all it takes, with its document, to make it again.

    `layer_ids` is empty for a harmonise run and names the re-rolled layers otherwise.

    Args:
        also: key of the mask of pixels beside the layers that could change as well, such as the
            place a moved layer left; empty if there were none.
        taken: (layer id, seed of the variation its pixels are from), where variations were joined.
    """

    kind: str
    seed: int
    settings: RunSettings
    caption: str
    layer_ids: tuple[str, ...] = ()
    start: Start = Start.CURRENT
    layers: tuple[Mapping[str, Any], ...] = ()
    app_version: str = ""
    also: str = ""
    taken: tuple[tuple[str, int], ...] = ()
