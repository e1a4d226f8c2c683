"""Alpha and foreground colours of a picture: closed-form matting, multi-level colours, trimaps.

All alphas are (H, W) float32 in [0, 1], 1 = belongs to the object. A trimap is an alpha of 0, 1
and 0.5 = unknown. Pictures are (H, W, 3) or (H, W, 4), uint8, uint16 or float32 in [0, 1],
sRGB-encoded; a fourth channel is ignored.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.cutout.arrays import (
    Bool,
    Float,
    box_of,
    check_alpha,
    distance_inside,
    resized,
    rgb_of,
)
from collage_studio.cutout.foreground import estimate_colours
from collage_studio.cutout.guided import guided_filter
from collage_studio.cutout.laplacian import BandLaplacian, solve

Picture = npt.NDArray[Any]
EPSILON = 1e-5
GUIDE_EPSILON = 1e-5
TRUST = 0.03
FITTING_TRUST = 0.3
"""Trust in a mask where it explains the picture as an alpha should."""
_FITS, _FAILS = 0.025, 0.04
"""Mean |L a| near an edge up to which an alpha explains a picture, and from which it does not."""
UNKNOWN = np.float32(0.5)
MAX_UNKNOWN = 60_000
"""Bands with more pixels are solved at half size: the time grows faster than the picture."""
_SMALLEST = 8
_LEAST_SIDE = 3
_MARGIN = 3
_FIT_REACH = 8


def trimap_from_alpha(alpha: npt.NDArray[Any], band_px: float) -> Float:
    """1 and 0 where `alpha` says so at least `band_px` away from any other value, else 0.5."""
    values = alpha.astype(np.float32)
    inside, outside = values >= 0.99, values <= 0.01
    trimap = np.full(values.shape, UNKNOWN, np.float32)
    trimap[distance_inside(inside) > band_px] = 1.0
    trimap[distance_inside(outside) > band_px] = 0.0
    return trimap


def matte(picture: Picture, trimap: npt.NDArray[Any], *, half_size: bool = True) -> Float:
    """Closed-form alpha where the trimap is unknown; 0 and 1 stay exactly.

    Args:
        half_size: solve at half size and bring the alpha up with the guided filter; several times
            faster and, with soft edges, as good.
    """
    rgb, known = rgb_of(picture), check_alpha(picture, trimap)
    band = (known > 0.0) & (known < 1.0)
    return _matted(rgb, known, band, half_size=half_size)


def rematte(
    picture: Picture, visible_mask: npt.NDArray[Any], band_px: float, *, trust: float = TRUST
) -> Float:
    """A fresh alpha in a band around the outline of `visible_mask`; other pixels keep theirs.

    Args:
        picture: what the outline is sought in, such as a harmonised picture.
        visible_mask: (H, W) in [0, 1], where the object was.
        band_px: how far from the outline the alpha may change.
        trust: pull towards `visible_mask`, 0 = none, 1 = strong. Where object and backdrop look
            alike the picture says nothing, and a little trust keeps the old outline. The default
            suits hard and rough masks. Where a soft mask explains the colours of the picture, it
            is found to fit and trusted more whatever is said here.
    """
    rgb, mask = rgb_of(picture), check_alpha(picture, visible_mask)
    band = outline_band(mask, band_px)
    if not band.any() or min(mask.shape) < _LEAST_SIDE:
        return mask
    large = int(band.sum()) > MAX_UNKNOWN
    return _matted(rgb, mask, band, half_size=large, trust=trust)


def outline_band(alpha: Float, band_px: float) -> Bool:
    """Pixels within `band_px` of the line where `alpha` crosses one half."""
    inside = alpha >= 0.5
    if inside.all() or not inside.any():
        return np.zeros(alpha.shape, np.bool_)
    return (distance_inside(inside) + distance_inside(~inside)) <= max(1.0, band_px)


def estimate_foreground(picture: Picture, alpha: npt.NDArray[Any]) -> Float:
    """The object's own colours, (H, W, 3) float32 in [0, 1], free of what lies behind it.

    Where alpha is 0 they go on smoothly, so that a later larger alpha shows no fringe.
    """
    return estimate_layers(picture, alpha)[0]


def estimate_layers(picture: Picture, alpha: npt.NDArray[Any]) -> tuple[Float, Float]:
    """Colours of object and backdrop, each (H, W, 3) in [0, 1], with I = a F + (1 - a) B.

    The multi-level method of Germer et al. (2020), with Jacobi in place of Gauss-Seidel steps.
    """
    return estimate_colours(rgb_of(picture), check_alpha(picture, alpha))


def _matted(rgb: Float, known: Float, band: Bool, *, half_size: bool, trust: float = 0.0) -> Float:
    """Alpha with the pixels of `band` solved, inside their box only."""
    box = box_of(band, _MARGIN)
    if not band.any() or min(known[box].shape) < _LEAST_SIDE:
        return known
    part = (rgb[box], known[box], band[box])
    alpha = _half_size(*part, trust) if half_size else _pyramid(*part, trust)
    result = known.copy()
    np.copyto(result[box], np.clip(alpha, 0.0, 1.0), where=band[box])
    return result


def _half_size(rgb: Float, known: Float, band: Bool, trust: float) -> Float:
    """Solve at half size; the guided filter carries the alpha up along the full-size colours."""
    shape = _half(band.shape)
    if min(shape) < _SMALLEST:
        return _pyramid(rgb, known, band, trust)
    small_rgb = resized(rgb, shape)
    small = _pyramid(small_rgb, resized(known, shape), _shrunk(band, shape), trust)
    return guided_filter(small_rgb, np.clip(small, 0, 1), radius=2, epsilon=GUIDE_EPSILON, onto=rgb)


def _pyramid(
    rgb: Float, known: Float, band: Bool, trust: float, *, is_start: bool = False
) -> Float:
    """Solve from coarse to fine; each level starts from the one before."""
    shape = _half(band.shape)
    start = known
    if min(shape) >= _SMALLEST and band.sum() > 2000:
        coarse = _pyramid(
            resized(rgb, shape), resized(known, shape), _shrunk(band, shape), trust, is_start=True
        )
        start = np.where(band, resized(coarse, band.shape), known)
    return _solved(rgb, known, band, start, trust, is_start=is_start)


def _solved(
    rgb: Float, known: Float, band: Bool, start: Float, trust: float, *, is_start: bool
) -> Float:
    laplacian = BandLaplacian.build(rgb, band, EPSILON)
    prior = known[band].astype(np.float64)
    pulled = laplacian.pull(known.ravel().astype(np.float64))
    back = np.full(prior.shape, trust)
    if trust > 0 and not is_start:  # any mask fits once it is small enough
        fits = _fits(laplacian.times(prior) - pulled, band)
        back = np.maximum(back, FITTING_TRUST * fits)
    right = pulled + back * prior
    found = solve(laplacian, right, start[band].astype(np.float64), pull_back=back)
    alpha = known.copy()
    alpha[band] = np.clip(found, 0.0, 1.0)
    return alpha


def _fits(rest: npt.NDArray[np.float64], band: Bool) -> npt.NDArray[np.float64]:
    """(n,) in [0, 1], how well an alpha explains the picture around each unknown pixel.

    Args:
        rest: (n,) L a: 0 where alpha is a line of the colours in each 3 x 3 window. A mask off its
            edge fails at both, so the whole neighbourhood is asked.
    """
    size = np.zeros(band.shape, np.float32)
    size[band] = np.abs(rest)
    side = (2 * _FIT_REACH + 1,) * 2
    near = cv2.blur(size, side) / np.maximum(cv2.blur(band.astype(np.float32), side), 1e-6)
    return np.clip((_FAILS - near[band]) / (_FAILS - _FITS), 0, 1).astype(np.float64)


def _half(shape: tuple[int, ...]) -> tuple[int, int]:
    return max(1, (shape[0] + 1) // 2), max(1, (shape[1] + 1) // 2)


def _shrunk(band: Bool, shape: tuple[int, int]) -> Bool:
    """A small pixel is unknown if it holds any unknown one."""
    small = cv2.resize(band.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
    return small > 1e-3
