"""The frozen values a collage is made of: Document, Layer, Mask, Caption, Variation.

Nothing here changes in place. `edits` holds the functions Document -> Document.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from collage_studio.document.extras import LayerExtras
from collage_studio.document.geometry import IDENTITY, Affine, Rect, Size
from collage_studio.document.looks import Look, picture_key
from collage_studio.document.recipe import Recipe, RunSettings

PixelArray: TypeAlias = "npt.NDArray[np.uint8] | npt.NDArray[np.uint16]"


def new_id() -> str:
    """A fresh identifier for a layer or a variation."""
    return uuid.uuid4().hex[:12]


def _frozen_copy(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array itself if it is contiguous and nobody can change it, else a read-only copy."""
    if not array.flags.c_contiguous or _is_changeable(array):
        array = np.array(array, order="C")
        array.setflags(write=False)
    return array


def _is_changeable(array: npt.NDArray[Any]) -> bool:
    """The array, or the memory that it is a window on, can be written to."""
    if array.flags.writeable:
        return True
    base = cast("object", array.base)
    if isinstance(base, np.ndarray):
        return _is_changeable(base)
    return base is not None and not isinstance(base, bytes)


def _content_key(array: npt.NDArray[Any]) -> str:
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.data.cast("B"))
    return digest.hexdigest()


class Raster:
    """Pixels with straight alpha, (H, W, 4) uint8 or uint16, sRGB-encoded, never changed.

    Two rasters are equal when their content is: `key` is its SHA-256.
    """

    def __init__(self, pixels: PixelArray, key: str | None = None) -> None:
        """Take `pixels`; `key` only where the caller has just verified it."""
        if pixels.ndim != 3 or pixels.shape[2] != 4 or str(pixels.dtype) not in {"uint8", "uint16"}:
            raise ValueError(
                f"A raster is (H, W, 4) uint8 or uint16, got {pixels.shape} {pixels.dtype}."
            )
        self.pixels: PixelArray = _frozen_copy(pixels)
        if key is not None:
            self.__dict__["key"] = key

    @classmethod
    def from_rgb(cls, rgb: npt.NDArray[np.uint8]) -> Raster:
        """From (H, W, 3) uint8, opaque."""
        alpha = np.full((*rgb.shape[:2], 1), 255, np.uint8)
        return cls(np.concatenate([rgb, alpha], axis=2))

    @cached_property
    def key(self) -> str:
        return _content_key(self.pixels)

    @property
    def size(self) -> Size:
        return Size(self.pixels.shape[1], self.pixels.shape[0])

    @property
    def depth(self) -> int:
        """Bits per channel: 8 or 16."""
        return self.pixels.dtype.itemsize * 8

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Raster) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Raster({self.size.width}x{self.size.height}, {self.depth} bit)"


class Mask:
    """A layer mask in the layer's source pixels, (H, W) uint8, 255 = belongs to the layer."""

    def __init__(self, values: npt.NDArray[np.uint8], key: str | None = None) -> None:
        if values.ndim != 2 or values.dtype != np.uint8:
            raise ValueError(f"A mask is (H, W) uint8, got {values.shape} {values.dtype}.")
        self.values: npt.NDArray[np.uint8] = _frozen_copy(values)
        if key is not None:
            self.__dict__["key"] = key

    @cached_property
    def key(self) -> str:
        return _content_key(self.values)

    @property
    def size(self) -> Size:
        return Size(self.values.shape[1], self.values.shape[0])

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Mask) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Mask({self.size.width}x{self.size.height})"


class LayerKind(StrEnum):
    PICTURE = "picture"
    GROUP = "group"
    FILL = "fill"
    LAYOUT = "layout"


