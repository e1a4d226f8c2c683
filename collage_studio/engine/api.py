"""Requests and events: plain frozen data between the app and the engine. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Rect
from collage_studio.document.model import Document, Layer, Recipe, RunSettings, Start

Picture = npt.NDArray[np.uint8]
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
    """

    document: Document
    layer_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    settings: RunSettings
    start: Start = Start.CURRENT


Request = HarmoniseRequest | RerollRequest


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
class Finished:
    """Every seed is done."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The run ended without all its pictures. `message` is one sentence for the user.

    `remedy` names what the app may offer: "retry", "retry_smaller", "choose_model", or "".
    """

    message: str
    remedy: str = "retry"
    details: str = ""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The user stopped the run."""


Event = Started | Stepped | Previewed | Produced | Finished | Failed | Cancelled


class EngineError(Exception):
    """A failure the engine explains: `str(error)` is one sentence for the user."""

    remedy = "retry"


class OutOfMemory(EngineError):
    remedy = "retry_smaller"


class ModelUnavailable(EngineError):
    remedy = "choose_model"


class BadRequest(EngineError):
    """The document cannot be run as it is."""

    remedy = ""


def describe_layers(document: Document) -> tuple[dict[str, Any], ...]:
    """What a recipe keeps of each layer: id, name, text, noise, state, attention, place, look."""
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
            **describe_look(layer),
        }
        for layer in (document.background, *document.walk())
    )


def describe_look(layer: Layer) -> dict[str, Any]:
    """How a layer looks wherever it lies; pixels and mask by the keys of their content."""
    mask = layer.mask if layer.mask_enabled else None
    return {
        "opacity": layer.opacity,
        "blend": str(layer.blend),
        "visible": layer.visible,
        "pixels": layer.raster.key if layer.raster else "",
        "mask": mask.key if mask else "",
    }
