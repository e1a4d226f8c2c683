"""Held-out layouts of the sticker world: two to six regions that overlap, with long texts.

A layout comes from a scene, whose own rendering is the ceiling of what a method can reach.
Nothing is pasted: everything is drawn from noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

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
from collage_studio.starter.render import visible_masks as world_masks
from collage_studio.starter.rich_context import crowded_scene, long_phrase
from collage_studio.starter.world import Placed, Scene, caption_parts

MOST_OBJECTS = 6
FIRST_SEED = 1_200_000
"""Held out, and none of the ladder's scenes."""

MARGIN_PX = 4
"""How much wider than the object a shape is: brushed regions are never exact."""

OVERLAP = 0.2
"""Each object's box shares at least this part of the smaller box with another one's ..."""
VISIBLE = 0.45
"""... and at least this part of each object is to be seen."""
_CROWDS = (1.0, 0.6, 0.3, 0.0)
_HEIGHTS = (1.0, 0.85)
_SPREADS = (1.0, 0.9, 1.1, 0.8, 1.25, 0.7, 0.6, 0.5)
_DRAFT = 64


@dataclass(frozen=True, slots=True)
class Layout:
    """A scene whose objects are asked for by regions.

    Args:
        boxes: by object, whether its region is a box; otherwise it is a shape.
        texts: by object, what its region says: its own name among those of its neighbours.
    """

    scene: Scene
    boxes: tuple[bool, ...]
    texts: tuple[str, ...]

    @classmethod
    def from_seed(cls, seed: int) -> Layout:
        """Draw a layout; the same seed always gives the same one."""
        scene = _overlapping(seed)
        count = len(scene.objects)
        boxes = np.random.default_rng([seed, 6]).random(count) < 0.5
        rng = np.random.default_rng([seed, 7])
        texts = tuple(long_phrase(rng, scene, index) for index in range(count))
        return cls(scene, tuple(bool(box) for box in boxes), texts)


@lru_cache(512)
def _overlapping(seed: int) -> Scene:
    """The first draft of a scene in which each object overlaps another and none is hidden.

    Drafts are the crowded scene, less crowded ones, and those with their objects moved together or
    apart and smaller. Where none will do, it is the one that comes nearest.
    """
    best, found = -1.0, None
    for crowd, spread, height in product(_CROWDS, _SPREADS, _HEIGHTS):
        scene = crowded_scene(seed, min_objects=2, max_objects=MOST_OBJECTS, overlap=crowd)
        objects = tuple(_spread(placed, scene, spread, height) for placed in scene.objects)
        shared, shown = _crowding(objects)
        fit = min(1.0, shared / OVERLAP) + min(1.0, shown / VISIBLE)
        if fit > best:
            best, found = fit, replace(scene, objects=objects)
        if fit == 2.0:
            break
    assert found is not None
    return found


def _spread(placed: Placed, scene: Scene, spread: float, height: float) -> Placed:
    middle = float(np.mean([other.x for other in scene.objects]))
    x = float(np.clip(middle + spread * (placed.x - middle), 0.15, 0.85))
    return replace(placed, x=x, height=placed.height * height)


def _crowding(objects: Sequence[Placed]) -> tuple[float, float]:
    """The least share of a box that lies in another one, and the least part shown of an object."""
    alphas = [warp_sticker(placed, _DRAFT)[1] > 0.5 for placed in objects]
    boxes = [box_around(alpha) for alpha in alphas]
    shared = [max(_common(box, other) for other in boxes if other is not box) for box in boxes]
    hidden = np.zeros((_DRAFT, _DRAFT), bool)
    shown = 1.0
    for alpha in reversed(alphas):
        shown = min(shown, float((alpha & ~hidden).sum() / max(1, alpha.sum())))
        hidden |= alpha
    return min(shared), shown


def _common(one: Rect, other: Rect) -> float:
    """The part of the smaller box that both share."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    smaller = min(one.width * one.height, other.width * other.height)
    return max(0, width) * max(0, height) / max(1, smaller)


def layout_document(
    layout: Layout, size: int = CANVAS, *, short: bool = False, in_caption: bool = False
) -> Document:
    """Layout layers back to front on an empty canvas, all to be drawn from noise.

    The caption is the scene's own and names each object shortly.

    Args:
        short: a region's text is its object's name alone.
        in_caption: the texts stand in the caption, for methods that find a region's words there.
    """
    names = [placed.phrase for placed in layout.scene.objects]
    told = names if short else layout.texts
    layers = [
        replace(
            _region(placed, object_id(index), words, is_box=is_box, size=size),
            fill=TINTS[index % len(TINTS)],
        )
        for index, (placed, words, is_box) in enumerate(
            zip(layout.scene.objects, told, layout.boxes, strict=True)
        )
    ]
    parts = caption_parts(layout.scene)
    chips = {i: LayerRef(object_id(i)) if in_caption else name for i, name in enumerate(names)}
    caption = Caption(tuple(chips[part] if isinstance(part, int) else part for part in parts))
    ground = Layer("background", "Background", LayerKind.FILL, noise=1.0)
    return Document(Size(size, size), tuple(layers), background=ground, caption=caption)


def regions_of(document: Document) -> tuple[Floats, ...]:
    """Where each region can be seen, (H, W) in [0, 1], back to front."""
    masks = visible_masks(document)
    return tuple(masks[layer.id] for layer in document.layers)


def shown_parts(layout: Layout, size: int = CANVAS) -> tuple[tuple[Floats, float], ...]:
    """What the truth shows of each object, (H, W) in [0, 1], and which part of the object it is."""
    seen = world_masks(layout.scene, size)[:-1]
    whole = [warp_sticker(placed, size)[1].sum() for placed in layout.scene.objects]
    return tuple(
        (mask, float(mask.sum() / max(1.0, area))) for mask, area in zip(seen, whole, strict=True)
    )


def places_of(document: Document) -> tuple[Rect, ...]:
    """The boxes around all of each region, canvas px, back to front."""
    found = list[Rect]()
    for layer in document.layers:
        left, top = round(layer.placement.c), round(layer.placement.f)
        height, width = layer.mask.values.shape if layer.mask is not None else (0, 0)
        found.append(Rect(left, top, left + width, top + height))
    return tuple(found)


def layout_picture(document: Document) -> Picture:
    """The regions in their tints with their names, on dark grey: (H, W, 3)."""
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


def box_around(covered: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> Rect:
    """The box around what is true of (H, W); empty at the origin where nothing is."""
    rows, columns = np.nonzero(covered.any(axis=1))[0], np.nonzero(covered.any(axis=0))[0]
    if rows.size == 0:
        return Rect(0, 0, 0, 0)
    return Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _region(placed: Placed, layer_id: str, text: str, *, is_box: bool, size: int) -> Layer:
    alpha = warp_sticker(placed, size)[1]
    covered = alpha > 0.5
    if not is_box:
        brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * MARGIN_PX + 1,) * 2)
        covered = cv2.dilate(covered.astype(np.uint8), brush) > 0
    box = box_around(covered)
    words = {"text": text, "name": placed.name.capitalize(), "layer_id": layer_id}
    if is_box:
        return box_layer(box, **words)
    shape = Mask(np.ascontiguousarray(covered[box.slices]).astype(np.uint8) * 255)
    return layout_layer(shape, (box.left, box.top), **words)