class BlendMode(StrEnum):
    NORMAL = "normal"
    MULTIPLY = "multiply"
    SCREEN = "screen"
    OVERLAY = "overlay"
    SOFT_LIGHT = "soft_light"
    HARD_LIGHT = "hard_light"
    DARKEN = "darken"
    LIGHTEN = "lighten"
    COLOR_DODGE = "color_dodge"
    COLOR_BURN = "color_burn"
    DIFFERENCE = "difference"
    EXCLUSION = "exclusion"
    HUE = "hue"
    SATURATION = "saturation"
    COLOR = "color"
    LUMINOSITY = "luminosity"
    LINEAR_BURN = "linear_burn"
    LINEAR_DODGE = "linear_dodge"
    LINEAR_LIGHT = "linear_light"
    VIVID_LIGHT = "vivid_light"
    PIN_LIGHT = "pin_light"
    HARD_MIX = "hard_mix"
    DARKER_COLOR = "darker_color"
    LIGHTER_COLOR = "lighter_color"
    SUBTRACT = "subtract"
    DIVIDE = "divide"
    PASS_THROUGH = "pass_through"


class NextState(StrEnum):
    """What the next run does with a layer."""

    KEEP = "keep"
    HARMONISE = "harmonise"
    REROLL = "reroll"


