"""The guided filter of He, Sun and Tang (2013) with a colour guide, also across resolutions."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from collage_studio.cutout.arrays import Float, resized


def guided_filter(
    guide: Float, values: Float, *, radius: int, epsilon: float, onto: Float | None = None
) -> Float:
    """`values` smoothed along the colours of `guide`: q_i = mean of a_k . I_i + b_k (eq. 8).

    Args:
        guide: (H, W, 3) in [0, 1].
        values: (H, W).
        radius: of the square windows in px.
        epsilon: colour variance that counts as an edge.
        onto: a larger version of the guide; the result then has its size (the fast form).
    """
    slope, offset = _coefficients(guide, values, radius, epsilon)
    slope, offset = _mean(slope, radius), _mean(offset, radius)
    if onto is None:
        onto = guide
    shape = (onto.shape[0], onto.shape[1])
    slope, offset = resized(slope, shape), resized(offset, shape)
    return np.einsum("hwc,hwc->hw", slope, onto) + offset


def _coefficients(guide: Float, values: Float, radius: int, epsilon: float) -> tuple[Float, Float]:
    """a_k = (S_k + epsilon E)^-1 cov(I, p), b_k = mean(p) - a_k . mean(I)."""
    mean, middle = _mean(guide, radius), _mean(values, radius)
    together = _mean(guide * values[..., None], radius) - mean * middle[..., None]
    rr, rg, rb, gg, gb, bb = (
        _mean(guide[..., i] * guide[..., j], radius) - mean[..., i] * mean[..., j]
        for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    )
    rr, gg, bb = rr + epsilon, gg + epsilon, bb + epsilon
    # The adjugate of the symmetric 3 x 3 matrix; many times faster than a batched inverse.
    a, b, c = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    d, e, f = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * a + rg * b + rb * c
    x, y, z = together[..., 0], together[..., 1], together[..., 2]
    slope = np.stack([a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z], axis=2)
    slope /= np.maximum(determinant, 1e-18)[..., None]
    offset = middle - np.einsum("hwc,hwc->hw", slope, mean)
    return slope.astype(np.float32), offset.astype(np.float32)


def _mean(values: Float, radius: int) -> Float:
    side = 2 * radius + 1
    return cast(Float, cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT))
