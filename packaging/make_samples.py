"""Builds resources/samples from the sticker world's own pictures: flat cutouts, lit backgrounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Caption, Document, Layer, LayerKind, LayerRef, Raster
from collage_studio.document.recipe import RunSettings
from collage_studio.formats.collage_file import save_collage
from collage_studio.resources_dir import resources_path
from collage_studio.starter.render import render_background
from collage_studio.starter.stickers import load_sticker
from collage_studio.starter.world import BACKGROUNDS, Scene, lighting_kind, object_kind

WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True, slots=True)
class Item:
    """One cutout: where its foot stands and how tall it is, in canvas px, and its noise."""

    name: str
    x: float
    foot: float
    height: float
    noise: float
    angle: float = 0.0
    flipped: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """A collage to build. `top` is the first row taken from the square background."""

    title: str
    background: str
    lighting: str
    seed: int
    top: int
    noise: float
    items: tuple[Item, ...]


SAMPLES = (
    Sample(
        "Lakeside camp",
        "lake",
        "sunset",
        8,
        160,
        0.35,
        (
            Item("sailboat", 520, 300, 170, 0.45, flipped=True),
            Item("tent", 205, 430, 190, 0.45),
            Item("backpack", 55, 455, 125, 0.0, -4),
            Item("dog", 405, 462, 195, 0.4),
        ),
    ),
    Sample(
        "Snowy night",
        "snowy field",
        "night",
        6,
        60,
        0.35,
        (
            Item("house", 165, 385, 215, 0.45),
            Item("tree", 545, 400, 235, 0.45),
            Item("penguin", 385, 445, 185, 0.4, 4),
        ),
    ),
    Sample(
        "Foggy street",
        "city street",
        "fog",
        5,
        110,
        0.35,
        (
            Item("car", 160, 395, 160, 0.45),
            Item("umbrella", 520, 400, 190, 0.45, 8),
            Item("robot", 350, 450, 190, 0.4, -3),
        ),
    ),
)


def build(sample: Sample) -> Document:
    """The sample as a document: backdrop, cutouts back to front, caption with chips."""
    scene = Scene.from_seed(sample.seed, background=sample.background, lighting=sample.lighting)
    square = render_background(scene, WIDTH)
    backdrop = Layer(
        "backdrop",
        sample.background.capitalize(),
        raster=Raster.from_rgb(np.ascontiguousarray(square[sample.top : sample.top + HEIGHT])),
        text=BACKGROUNDS[sample.background],
        noise=sample.noise,
    )
    layers = [_layer(item) for item in sample.items]
    ground = Layer("background", "Background", LayerKind.FILL, noise=sample.noise)
    return Document(
        Size(WIDTH, HEIGHT),
        (backdrop, *layers),
        background=ground,
        caption=_caption([layer.id for layer in layers], lighting_kind(sample.lighting).phrase),
        settings=RunSettings(sampler="ddim", steps=20),
    )


def _layer(item: Item) -> Layer:
    pixels = load_sticker(item.name)
    rows, columns = pixels.shape[:2]
    scale = item.height / rows
    centre = Affine.translation(-columns / 2, -rows / 2)
    size = Affine.scaling(-scale if item.flipped else scale, scale)
    # A turned picture stands on its lowest corner; a small turn lifts that by about this much.
    lift = abs(math.sin(math.radians(item.angle))) * columns * scale / 4
    place = Affine.translation(item.x, item.foot - item.height / 2 - lift)
    return Layer(
        item.name.replace(" ", "-"),
        item.name.capitalize(),
        raster=Raster(pixels),
        placement=place.after(Affine.rotation(item.angle)).after(size).after(centre),
        text=object_kind(item.name).phrase,
        noise=item.noise,
    )


def _caption(layer_ids: list[str], light: str) -> Caption:
    """ "<a>, <b> and <c> <in a place> <at a time>", front objects first."""
    names = [LayerRef(layer_id) for layer_id in reversed(layer_ids)]
    parts: list[str | LayerRef] = [names[0]]
    for index, name in enumerate(names[1:], start=2):
        parts += [" and " if index == len(names) else ", ", name]
    return Caption((*parts, " ", LayerRef("backdrop"), f" {light}"))


def main(folder: Path | None = None) -> None:
    """Write every sample into `folder`, the resources by default."""
    folder = folder or resources_path("samples")
    folder.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        save_collage(build(sample), folder / f"{sample.title}.collage")


if __name__ == "__main__":
    main()
