"""Collages made from sticker-world scenes: the background lit, the cutouts flat and unshadowed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import (
    Caption,
    Document,
    Layer,
    LayerKind,
    LayerRef,
    Raster,
    RunSettings,
)
from collage_studio.starter.render import CANVAS, cutouts, render_background
from collage_studio.starter.world import BACKGROUNDS, Scene, caption_parts

BACKDROP = "backdrop"
"""Id of the bottom picture layer."""


def object_id(index: int) -> str:
    """Layer id of the scene's object `index`, counted from the back."""
    return f"object-{index}"


def collage_of(scene: Scene, *, noise: float, size: int = CANVAS) -> Document:
    """The scene as somebody would paste it together, every layer at `noise` in [0, 1].

    The lit background is the bottom picture layer; flat cutouts lie on it, back to front. The
    caption is the scene's own, with the objects' and the place's words as chips.
    """
    place = BACKGROUNDS[scene.background]
    backdrop = Layer(
        BACKDROP,
        scene.background.capitalize(),
        raster=Raster.from_rgb(render_background(scene, size)),
        text=place,
        noise=noise,
    )
    objects = [
        Layer(
            object_id(index),
            cutout.name.capitalize(),
            raster=Raster(cutout.pixels),
            placement=_affine(cutout.placement),
            text=cutout.phrase,
            noise=noise,
        )
        for index, cutout in enumerate(cutouts(scene, size))
    ]
    ground = Layer("background", "Background", LayerKind.FILL, noise=noise)
    return Document(
        Size(size, size),
        (backdrop, *objects),
        background=ground,
        caption=_caption(scene, place),
        settings=RunSettings(detail=0.0),
    )


def with_noise(document: Document, noise: float, layer_ids: frozenset[str]) -> Document:
    """The document with `noise` on these layers."""
    return document.with_layers(
        *(
            replace(layer, noise=noise) if layer.id in layer_ids else layer
            for layer in document.layers
        )
    )


def with_words(document: Document, words_in: float, words_out: float) -> Document:
    """The document with these attention weights w+ and w- on every layer."""
    return document.with_layers(
        *(
            replace(layer, attention_in=words_in, attention_out=words_out)
            for layer in document.layers
        )
    )


def kept_half(scene: Scene) -> frozenset[str]:
    """Ids of the half of the objects (rounded down) that keep more of their look in the ladder."""
    count = len(scene.objects)
    drawn = np.random.default_rng([scene.seed, 3]).permutation(count)[: count // 2]
    return frozenset(object_id(int(index)) for index in drawn)


def _affine(matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Affine:
    (a, b, c), (d, e, f) = matrix.tolist()
    return Affine(a, b, c, d, e, f)


def _caption(scene: Scene, place: str) -> Caption:
    """The scene's caption; the place's words become the backdrop's chip."""
    parts: list[str | LayerRef] = []
    for part in caption_parts(scene):
        if isinstance(part, int):
            parts.append(LayerRef(object_id(part)))
            continue
        before, found, after = part.partition(place)
        chip = [LayerRef(BACKDROP)] if found else []
        parts.extend(piece for piece in (before, *chip, after) if piece)
    return Caption(tuple(parts))
