"""Blend modes after W3C Compositing and Photoshop, on sRGB-encoded straight colours in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from collage_studio.document.model import BlendMode

Float: TypeAlias = "npt.NDArray[np.floating[Any]]"
Blend = Callable[[Float, Float], Float]
"""(backdrop, source) -> mixed colour, all (..., 3) float32 in [0, 1]."""


def _normal(_cb: Float, cs: Float) -> Float:
    return cs


def _multiply(cb: Float, cs: Float) -> Float:
    return cb * cs


def _screen(cb: Float, cs: Float) -> Float:
    return cb + cs - cb * cs


def _overlay(cb: Float, cs: Float) -> Float:
    return _hard_light(cs, cb)


def _hard_light(cb: Float, cs: Float) -> Float:
    return np.where(cs <= 0.5, 2 * cb * cs, _screen(cb, 2 * cs - 1))


def _soft_light(cb: Float, cs: Float) -> Float:
    lightened = np.where(cb <= 0.25, ((16 * cb - 12) * cb + 4) * cb, np.sqrt(cb))
    return cb + (2 * cs - 1) * np.where(cs <= 0.5, cb * (1 - cb), lightened - cb)


def _darken(cb: Float, cs: Float) -> Float:
    return np.minimum(cb, cs)


def _lighten(cb: Float, cs: Float) -> Float:
    return np.maximum(cb, cs)


def _color_dodge(cb: Float, cs: Float) -> Float:
    return np.where(cb <= 0, 0, np.minimum(1, cb / np.maximum(1 - cs, 1e-9))).astype(np.float32)


def _color_burn(cb: Float, cs: Float) -> Float:
    burnt = 1 - np.minimum(1, (1 - cb) / np.maximum(cs, 1e-9))
    return np.where(cb >= 1, 1, burnt).astype(np.float32)


def _difference(cb: Float, cs: Float) -> Float:
    return np.abs(cb - cs)


def _exclusion(cb: Float, cs: Float) -> Float:
    return cb + cs - 2 * cb * cs


def _hue(cb: Float, cs: Float) -> Float:
    return _with_lum(_with_sat(cs, _sat(cb)), _lum(cb))


def _saturation(cb: Float, cs: Float) -> Float:
    return _with_lum(_with_sat(cb, _sat(cs)), _lum(cb))


def _color(cb: Float, cs: Float) -> Float:
    return _with_lum(cs, _lum(cb))


def _luminosity(cb: Float, cs: Float) -> Float:
    return _with_lum(cb, _lum(cs))


def _linear_burn(cb: Float, cs: Float) -> Float:
    return np.maximum(0, cb + cs - 1)


def _linear_dodge(cb: Float, cs: Float) -> Float:
    return np.minimum(1, cb + cs)


def _linear_light(cb: Float, cs: Float) -> Float:
    return np.clip(cb + 2 * cs - 1, 0, 1)


def _vivid_light(cb: Float, cs: Float) -> Float:
    # Unlike burn and dodge by themselves, a source of 0 or 1 wins over any backdrop.
    burnt = 1 - np.minimum(1, (1 - cb) / np.maximum(2 * cs, np.float32(1e-9)))
    dodged = np.minimum(1, cb / np.maximum(2 * (1 - cs), np.float32(1e-9)))
    mixed = np.where(cs > 0.5, dodged, burnt)
    return np.where(cs <= 0, 0, np.where(cs >= 1, 1, mixed)).astype(np.float32)


def _pin_light(cb: Float, cs: Float) -> Float:
    return np.where(cs > 0.5, np.maximum(cb, 2 * cs - 1), np.minimum(cb, 2 * cs))


def _hard_mix(cb: Float, cs: Float) -> Float:
    total = cb + cs
    return ((total > 1) | ((total == 1) & (cb > 0.5))).astype(np.float32)


def _darker_color(cb: Float, cs: Float) -> Float:
    return np.where(_lum(cs) < _lum(cb), cs, cb)


def _lighter_color(cb: Float, cs: Float) -> Float:
    return np.where(_lum(cs) > _lum(cb), cs, cb)


def _subtract(cb: Float, cs: Float) -> Float:
    return np.maximum(0, cb - cs)


def _divide(cb: Float, cs: Float) -> Float:
    return np.minimum(1, cb / np.maximum(cs, np.float32(1e-9)))


def _lum(color: Float) -> Float:
    """(..., 1)"""
    weighted = 0.3 * color[..., 0] + 0.59 * color[..., 1] + 0.11 * color[..., 2]
    return weighted[..., np.newaxis]


def _sat(color: Float) -> Float:
    """(..., 1)"""
    return color.max(axis=-1, keepdims=True) - color.min(axis=-1, keepdims=True)


def _with_sat(color: Float, saturation: Float) -> Float:
    low = color.min(axis=-1, keepdims=True)
    return (color - low) * (saturation / np.maximum(_sat(color), 1e-9))


def _with_lum(color: Float, lum: Float) -> Float:
    return _clip_color(color + (lum - _lum(color)))


def _clip_color(color: Float) -> Float:
    """Pull colours outside [0, 1] towards their own grey: luminosity is kept."""
    lum = _lum(color)
    low, high = color.min(axis=-1, keepdims=True), color.max(axis=-1, keepdims=True)
    raised = lum + (color - lum) * (lum / np.maximum(lum - low, 1e-9))
    color = np.where(low < 0, raised, color)
    lowered = lum + (color - lum) * ((1 - lum) / np.maximum(high - lum, 1e-9))
    return np.where(high > 1, lowered, color)


BLENDS: Mapping[BlendMode, Blend] = MappingProxyType(
    {
        BlendMode.NORMAL: _normal,
        BlendMode.MULTIPLY: _multiply,
        BlendMode.SCREEN: _screen,
        BlendMode.OVERLAY: _overlay,
        BlendMode.SOFT_LIGHT: _soft_light,
        BlendMode.HARD_LIGHT: _hard_light,
        BlendMode.DARKEN: _darken,
        BlendMode.LIGHTEN: _lighten,
        BlendMode.COLOR_DODGE: _color_dodge,
        BlendMode.COLOR_BURN: _color_burn,
        BlendMode.DIFFERENCE: _difference,
        BlendMode.EXCLUSION: _exclusion,
        BlendMode.HUE: _hue,
        BlendMode.SATURATION: _saturation,
        BlendMode.COLOR: _color,
        BlendMode.LUMINOSITY: _luminosity,
        BlendMode.LINEAR_BURN: _linear_burn,
        BlendMode.LINEAR_DODGE: _linear_dodge,
        BlendMode.LINEAR_LIGHT: _linear_light,
        BlendMode.VIVID_LIGHT: _vivid_light,
        BlendMode.PIN_LIGHT: _pin_light,
        BlendMode.HARD_MIX: _hard_mix,
        BlendMode.DARKER_COLOR: _darker_color,
        BlendMode.LIGHTER_COLOR: _lighter_color,
        BlendMode.SUBTRACT: _subtract,
        BlendMode.DIVIDE: _divide,
        BlendMode.PASS_THROUGH: _normal,
    }
)


def composite_over(backdrop: Float, source: Float, mode: BlendMode) -> None:
    """Lay `source` over `backdrop` in place; both premultiplied planes (4, h, w), alpha last.

    co = cs as (1 - ab) + as ab B(cb, cs) + (1 - as) ab cb   (W3C Compositing, 10.1)
    """
    alpha = source[3]
    if BLENDS[mode] is _normal:
        if alpha.min() >= 1.0:
            backdrop[...] = source
            return
        backdrop *= 1.0 - alpha
        backdrop += source
        return
    mixed = _mixed(backdrop, source, BLENDS[mode])
    mixed *= alpha * backdrop[3]
    outside = 1.0 - backdrop[3]
    backdrop *= 1.0 - alpha
    backdrop[:3] += source[:3] * outside + mixed
    backdrop[3] += alpha


def composite_atop(backdrop: Float, source: Float, mode: BlendMode) -> None:
    """Lay `source` over `backdrop` in place, only where there is a backdrop; its alpha stays.

    co = (1 - as) ab cb + as ab B(cb, cs)
    """
    mixed = _mixed(backdrop, source, BLENDS[mode])
    mixed *= source[3] * backdrop[3]
    backdrop[:3] *= 1.0 - source[3]
    backdrop[:3] += mixed


def _mixed(backdrop: Float, source: Float, blend: Blend) -> Float:
    """B(cb, cs) as planes (3, h, w)."""
    cb, cs = straight(backdrop), straight(source)
    mixed = blend(np.moveaxis(cb, 0, -1), np.moveaxis(cs, 0, -1))
    return np.moveaxis(mixed, -1, 0)


def straight(planes: Float) -> Float:
    """Straight colours (3, h, w) in [0, 1] of premultiplied planes (4, h, w)."""
    return np.clip(planes[:3] / np.maximum(planes[3], 1e-9), 0.0, 1.0)
