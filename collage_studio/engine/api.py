"""Requests and events: plain frozen data between the app and the engine. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from collage_studio.document.extras import LayerExtras
from collage_studio.document.geometry import Affine, Rect
from collage_studio.document.looks import Look
from collage_studio.document.model import Document, Layer, Mask
from collage_studio.document.recipe import Recipe, RunSettings, Start

Picture: TypeAlias = "npt.NDArray[np.uint8]"
"""(H, W, 3) uint8, sRGB-encoded."""


@dataclass(frozen=True, slots=True)
class HarmoniseRequest:
    """Fit all layers of `document` to each other, once per seed."""

    document: Document
    seeds: tuple[int, ...]
    settings: RunSettings


@dataclass(frozen=True, slots=True)
class RerollRequest:
    """Make `layer_ids` anew, once per seed; every pixel outside their feather stays identical.

    The surroundings are the accepted picture, or the composite where none is accepted yet.

    Args:
        also: noise of pixels beside the layers', at canvas size, 255 = 1; `layer_ids` may then be
            empty.
        taken: for the recipe: (layer id, seed) of variations that the surroundings are joined of.
    """

    document: Document
    layer_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    settings: RunSettings
    start: Start = Start.CURRENT
    also: Mask | None = None
    taken: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class LearnSettings:
    """How a look is learned.

    Args:
        vectors: 1..4, learned words in front of the text.
        steps: at most; learning stops earlier where nothing more is gained.
        rate: of the optimiser, in deviations of the encoder's own words per step.
        begins_with_text: the vectors begin as the mean of the text's own, otherwise as "a".
        seed: of views and noise.
    """

    vectors: int = 4
    steps: int = 200
    rate: float = 1.0
    begins_with_text: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.vectors <= 4:
            raise ValueError(f"A look has 1 to 4 vectors, got {self.vectors}.")
        if not 1 <= self.steps <= 5000:
            raise ValueError(f"Learning takes 1 to 5000 steps, got {self.steps}.")


@dataclass(frozen=True, slots=True)
class LearnRequest:
    """Learn the looks of `layer_ids`, all in one batch.

    Args:
        goes_on: continue from the looks the layers have, where they fit.
    """

    document: Document
    layer_ids: tuple[str, ...]
    settings: RunSettings
    learning: LearnSettings = LearnSettings()
    goes_on: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        """None: nothing is drawn for the strip."""
        return ()


@dataclass(frozen=True, slots=True)
class FillRequest:
    """Paint what is hidden behind layers, one layer of the harmonised stack after the other.

    Args:
        document: as it lay when its picture was accepted, with its harmonised pixels.
        layer_ids: what hides; empty = all layers.
        seed: of every layer's run.
    """

    document: Document
    layer_ids: tuple[str, ...]
    seed: int
    settings: RunSettings

    @property
    def seeds(self) -> tuple[int, ...]:
        """None: nothing is drawn for the strip."""
        return ()


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """Fetch a model from the hub; the person has agreed to it.

    Args:
        model: its hub id, "owner/name".
    """

    model: str

    @property
    def seeds(self) -> tuple[int, ...]:
        """None: nothing is drawn for the strip."""
        return ()


PictureRequest = HarmoniseRequest | RerollRequest
"""Ends in pictures."""

Request = PictureRequest | LearnRequest | FillRequest | FetchRequest


@dataclass(frozen=True, slots=True)
class Started:
    """The run began: it performs `steps` denoising steps for each seed."""

    seeds: tuple[int, ...]
    steps: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stepped:
    """Step `step` (from 1) of `steps` is done for `seeds`."""

    seeds: tuple[int, ...]
    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Downloaded:
    """`done` of `total` bytes of a model are on this computer."""

    model: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Previewed:
    """The current clean estimate of one seed, at the engine's working size (any (h, w, 3)).

    `box` is the part of the canvas it covers; None means all of it.
    """

    seed: int
    step: int
    picture: Picture
    box: Rect | None = None


@dataclass(frozen=True, slots=True)
class Produced:
    """One seed is done: its picture at canvas size, (H, W, 3) or (H, W, 4) uint8."""

    seed: int
    picture: Picture
    recipe: Recipe
    box: Rect | None = None


@dataclass(frozen=True, slots=True)
class LearnProgress:
    """Step `step` of at most `steps` is done.

    Args:
        shares: the loss of each layer, in the request's order, as a share of its first.
    """

    step: int
    steps: int
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Learned:
    """What a layer has learned so far; usable at once. `look.recipe.finished` tells the last."""

    layer_id: str
    look: Look


@dataclass(frozen=True, slots=True)
class Filled:
    """A layer's harmonised pixels, now with its hidden parts painted.

    Args:
        layer_id: of the layer, or `document.harmonised.GROUND` for the canvas's own pixels.
        pixels: (h, w, 4) uint8. placement: those pixels to the layer's source pixels.
        before: key of the harmonised pixels that the run saw.
    """

    layer_id: str
    pixels: npt.NDArray[np.uint8]
    placement: Affine
    before: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Every seed is done."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The run ended without all its pictures. `message` is one sentence for the user.

    `remedy` names what the app may offer: "retry", "retry_smaller", "choose_model",
    "fetch_model", or "".
    """

    message: str
    remedy: str = "retry"
    details: str = ""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The user stopped the run."""


Event = (
    Started
    | Stepped
    | Downloaded
    | Previewed
    | Produced
    | LearnProgress
    | Learned
    | Filled
    | Finished
    | Failed
    | Cancelled
)


class EngineError(Exception):
    """A failure the engine explains: `str(error)` is one sentence for the user."""

    remedy = "retry"


class OutOfMemory(EngineError):
    remedy = "retry_smaller"


class ModelUnavailable(EngineError):
    remedy = "choose_model"


class ModelNotFetched(ModelUnavailable):
    """A model that is named by a hub id is not on this computer."""

    remedy = "fetch_model"


class BadRequest(EngineError):
    """The document cannot be run as it is."""

    remedy = ""


def describe_layers(document: Document) -> tuple[dict[str, Any], ...]:
    """What a recipe keeps of each layer: id, name, text, noise, state, attention, place, look.

    Painted noise is told by the key of its pixels, where there is any.
    """
    return tuple(
        {
            "id": layer.id,
            "name": layer.name,
            "text": layer.text,
            "noise": layer.noise,
            "state": str(layer.state),
            "attention_in": layer.attention_in,
            "attention_out": layer.attention_out,
            "placement": list(layer.placement.as_tuple()),
            "learned": layer.look.key if layer.look else "",
            **({"noise_paint": layer.noise_paint.key} if layer.noise_paint else {}),
            **describe_look(layer),
            **describe_extras(layer.extras),
        }
        for layer in (document.background, *document.walk())
    )


def describe_extras(extras: LayerExtras) -> dict[str, Any]:
    """Control, LoRAs and reference of a layer; nothing where all is as usual."""
    if extras == LayerExtras():
        return {}
    return {
        "control": extras.control,
        "control_picture": extras.control_picture.key if extras.control_picture else "",
        "loras": [{"path": use.path, "weight": use.weight} for use in extras.loras],
        "reference": extras.reference,
    }


def describe_look(layer: Layer) -> dict[str, Any]:
    """How a layer looks wherever it lies; pixels and mask by the keys of their content."""
    mask = layer.mask if layer.mask_enabled else None
    return {
        "opacity": layer.opacity,
        "blend": str(layer.blend),
        "visible": layer.visible,
        "clipped": layer.clipped,
        "pixels": layer.raster.key if layer.raster else "",
        "mask": mask.key if mask else "",
    }