@dataclass(frozen=True, slots=True)
class Layer:
    """One cutout in the stack.

    Args:
        raster: source pixels; None for groups and fills.
        mask: in source pixels, same size as `raster`; None = everything belongs to the layer.
            Of a layout layer: its shape. Such a layer has a text and a place, its pixels are clear.
        placement: source pixels to canvas pixels. For a group: applied after its children's.
        opacity: [0, 1].
        text: the layer's own words; an empty text follows the caption only.
        noise: [0, 1], fraction of the noise schedule: 0 keeps every pixel, 1 repaints.
        attention_in: w+ >= 0, how firmly the words draw the layer in its place.
        attention_out: w- >= 0, how firmly they are kept out of the rest.
        children: of a group, back to front.
        fill: straight sRGB RGBA 0..255 of a fill layer.
        unknown: keys of a newer file version, kept for writing.
        harmonised: the layer's pixels as an accepted variation shows them; `raster` is untouched.
        harmonised_placement: harmonised pixels to source pixels, so that both move together.
        clipped: it shows only where the nearest layer below that is not clipped does.
        look: what a model was taught about this cutout; its words stand before the text.
        extras: control, LoRAs and reference of this layer.
        noise_paint: painted noise in source px, same size as `raster`: its grey is the noise
            (255 = 1), its alpha how far it stands for `noise`. See `document.noise_paint`.
    """

    id: str
    name: str
    kind: LayerKind = LayerKind.PICTURE
    raster: Raster | None = None
    mask: Mask | None = None
    mask_enabled: bool = True
    placement: Affine = IDENTITY
    opacity: float = 1.0
    blend: BlendMode = BlendMode.NORMAL
    visible: bool = True
    locked: bool = False
    text: str = ""
    noise: float = 0.5
    state: NextState = NextState.HARMONISE
    attention_in: float = 0.4
    attention_out: float = 0.8
    children: tuple[Layer, ...] = ()
    fill: tuple[int, int, int, int] = (150, 150, 150, 255)
    unknown: Mapping[str, Any] = field(default_factory=dict[str, Any])
    harmonised: Raster | None = None
    harmonised_placement: Affine = IDENTITY
    clipped: bool = False
    look: Look | None = None
    extras: LayerExtras = field(default_factory=LayerExtras)
    noise_paint: Raster | None = None

    def __post_init__(self) -> None:
        for name in ("opacity", "noise"):
            value: float = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} of layer {self.name!r} must lie in 0..1, got {value}.")
        if not (self.attention_in >= 0 and self.attention_out >= 0):
            raise ValueError(f"Attention weights of layer {self.name!r} must not be negative.")
        if self.kind is LayerKind.PICTURE and self.raster is None:
            raise ValueError(f"Picture layer {self.name!r} has no raster.")
        if self.kind is LayerKind.LAYOUT and (self.mask is None or self.raster is None):
            raise ValueError(f"Layout layer {self.name!r} has no shape.")
        if self.mask and self.raster and self.mask.size != self.raster.size:
            raise ValueError(f"Mask and raster of layer {self.name!r} differ in size.")
        if self.noise_paint and (not self.raster or self.noise_paint.size != self.raster.size):
            raise ValueError(f"Painted noise of layer {self.name!r} has not its raster's size.")

    @property
    def is_group(self) -> bool:
        return self.kind is LayerKind.GROUP

    @property
    def effective_noise(self) -> float:
        """Noise of the next run: 0 for a kept layer."""
        return 0.0 if self.state is NextState.KEEP else self.noise

    @property
    def may_change(self) -> bool:
        """The next run may change some of its pixels."""
        return self.effective_noise > 0.0 or (
            self.noise_paint is not None and self.state is not NextState.KEEP
        )

    @property
    def picture_key(self) -> str:
        """Key of pixels and mask together, as a look remembers its cutout; empty without pixels."""
        mask = self.mask.key if self.mask and self.mask_enabled else ""
        return picture_key(self.raster.key, mask) if self.raster else ""

    def walk(self) -> Iterator[Layer]:
        """This layer, then everything inside it, back to front."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class LayerRef:
    """A chip in the caption: stands for the text of a layer."""

    layer_id: str


@dataclass(frozen=True, slots=True)
class Caption:
    """The words for the whole picture: free text and references to layers, in order."""

    parts: tuple[str | LayerRef, ...] = ()

    @property
    def layer_ids(self) -> tuple[str, ...]:
        return tuple(p.layer_id for p in self.parts if isinstance(p, LayerRef))


@dataclass(frozen=True, slots=True)
class CaptionSpan:
    """Characters [start, end) of the written-out caption that are a layer's text."""

    layer_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Variation:
    """An outcome of a run. `picture` has the canvas size; `box` is what may differ from before."""

    id: str
    run: int
    picture: Raster
    recipe: Recipe
    box: Rect | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """The whole collage.

    Args:
        layers: back to front.
        background: the canvas behind all layers; a fill with its own text and noise.
        variations: outcomes not yet dropped, oldest first.
        accepted: the variation the user took; its picture is what a re-roll starts from.
        beside: layers that belong to the harmonised stack alone: ground, shadow and light.
        written_back: id of the variation whose picture the layers' harmonised pixels make.
        unknown: keys of a newer file version, kept for writing.
    """

    size: Size
    layers: tuple[Layer, ...] = ()
    background: Layer = field(
        default_factory=lambda: Layer("background", "Background", LayerKind.FILL, noise=0.8)
    )
    caption: Caption = Caption()
    settings: RunSettings = field(default_factory=RunSettings)
    variations: tuple[Variation, ...] = ()
    accepted: Variation | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict[str, Any])
    beside: tuple[Layer, ...] = ()
    written_back: str = ""

    def walk(self) -> Iterator[Layer]:
        """Every layer and group, back to front, without the background."""
        for layer in self.layers:
            yield from layer.walk()

    def find(self, layer_id: str) -> Layer | None:
        """The layer, group or background with this id; None if there is none."""
        if layer_id == self.background.id:
            return self.background
        return next((layer for layer in self.walk() if layer.id == layer_id), None)

    def written_caption(self) -> tuple[str, tuple[CaptionSpan, ...]]:
        """The caption as one string with the layers' texts put in, and where each lies.

        Chips whose layer is gone or has no text write nothing.
        """
        text, spans = "", list[CaptionSpan]()
        for part in self.caption.parts:
            if isinstance(part, str):
                text += part
                continue
            layer = self.find(part.layer_id)
            words = layer.text.strip() if layer else ""
            if words:
                spans.append(CaptionSpan(part.layer_id, len(text), len(text) + len(words)))
            text += words
        return text, tuple(spans)

    def with_layers(self, *layers: Layer) -> Document:
        return replace(self, layers=layers)
