"""Layouts of the sticker world: two to six boxes and shapes with words, nothing pasted.

A layout comes from a scene, whose own rendering is the ceiling of what a method can reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.layouts import TINTS, box_layer, layout_layer
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Caption, Document, Layer, LayerKind, LayerRef, Mask
from collage_studio.engine.api import Picture
from collage_studio.evaluate.collages import object_id
from collage_studio.evaluate.drawing import with_words
from collage_studio.evaluate.metrics import Floats
from collage_studio.starter.render import CANVAS, warp_sticker
from collage_studio.starter.world import Placed, Scene, caption_parts

MOST_OBJECTS = 6
FIRST_SEED = 1_200_000
"""Held out, and none of the ladder's scenes."""

MARGIN_PX = 4
"""How much wider than the object a shape is: brushed regions are never exact."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A scene whose objects are asked for by regions.

    Args:
        boxes: by object, whether its region is a box; otherwise it is a shape.
    """

    scene: Scene
    boxes: tuple[bool, ...]

    @classmethod
    def from_seed(cls, seed: int) -> Layout:
        """Draw a layout; the same seed always gives the same one."""
        scene = Scene.from_seed(seed, min_objects=2, max_objects=MOST_OBJECTS)
        count = len(scene.objects)
        shrink = min(1.0, 4.5 / count)
        objects = tuple(replace(placed, height=placed.height * shrink) for placed in scene.objects)
        boxes = np.random.default_rng([seed, 6]).random(count) < 0.5
        return cls(replace(scene, objects=objects), tuple(bool(box) for box in boxes))


def layout_document(layout: Layout, size: int = CANVAS) -> Document:
    """Layout layers back to front on an empty canvas, all to be drawn from noise.

    The caption is the scene's own, with the objects' words as chips.
    """
    layers = [
        replace(
            _region(placed, object_id(index), is_box=is_box, size=size),
            fill=TINTS[index % len(TINTS)],
        )
        for index, (placed, is_box) in enumerate(
            zip(layout.scene.objects, layout.boxes, strict=True)
        )
    ]
    caption = Caption(
        tuple(
            LayerRef(object_id(part)) if isinstance(part, int) else part
            for part in caption_parts(layout.scene)
        )
    )
    ground = Layer("background", "Background", LayerKind.FILL, noise=1.0)
    return Document(Size(size, size), tuple(layers), background=ground, caption=caption)


def regions_of(document: Document) -> tuple[Floats, ...]:
    """Where each region can be seen, (H, W) in [0, 1], back to front."""
    masks = visible_masks(document)
    return tuple(masks[layer.id] for layer in document.layers)


def layout_picture(document: Document) -> Picture:
    """The regions in their tints with their words, on dark grey: (H, W, 3)."""
    picture = np.full((*document.size.shape, 3), 38, np.float32)
    for layer, region in _by_layer(document):
        tint = np.array(layer.fill[:3], np.float32)
        covered = (region > 0.5).astype(np.uint8)
        edge = cv2.morphologyEx(covered, cv2.MORPH_GRADIENT, np.ones((3, 3)))
        share = np.maximum(0.62 * region, edge.astype(np.float32))[..., None]
        picture += share * (tint - picture)
    words = [(layer.name, _middle(region)) for layer, region in _by_layer(document)]
    return with_words(np.round(picture).astype(np.uint8), words)


def _by_layer(document: Document) -> Iterator[tuple[Layer, Floats]]:
    return zip(document.layers, regions_of(document), strict=True)


def _middle(region: Floats) -> tuple[float, float]:
    """The place inside a region that is farthest from its edge, x and y in px."""
    inside = np.pad((region > 0.5).astype(np.uint8), 1)
    y, x = np.unravel_index(cv2.distanceTransform(inside, cv2.DIST_L2, 5).argmax(), inside.shape)
    return float(x) - 0.5, float(y) - 0.5


def _region(placed: Placed, layer_id: str, *, is_box: bool, size: int) -> Layer:
    alpha = warp_sticker(placed, size)[1]
    covered = alpha > 0.5
    if not is_box:
        brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * MARGIN_PX + 1,) * 2)
        covered = cv2.dilate(covered.astype(np.uint8), brush) > 0
    rows, columns = np.nonzero(covered.any(axis=1))[0], np.nonzero(covered.any(axis=0))[0]
    box = Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    words = {"text": placed.phrase, "name": placed.name.capitalize(), "layer_id": layer_id}
    if is_box:
        return box_layer(box, **words)
    shape = Mask(np.ascontiguousarray(covered[box.slices]).astype(np.uint8) * 255)
    return layout_layer(shape, (box.left, box.top), **words)
