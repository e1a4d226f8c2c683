"""Outlines sought anew: a run may have drawn a layer a little wider than its mask.

What lies behind a layer is known here, which no matting from one picture can say: the layers below
it, in the light of the picture. A pixel near the outline that shows something else belongs to the
layer, as far as it leads from what is behind to the layer's own edge:
a = <P - B, F - B> / |F - B|^2.

Only where most of a pixel shows the layer has it grown. What is fainter is a soft edge: the layer's
colours bleed into the ground, and go with the shadow and the light that it casts.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.writeback.leaves import Leaf, is_fill, stepped, visible_shares
from collage_studio.writeback.relight import blurred, filled_means, light_between

Float = npt.NDArray[np.float32]

_QUIET = 0.05
"""Distance (of at most sqrt 3) up to which a pixel shows just what is expected behind it."""
_LEAST_APART = 0.02
_FAINT = 0.1
"""Share of a pixel from which on a layer bleeds into what is around it."""
_DOUBT = 0.6
"""By how much an alpha has to be larger than the mask's own before it counts: a soft edge shows
at most half of the layer beyond its outline."""


def band_width(shape: tuple[int, int]) -> int:
    """How far beyond its mask a layer is looked for, in px: 8 px at 1024 px."""
    return max(2, round(min(shape) * 8 / 1024))


def with_fresh_outlines(
    leaves: tuple[Leaf, ...], target: Float, band_px: int, keep_from: int
) -> tuple[tuple[Leaf, ...], Float]:
    """The leaves, grown where the picture shows them beyond their masks, back to front.

    Layers that no run may change keep their outline, and so do fills.

    Args:
        target: (H, W, 3) in [0, 1] the accepted picture.
        keep_from: leaves up to this index keep their outline: the canvas and the ground.

    Returns:
        The leaves, and (H, W, 3) in [-1, 1] by what their colours bleed into what is around them:
        soft edges that are no outline.
    """
    bleeding = np.zeros_like(target)
    shares = visible_shares(leaves, target.shape[:2])
    behind = np.zeros_like(target)
    fresh = list[Leaf]()
    for index, (leaf, share) in enumerate(zip(leaves, shares, strict=True)):
        shown = np.ascontiguousarray(target[leaf.box.slices])
        below = behind[leaf.box.slices]
        expected = shown if is_fill(leaf.layer) else _expected(leaf, share, shown, band_px)
        is_kept = index <= keep_from or is_fill(leaf.layer) or not leaf.layer.may_change
        uncovered = np.clip(share / np.maximum(leaf.alpha, np.float32(1 / 255)), 0, 1)
        if not is_kept:
            free = _free_around(leaf, uncovered)
            leaf, beyond = _grown(leaf, shown, below, free, band_px)
            bleeding[leaf.box.slices] += beyond
        fresh.append(leaf)
        below += leaf.alpha[..., None] * (expected - below)
    return tuple(fresh), bleeding


def _expected(leaf: Leaf, share: Float, shown: Float, band_px: int) -> Float:
    """The leaf's own pixels in the light of the picture, judged away from its neighbours."""
    weight = _eroded(share, 2 * band_px)
    if float(weight.sum()) < 4:
        weight = np.square(share)
    sigma = max(2.0, 0.06 * max(share.shape))
    return light_between(leaf.colours, shown, weight, sigma).on(leaf.colours)


def _free_around(leaf: Leaf, uncovered: npt.NDArray[np.floating]) -> Float:
    """Where nothing in front hides the leaf: known inside it, and continued around it."""
    inside = np.where(leaf.alpha > 0.5, uncovered, 0)
    weight = (leaf.alpha > 0.5).astype(np.float32)
    near = blurred(inside.astype(np.float32), 2.0) / np.maximum(blurred(weight, 2.0), 1e-3)
    return np.where(leaf.alpha > 0.5, uncovered, np.clip(near, 0, 1)).astype(np.float32)


def _grown(leaf: Leaf, shown: Float, below: Float, free: Float, band_px: int) -> tuple[Leaf, Float]:
    """The leaf with a larger alpha where it was drawn, and (h, w, 3) what it adds beyond that."""
    inside, nothing = leaf.own >= 0.5, np.zeros_like(shown)
    if not inside.any() or inside.all():
        return leaf, nothing
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    near = np.clip((2 * band_px - distance) / band_px, 0, 1) * (free > 0.9)
    core = _eroded(leaf.own * free, max(1, band_px // 2))
    if float(core.sum()) < 4:
        return leaf, nothing
    edge = filled_means((shown,), core, max(1.0, band_px / 2))[0]
    apart, change = edge - below, shown - below
    length = np.square(apart).sum(axis=2)
    along = (apart * change).sum(axis=2) / np.maximum(length, _LEAST_APART)
    size = np.linalg.norm(change, axis=2)
    beside = np.linalg.norm(change - along[..., None] * apart, axis=2)
    # A shadow or another colour next to the layer does not lead towards the layer's own.
    leads = np.clip(2 - 4 * beside / np.maximum(size, 1e-6), 0, 1)
    found = np.clip(along, 0, 1) * leads * np.clip(size / _QUIET - 1, 0, 1) * near
    more = np.clip((found - leaf.own - _DOUBT) / (1 - _DOUBT), 0, 1)
    wider = stepped((leaf.own + more).astype(np.float32))
    alpha = np.maximum(leaf.alpha, wider)
    rest = np.clip(found - alpha - _FAINT, 0, 1) / (1 - _FAINT)
    return replace(leaf, alpha=alpha), (rest[..., None] * apart).astype(np.float32)


def _eroded(values: Float, radius: int) -> Float:
    side = 2 * radius + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    padded = np.pad(values, radius, mode="edge")
    eroded = cv2.erode(padded, kernel)
    return np.ascontiguousarray(eroded[radius:-radius, radius:-radius]).astype(np.float32)
