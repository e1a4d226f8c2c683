"""Collages made from sticker-world scenes: the background lit, the cutouts flat and unshadowed.

In the collages with an unusual look one object is recoloured and patterned as no word tells.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Caption, Document, Layer, LayerKind, LayerRef, Raster
from collage_studio.document.recipe import RunSettings
from collage_studio.starter.render import CANVAS, cutouts, render_background
from collage_studio.starter.world import (
    BACKGROUNDS,
    OBJECTS,
    Placed,
    Scene,
    caption_parts,
    compose_caption,
    object_kind,
)

BACKDROP = "backdrop"
"""Id of the bottom picture layer."""

UNUSUAL_LOOKS = 8
"""How many unusual looks there are: each is learned once, whatever the number of collages."""


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


def scene_of(seed: int) -> Scene:
    """The ladder's scene for a held-out seed: two to four objects."""
    return Scene.from_seed(seed, min_objects=2)


def unusual_names() -> tuple[str, ...]:
    """The objects that have an unusual look; the one at place i has look i + 1."""
    standing = [kind.name for kind in OBJECTS if not kind.floats]
    drawn = np.random.default_rng(12).permutation(len(standing))[:UNUSUAL_LOOKS]
    return tuple(standing[int(index)] for index in drawn)


def unusual_scene(seed: int) -> Scene:
    """The ladder's scene with one object, drawn by seed, in place of which stands an unusual one.

    All other objects, the place and the light are those of `scene_of`.
    """
    scene = scene_of(seed)
    rng = np.random.default_rng([seed, 5])
    index = int(rng.integers(len(scene.objects)))
    others = {placed.name for place, placed in enumerate(scene.objects) if place != index}
    free = [look for look, name in enumerate(unusual_names(), 1) if name not in others]
    unusual = _in_look(scene.objects[index], int(rng.choice(free)), float(rng.uniform(0.7, 0.92)))
    objects = list(scene.objects)
    objects[index] = unusual
    objects.sort(key=lambda placed: placed.base)
    phrases = [placed.phrase for placed in objects]
    words = np.random.default_rng([seed, 2])
    caption = compose_caption(words, phrases, scene.background, scene.lighting)
    return replace(scene, objects=tuple(objects), caption=caption)


def _in_look(placed: Placed, look: int, ground: float) -> Placed:
    """An object with this look in the same place, of its own usual height, on the ground."""
    old, new = object_kind(placed.name), object_kind(unusual_names()[look - 1])
    height = placed.height * new.height / old.height
    base = ground if old.floats else placed.base
    return replace(placed, name=new.name, look=look, height=height, base=base)


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
