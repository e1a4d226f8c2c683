"""Examples of the sticker world: crowded scenes with long texts, as boxes and silhouettes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from collage_studio.document.geometry import Size
from collage_studio.document.region_plan import LayoutObject
from collage_studio.starter.rich_context import Box, LitLayout, long_phrase
from collage_studio.starter.world import BACKGROUNDS, Scene, compose_caption, lighting_kind
from collage_studio.training.rich_context.examples import Example

LEAST_SEEN = 0.3
"""An object is given a region only if others leave this share of it visible."""
PLACE_ONLY = 0.3
"""Share of captions that say the place and the light alone, so that regions have to name things."""
DRAWN_ROUND = 0.15
"""A cell belongs to a brushed shape from this share on: people brush a little beyond the edge."""
JITTER = 0.04
"""How far a side of a box may be off, as a share of the box."""


class StickerSource:
    """Encoded crowded scenes; regions are half boxes, half shapes, and never quite exact."""

    def __init__(self, layouts: Sequence[LitLayout]) -> None:
        self._layouts = [layout for layout in layouts if layout.boxes]

    def __len__(self) -> int:
        return len(self._layouts)

    def key(self, index: int) -> str:
        """The scene's name, from its seed."""
        return f"sticker-{self._layouts[index].scene.seed}"

    def example(self, index: int, rng: np.random.Generator) -> Example:
        """A scene with regions for the objects that can be seen."""
        layout = self._layouts[index]
        kept = _seen(layout)
        visible = layout.visible.astype(np.float32)
        return Example(
            torch.from_numpy(layout.latent.astype(np.float32)),
            True,
            tuple(_caption(rng, layout.scene, kept)),
            np.concatenate([visible[kept], visible[-1:]]),
            tuple(_region(rng, layout, at) for at in kept),
        )


def _seen(layout: LitLayout) -> list[int]:
    whole = layout.silhouettes.astype(np.float32).sum((1, 2))
    shown = layout.visible.astype(np.float32).sum((1, 2))[:-1]
    return [at for at in range(len(whole)) if shown[at] >= LEAST_SEEN * whole[at]]


def _region(rng: np.random.Generator, layout: LitLayout, index: int) -> LayoutObject:
    text = long_phrase(rng, layout.scene, index)
    height, width = layout.latent.shape[-2:]
    if rng.random() < 0.5:
        box = _inexact(rng, layout.boxes[index])
        return LayoutObject.from_box(text, box, Size(width, height))
    covered = layout.silhouettes[index] > DRAWN_ROUND
    return LayoutObject.from_mask(text, covered.astype(np.float32))


def _inexact(rng: np.random.Generator, box: Box) -> Box:
    left, top, right, bottom = box
    x, y = JITTER * (right - left), JITTER * (bottom - top)
    off = rng.uniform(-1, 1, 4) * (x, y, x, y)
    sides = np.clip(np.asarray(box) + off, 0, 1)
    return (float(sides[0]), float(sides[1]), float(sides[2]), float(sides[3]))


def _caption(
    rng: np.random.Generator, scene: Scene, kept: list[int]
) -> Iterator[tuple[str, int | None]]:
    """The scene's words; those of an object belong to its region, the place's to the ground."""
    ground = len(kept)
    place, light = BACKGROUNDS[scene.background], lighting_kind(scene.lighting).phrase
    if rng.random() < PLACE_ONLY:
        yield place, ground
        yield f" {light}", None
        return
    phrases = [scene.objects[index].phrase for index in kept]
    for part in compose_caption(rng, phrases, scene.background, scene.lighting):
        if isinstance(part, int):
            yield phrases[part], part
            continue
        before, found, after = part.partition(place)
        pieces = ((before, None), (found, ground), (after, None))
        yield from (piece for piece in pieces if piece[0])
