"""Layers with a text as the layout methods see them: what to read, and which cells to read it in.

A segment is a visible layer or group with words of its own. Its mask comes from what it covers by
itself or from what is seen of it, as an outline or as the box around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from collage_studio.document.geometry import Rect
from collage_studio.document.layouts import own_masks
from collage_studio.document.model import Document, Layer, LayerKind
from collage_studio.engine.plan import Masks, RunPlan
from collage_studio.engine.regions.ownership import halved, keep_small
from collage_studio.engine.text_plan import listed, shown_layers
from collage_studio.engine.workspace import Floats, Workspace

_INSIDE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One region of the layout.

    Args:
        mask: (h, w) [0, 1] of the whole grid's cells. peak: its maximum at full size.
    """

    layer_id: str
    name: str
    text: str
    mask: Tensor
    peak: float


def worded_layers(document: Document) -> tuple[Layer, ...]:
    """Visible layers and groups with a text, back to front; not the background."""
    return tuple(layer for layer in shown_layers(document) if layer.text.strip())


def find_segments(plan: RunPlan, *, shape: str = "outline", in_front: bool = True) -> list[Segment]:
    """The segments of a plan, back to front, without those that cover nothing.

    Args:
        shape: "box" around each layer, or its own "outline".
        in_front: what layers in front hide does not count.
    """
    layers = worded_layers(plan.document)
    if shape == "outline" and in_front:
        masks = plan.masks
    else:
        masks = _own(plan.document, plan.workspace)
        if shape == "box":
            masks = _boxes(layers, masks, in_front=in_front)
    found = list[Segment]()
    for layer in layers:
        mask = masks.get(layer.id)
        if mask is None or not mask.any():
            continue
        cells, peak = plan.workspace.cells(mask), float(mask.max())
        small = keep_small(cells[None], torch.tensor([peak]))[0]
        found.append(Segment(layer.id, layer.name, layer.text.strip(), small, peak))
    return found


def _own(document: Document, space: Workspace) -> Masks:
    """What each layer and group covers by itself, padded working pixels."""
    masks = {
        layer_id: space.shrink(np.asarray(mask, np.float32))
        for layer_id, mask in own_masks(document).items()
    }
    for layer in document.walk():
        inside = [masks[part.id] for part in layer.walk() if part.id in masks]
        if layer.is_group and inside:
            masks[layer.id] = np.max(inside, axis=0)
    return masks


def _boxes(layers: Sequence[Layer], masks: Masks, *, in_front: bool) -> Masks:
    """The filled boxes of `layers`; with `in_front`, less what the boxes after them cover."""
    boxes: dict[str, Floats] = {}
    covered: Floats | None = None
    for layer in reversed(layers):
        mask = masks.get(layer.id)
        if mask is None:
            continue
        box = _filled_box(mask)
        seen = box if covered is None or not in_front else box * (1.0 - covered)
        boxes[layer.id] = np.asarray(seen, np.float32)
        covered = box if covered is None else np.maximum(covered, box)
    return boxes


def _filled_box(mask: Floats) -> Floats:
    inside = mask >= _INSIDE * max(float(mask.max()), 1e-6)
    filled = np.zeros_like(mask)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if mask.any():
        filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 1.0
    return filled


def in_window(segments: Sequence[Segment], window: Rect) -> list[Segment]:
    """The segments with the cells of `window` alone, without those that have none there."""
    rows, columns = window.slices
    found = list[Segment]()
    for segment in segments:
        mask = segment.mask[rows, columns]
        if bool(mask.any()):
            found.append(Segment(segment.layer_id, segment.name, segment.text, mask, segment.peak))
    return found


def hard(masks: Tensor) -> Tensor:
    """(R, h, w) soft masks to 0 or 1; one whose cells all lie below a half keeps its strongest."""
    limits = torch.minimum(masks.amax(dim=(1, 2)), torch.tensor(_INSIDE, device=masks.device))
    return ((masks >= limits[:, None, None]) & (masks > 0)).to(masks.dtype)


def assigned(shares: Tensor) -> Tensor:
    """(h, w) int64: the segment with the largest share (S, h, w) of each cell.

    A segment that is the largest nowhere has its strongest cell, so a small object never vanishes.
    """
    number = shares.argmax(0)
    for one, share in enumerate(shares):
        if bool(share.any()) and not bool((number == one).any()):
            number.view(-1)[int(share.flatten().argmax())] = one
    return number


class Levels:
    """Masks (R, h, w) at every resolution of a network: halved by area, small ones kept."""

    def __init__(self, masks: Tensor) -> None:
        self._levels: dict[tuple[int, int], Tensor] = {}
        peaks = masks.amax(dim=(1, 2))
        while True:
            height, width = masks.shape[-2:]
            self._levels[height, width] = keep_small(masks, peaks)
            if height * width == 1:
                return
            masks = halved(masks)

    def at(self, height: int, width: int) -> Tensor:
        """(R, height, width)"""
        if (height, width) not in self._levels:
            raise ValueError(
                f"An attention layer sees {height} x {width} cells; the window has levels of "
                f"{', '.join(f'{h} x {w}' for h, w in self._levels)}."
            )
        return self._levels[height, width]


def picked(grid: Tensor, height: int, width: int) -> Tensor:
    """Values of cells (..., h, w) at a coarser level, by the cell at each block's corner."""
    while grid.shape[-2:] != (height, width):
        if grid.shape[-2] < height or grid.shape[-1] < width:
            raise ValueError(f"{tuple(grid.shape)} cells have no level of {height} x {width}.")
        grid = grid[..., ::2, ::2]
    return grid


def layout_warnings(plan: RunPlan, segments: Sequence[Segment]) -> tuple[str, ...]:
    """What is worth saying of layers that take no part in a layout."""
    document = plan.document
    there = {segment.layer_id for segment in segments}
    unseen = [
        layer.name
        for layer in worded_layers(document)
        if layer.id not in there and layer.may_change
    ]
    silent = [
        layer.name
        for layer in shown_layers(document)
        if layer.kind is LayerKind.LAYOUT and not layer.text.strip()
    ]
    found = list[str]()
    if unseen:
        verb, them = ("covers", "it") if len(unseen) == 1 else ("cover", "them")
        found.append(
            f"{listed(unseen)} {verb} no part of the canvas, so nothing is drawn for {them}. "
            f"Move {them} in or to the front."
        )
    if silent:
        verb = "has" if len(silent) == 1 else "have"
        found.append(f"{listed(silent)} {verb} a place but no text. Write what to draw there.")
    return tuple(found)
