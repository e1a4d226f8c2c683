"""Examples of a manifest: a random crop of a picture with the boxes and masks that it shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from collage_studio.document.geometry import Size
from collage_studio.document.region_plan import LayoutObject
from collage_studio.training.rich_context.examples import Example
from collage_studio.training.rich_context.items import Corners, Item, ItemObject, open_picture

LEAST_VISIBLE = 0.3
"""An object is left out where the crop shows less than this share of its box."""
_SIDES = re.compile(r"\b(left|right)\b", re.IGNORECASE)

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of a picture, scaled to `side` px: x' = (x - left) scale, perhaps mirrored."""

    scale: float
    left: float
    top: float
    side: int
    mirrored: bool

    def box(self, box: Corners) -> tuple[Corners, float]:
        """The box in shares of the crop, and which share of it is visible."""
        x1, y1, x2, y2 = box
        whole = ((x1 - self.left), (y1 - self.top), (x2 - self.left), (y2 - self.top))
        left, top, right, bottom = (value * self.scale / self.side for value in whole)
        if self.mirrored:
            left, right = 1 - right, 1 - left
        seen = (max(left, 0.0), max(top, 0.0), min(right, 1.0), min(bottom, 1.0))
        area = max(seen[2] - seen[0], 0.0) * max(seen[3] - seen[1], 0.0)
        return seen, area / ((right - left) * (bottom - top))

    def of(self, picture: Image.Image) -> Bytes:
        """The crop of a picture, (side, side) or (side, side, 3)."""
        reach = self.side / self.scale
        area = (self.left, self.top, self.left + reach, self.top + reach)
        kind = Image.Resampling.LANCZOS if self.scale < 1 else Image.Resampling.BICUBIC
        cut = picture.resize((self.side, self.side), kind, box=area)
        pixels = np.asarray(cut, np.uint8)
        return pixels[:, ::-1] if self.mirrored else pixels


class ManifestSource:
    """Items of a folder as training examples.

    Args:
        side: of the crops in px. factor: px per latent cell.
        views: crops of each picture that come back and may be kept encoded; 0 = always new ones.
    """

    def __init__(
        self,
        folder: Path,
        items: Sequence[Item],
        *,
        side: int,
        factor: int,
        max_objects: int = 20,
        views: int = 0,
    ) -> None:
        self._folder = folder
        self._items = items
        self._side = side
        self._grid = Size(side // factor, side // factor)
        self._max_objects = max_objects
        self._views = views

    def __len__(self) -> int:
        return len(self._items)

    def key(self, index: int) -> str:
        """The item's id, or its picture's name."""
        return self._items[index].key

    def example(self, index: int, rng: np.random.Generator) -> Example:
        """A crop as wide as the picture's short side, anywhere along its long one."""
        item = self._items[index]
        view = int(rng.integers(self._views)) if self._views else 0
        chooser = np.random.default_rng([index, view]) if self._views else rng
        picture = open_picture(self._folder / item.image)
        crop = self._crop(item, picture.size, chooser)
        pixels = torch.from_numpy(crop.of(picture).copy()).permute(2, 0, 1).float()
        return Example(
            pixels / 127.5 - 1,
            False,
            ((item.caption, None),) if item.caption else (),
            None,
            tuple(self._objects(item, crop, rng)),
            f"{item.image} {item.key} {view}" if self._views else "",
        )

    def _crop(self, item: Item, size: tuple[int, int], rng: np.random.Generator) -> Crop:
        width, height = size
        short = min(width, height)
        left, top = rng.uniform(0, width - short + 1e-9), rng.uniform(0, height - short + 1e-9)
        texts = (item.caption, *(thing.text for thing in item.objects))
        says_sides = any(_SIDES.search(text) for text in texts)
        mirrored = bool(rng.random() < 0.5) and not says_sides
        return Crop(self._side / short, float(left), float(top), self._side, mirrored)

    def _objects(self, item: Item, crop: Crop, rng: np.random.Generator) -> list[LayoutObject]:
        found = list[LayoutObject]()
        for thing in item.objects:
            box, share = crop.box(thing.box)
            if share >= LEAST_VISIBLE:
                found.append(self._object(thing, box, crop))
        if len(found) <= self._max_objects:
            return found
        kept = sorted(rng.permutation(len(found))[: self._max_objects])
        return [found[at] for at in kept]

    def _object(self, thing: ItemObject, box: Corners, crop: Crop) -> LayoutObject:
        if not thing.mask:
            return LayoutObject.from_box(thing.text, box, self._grid)
        with Image.open(self._folder / thing.mask) as opened:
            mask: Any = Image.fromarray(crop.of(opened.convert("L")).copy())
        small = mask.resize((self._grid.width, self._grid.height), Image.Resampling.BOX)
        cells = np.asarray(small, np.float32) / 255
        if not cells.any():
            return LayoutObject.from_box(thing.text, box, self._grid)
        return LayoutObject.from_mask(thing.text, cells)
