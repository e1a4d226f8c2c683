"""The sRGB profile for exports, and converting embedded profiles to sRGB on import."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import Any, cast

from PIL import Image, ImageCms

_PROFILE_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


@cache
def srgb_profile() -> bytes:
    """ICC bytes of sRGB, always the same: the date of creation is fixed."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[24:36] = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    return bytes(data)


def is_srgb(profile: bytes) -> bool:
    """Whether the profile calls itself sRGB, or is empty."""
    if not profile:
        return True
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return "srgb" in ImageCms.getProfileDescription(opened).lower()
    except (ImageCms.PyCMSError, OSError, ValueError):
        return True


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """`picture` with its colours meant in `profile` as an sRGB picture, RGB or RGBA.

    A profile that is broken or made for other channels is passed over.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _PROFILE_MODES.get(cast(Any, source.profile).xcolor_space)
        if mode is None or not _fits(picture, mode):
            return picture
        alpha = _alpha(picture)
        colours = picture if picture.mode == mode else _colours(picture, mode)
        converted = ImageCms.profileToProfile(
            colours, source, io.BytesIO(srgb_profile()), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture
    if converted is None:
        return picture
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _fits(picture: Image.Image, mode: str) -> bool:
    is_gray = picture.mode in ("1", "L", "LA", "La")
    if mode == "L":
        return is_gray
    return (picture.mode == "CMYK") if mode == "CMYK" else picture.mode != "CMYK" and not is_gray


def _alpha(picture: Image.Image) -> Image.Image | None:
    if picture.has_transparency_data:
        return picture.convert("RGBA").getchannel("A")
    return None


def _colours(picture: Image.Image, mode: str) -> Image.Image:
    """Without alpha; by way of RGBA, which keeps the colours under a palette's transparency."""
    return picture.convert("L") if mode == "L" else picture.convert("RGBA").convert(mode)
