"""Photoshop's adjustment layers as functions of colour, by psd-tools' formulas.

Where those need SciPy (splines, one interpolation table) small replacements stand in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from psd_tools.composite import adjustments
from psd_tools.constants import ColorMode

Float = npt.NDArray[np.float32]
_PSD: Any = adjustments  # its private parts are why the version is pinned exactly


def adjusted(layer: Any, rgb: Float) -> Float | None:
    """What an adjustment layer makes of straight colours (h, w, 3) in [0, 1]; None if unknown."""
    function = _FUNCTIONS.get(layer.kind)
    if function is None or layer._data is None:
        return None
    try:
        result = function(rgb, layer)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ZeroDivisionError):
        return None
    return np.clip(np.nan_to_num(result), 0, 1).astype(np.float32)


def _plain(name: str) -> Callable[[Float, Any], Float]:
    def apply(rgb: Float, layer: Any) -> Float:
        return getattr(_PSD, name)(rgb.copy(), ColorMode.RGB, layer)

    return apply


def _curves(rgb: Float, layer: Any) -> Float:
    tables = dict[int, Float]()
    size = _PSD._get_lut_size(layer)
    steps = _PSD._lut_domain(size)
    for curve in layer.extra or ():
        points = np.array(curve.points, np.float64) / 255
        if len(points) >= 2:
            values = natural_spline(points[:, 1], points[:, 0], steps)
            tables[curve.channel_id] = np.clip(values, 0, 1).astype(np.float32)
    return _PSD._apply_luts(tables, rgb.copy(), ColorMode.RGB)


def _brightness(rgb: Float, layer: Any) -> Float:
    if layer.use_legacy:
        return rgb
    steps = _PSD._lut_domain(_PSD._get_lut_size(layer))
    xs = _PSD._CONTRAST_CONTROL_X
    change = layer.contrast / 100 * _PSD._CONTRAST_INNER_DELTA
    ys = np.array([0, xs[1] - change, xs[2] + change, 1])
    contrast = natural_spline(np.asarray(xs, np.float64), ys, steps)
    bright = _PSD._get_brightness_spline(
        brightness_value=np.float32(layer.brightness / 150), t=steps
    )
    table = np.interp(steps, steps - bright, contrast + bright).clip(0, 1).astype(np.float32)
    return _PSD._apply_luts({0: table}, rgb.copy(), ColorMode.RGB)


def _hue_saturation(rgb: Float, layer: Any) -> Float:
    _PSD._get_huesaturation_interpolator = _saturation_table
    return _PSD.apply_huesaturation.__wrapped__(rgb.copy(), ColorMode.RGB, layer)


def _saturation_table() -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    table = np.asarray(_PSD._SATURATION_RANGE_INTERPOLATION_GRID, np.float32)

    def look_up(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Bilinear at points (..., 2) in [-1, 1]: row, then column."""
        flat = ((points.reshape(-1, 2) + 1) * 10).astype(np.float32)
        pieces = [
            cv2.remap(
                table,
                np.ascontiguousarray(piece[:, 1:2]),
                np.ascontiguousarray(piece[:, :1]),
                cv2.INTER_LINEAR,
            )
            for piece in np.array_split(flat, len(flat) // 30_000 + 1)
        ]
        return np.concatenate(pieces).reshape(points.shape[:-1])

    return look_up


def natural_spline(
    xs: npt.NDArray[Any], ys: npt.NDArray[Any], at: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """The natural cubic spline through (xs, ys), increasing xs, at points cut to its range."""
    at = np.clip(np.asarray(at, np.float64), xs[0], xs[-1])
    if len(xs) == 2:
        return np.interp(at, xs, ys)
    gaps, slopes = np.diff(xs), np.diff(ys) / np.diff(xs)
    count = len(xs)
    matrix, right = np.eye(count), np.zeros(count)
    for i in range(1, count - 1):
        matrix[i, i - 1 : i + 2] = gaps[i - 1], 2 * (gaps[i - 1] + gaps[i]), gaps[i]
        right[i] = 6 * (slopes[i] - slopes[i - 1])
    second = np.linalg.solve(matrix, right)
    i = np.clip(np.searchsorted(xs, at, side="right") - 1, 0, count - 2)
    t = at - xs[i]
    linear = slopes[i] - gaps[i] * (2 * second[i] + second[i + 1]) / 6
    return ys[i] + t * (
        linear + t * (second[i] / 2 + t * (second[i + 1] - second[i]) / 6 / gaps[i])
    )


_FUNCTIONS: dict[str, Callable[[Float, Any], Float]] = {
    "brightnesscontrast": _brightness,
    "curves": _curves,
    "exposure": _plain("apply_exposure"),
    "huesaturation": _hue_saturation,
    "invert": _plain("apply_invert"),
    "levels": _plain("apply_levels"),
    "posterize": _plain("apply_posterize"),
    "threshold": _plain("apply_threshold"),
}
