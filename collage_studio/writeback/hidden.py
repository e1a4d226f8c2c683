"""What an accepted picture cannot show: the parts of layers that others hide, and their holes.

A hidden part may have pixels in the layer's own cutout, which only want the picture's light, or
none at all: the canvas behind everything, and a backdrop that an object was cut out of.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.geometry import Rect
from collage_studio.document.harmonised import GROUND, harmonised_stack
from collage_studio.document.model import Document, LayerKind
from collage_studio.writeback.leaves import FEWEST, Leaf, leaves_of
from collage_studio.writeback.relight import filled_means

Float = npt.NDArray[np.float32]
Region = npt.NDArray[np.bool_]

_WHOLE_CANVAS = 0.95
_BACKDROP = 0.5
"""Share of the canvas from which on a layer is taken for a backdrop, cut in from its border too."""
_SEEN_OF_HOLE = 0.03
"""Share of a hole that may be seen; of a real hole, such as a window's, more is."""
_LEAST_HOLE_PX = 16


@dataclass(frozen=True, slots=True)
class Gap:
    """What is hidden of one layer of the harmonised stack; the arrays show the leaf's box.

    Args:
        hidden: (h, w) layers in front let nothing of it through.
        missing: (h, w) the part of it for which the layer's own cutout has no pixels.
        free: (h, w) in [0, 1], how much of the layer the ones in front let through.
    """

    leaf: Leaf
    hidden: Region
    missing: Region
    free: Float

    @property
    def layer_id(self) -> str:
        return self.leaf.layer.id

    @property
    def box(self) -> Rect:
        return self.leaf.box


def bare_stack(document: Document) -> Document:
    """The harmonised stack without the shadows and the light that objects cast."""
    ground = tuple(layer for layer in document.beside if layer.id == GROUND)
    return harmonised_stack(replace(document, beside=ground))


def with_closed_holes(leaves: tuple[Leaf, ...], shape: tuple[int, int]) -> tuple[Leaf, ...]:
    """The leaves without the holes that others hide as a whole.

    A backdrop that objects were cut out of goes on behind them: what shows through at their soft
    edges is the backdrop, not the canvas behind it.
    """
    free = np.ones(shape, np.float32)
    found = list[Leaf]()
    for leaf in reversed(leaves):
        cut = leaf.box.slices
        if leaf.layer.kind is LayerKind.PICTURE:
            holes = _hidden_holes(leaf.alpha > 0.5, free[cut], shape[0] * shape[1])
            if holes.any():
                alpha = np.where(holes, np.float32(1), leaf.alpha)
                leaf = replace(leaf, alpha=alpha, colours=_continued(leaf, holes))
        free[cut] *= 1 - leaf.alpha
        found.append(leaf)
    return tuple(reversed(found))


def gaps_of(document: Document, fronts: Collection[str] = ()) -> tuple[Gap, ...]:
    """The layers of the harmonised stack that have something hidden, back to front.

    Args:
        document: as it lay when its picture was accepted.
        fronts: what hides; anything in front if empty.
    """
    shape = document.size.shape
    leaves = leaves_of(bare_stack(document))
    own = {leaf.layer.id: leaf for leaf in leaves_of(document)}
    inside = {part.id for i in fronts if (one := document.find(i)) for part in one.walk()}
    free, hides = np.ones(shape, np.float32), np.zeros(shape, np.bool_)
    found = list[Gap]()
    for leaf in reversed(leaves[_floor(leaves, shape) :]):
        cut = leaf.box.slices
        hidden = (free[cut] <= FEWEST) & hides[cut] & (leaf.alpha > FEWEST)
        is_seen = bool(((leaf.alpha > 0.5) & (free[cut] > 0.5)).any())
        if is_seen and hidden.any():
            missing = hidden & _pixelless(document, leaf, own)
            found.append(Gap(leaf, hidden, missing, free[cut].copy()))
        free[cut] *= 1 - leaf.alpha
        if not inside or leaf.layer.id in inside:
            hides[cut] |= leaf.alpha > 0.5
    return tuple(reversed(found))


def _floor(leaves: tuple[Leaf, ...], shape: tuple[int, int]) -> int:
    """Index of the front-most leaf that fills the canvas: nothing behind it is ever seen."""
    first = 1 if leaves and leaves[0].layer.id != GROUND else 0
    full = _WHOLE_CANVAS * shape[0] * shape[1]
    whole = (i for i in range(len(leaves) - 1, first, -1) if (leaves[i].alpha > 0.5).sum() >= full)
    return next(whole, min(first, len(leaves)))


def _pixelless(document: Document, leaf: Leaf, own: Mapping[str, Leaf]) -> Region:
    """(h, w) of the leaf's box: where the cutout itself, or the plain canvas, shows nothing."""
    if leaf.layer.id == GROUND:
        is_plain = not document.background.may_change
        return np.full(leaf.alpha.shape, not is_plain, np.bool_)
    alpha = np.zeros(document.size.shape, np.float32)
    if leaf.layer.id in own:
        source = own[leaf.layer.id]
        alpha[source.box.slices] = source.alpha
    # A soft edge is none: only where a hole was closed does the layer have more than its cutout.
    return leaf.alpha - alpha[leaf.box.slices] > 0.4


def _continued(leaf: Leaf, holes: Region) -> Float:
    """(h, w, 3) colours of a leaf that go on into its holes, where it has none of its own."""
    around = filled_means((leaf.colours,), (leaf.own > 0.99).astype(np.float32), 1.0)[0]
    return np.where((holes & (leaf.own < 0.5))[..., None], around, leaf.colours)


def _hidden_holes(solid: Region, free: Float, canvas: int) -> Region:
    """Holes that lie behind other layers as a whole, with the soft edge around them."""
    found = np.zeros(solid.shape, np.uint8)
    if not ((free < 0.5) & ~solid).any() or not solid.any():
        return found > 0
    closed = _closed(solid, canvas)
    count, labels, figures, _ = cv2.connectedComponentsWithStats(
        (closed & ~solid).astype(np.uint8), connectivity=8
    )
    for number in range(1, count):
        hole = labels == number
        large_enough = figures[number, cv2.CC_STAT_AREA] >= _LEAST_HOLE_PX
        if large_enough and (free[hole] > 0.5).mean() <= _SEEN_OF_HOLE:
            found[hole] = 1
    return cv2.dilate(found, np.ones((5, 5), np.uint8)) > 0


def _closed(solid: Region, canvas: int) -> Region:
    """A shape without its holes; of a backdrop also without what is cut in from its border."""
    outlines, _ = cv2.findContours(solid.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(solid.shape, np.uint8)
    if solid.sum() >= _BACKDROP * canvas:
        outlines = [cv2.convexHull(np.concatenate(outlines))]
    cv2.drawContours(filled, list(outlines), -1, 1, cv2.FILLED)
    return np.asarray(filled > 0)
