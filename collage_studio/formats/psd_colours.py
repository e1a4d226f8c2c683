"""The colour modes of Photoshop -> sRGB: RGB, grey, CMYK, Lab, indexed, bitmap; 8, 16, 32 bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from collage_studio.formats.colour import is_srgb, to_srgb
from collage_studio.formats.errors import FormatError

Pixels = npt.NDArray[Any]
Float = npt.NDArray[np.float32]
BITMAP, GREY, INDEXED, RGB, CMYK, MULTICHANNEL, DUOTONE, LAB = 0, 1, 2, 3, 4, 7, 8, 9
_CHANNELS = {BITMAP: 1, GREY: 1, INDEXED: 1, RGB: 3, CMYK: 4, DUOTONE: 1, LAB: 3}
_NAMES = {
    BITMAP: "Black and white",
    GREY: "Grey",
    INDEXED: "Indexed",
    CMYK: "CMYK",
    MULTICHANNEL: "Multichannel",
    DUOTONE: "Duotone",
    LAB: "Lab",
}
_WHITE_D50 = np.array([0.96422, 1.0, 0.82521], np.float32)
_XYZ_TO_LINEAR = np.array(
    [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540],
     [0.0719453, -0.2289914, 1.4052427]],
    np.float32,
)  # fmt: skip


@dataclass(frozen=True)
class Colours:
    """How a file's numbers become sRGB.

    Args:
        mode: Photoshop's number of the colour mode.
        depth: bits per channel in the file: 1, 8, 16 or 32.
        profile: ICC bytes; may be empty.
        palette: (256, 3) uint8 of indexed colours.
    """

    mode: int
    depth: int
    profile: bytes = b""
    palette: npt.NDArray[np.uint8] | None = None

    @property
    def channels(self) -> int:
        """Colour channels in the file."""
        return _CHANNELS.get(self.mode, 3)

    @cached_property
    def is_plain(self) -> bool:
        """The file's numbers are sRGB as they stand."""
        return self.mode == RGB and self.depth in (8, 16) and is_srgb(self.profile)

    @cached_property
    def change(self) -> str:
        """What happens to the colours, as a sentence; empty where nothing does."""
        if self.mode in _NAMES:
            return f"{_NAMES[self.mode]} colours become sRGB."
        if self.depth == 32:
            return "32-bit colours become 16-bit sRGB."
        if not is_srgb(self.profile):
            deep = ", 8 bits per channel" if self.depth == 16 else ""
            return f"The colours are converted from their own profile to sRGB{deep}."
        return ""

    def picture(self, planes: Sequence[Pixels], alpha: Pixels | None) -> Pixels:
        """(h, w, 4) straight sRGB, uint8 or uint16.

        Raises:
            FormatError: channels are missing.
        """
        if len(planes) < self.channels:
            raise FormatError("a colour channel is missing")
        rgb = self._rgb(planes)
        deep = rgb[0].dtype == np.uint16
        top = 65535 if deep else 255
        if alpha is None:
            shown = np.full(rgb[0].shape, top, rgb[0].dtype)
        else:
            shown = mask_values(alpha, 16 if deep else 8)
        return cv2.merge([*rgb, shown])

    def _rgb(self, planes: Sequence[Pixels]) -> Sequence[Pixels]:
        if self.is_plain:
            return planes[:3]
        if self.depth == 32:
            linear = np.stack([np.nan_to_num(plane) for plane in planes[: self.channels]])
            encoded = (_encoded(linear) * 65535 + 0.5).astype(np.uint16)
            return [encoded[i] for i in ((0, 1, 2) if len(encoded) == 3 else (0, 0, 0))]
        if self.mode == LAB:
            return self._from_lab(planes)
        if self.mode == INDEXED and self.palette is not None:
            return [self.palette[planes[0], channel] for channel in range(3)]
        if self.channels == 1:
            return self._from_grey(planes[0])
        return self._through_pillow(planes)

    def _from_grey(self, plane: Pixels) -> Sequence[Pixels]:
        ramp = np.asarray(
            to_srgb(Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis]), self.profile)
            if self.profile
            else Image.new("L", (1, 1))
        )
        if ramp.ndim != 3:
            return [plane, plane, plane]
        if plane.dtype == np.uint8:
            return [ramp[0, :, channel][plane] for channel in range(3)]
        steps = np.arange(256) * 257.0
        return [
            np.interp(plane, steps, ramp[0, :, channel] * 257.0).astype(np.uint16)
            for channel in range(3)
        ]

    def _from_lab(self, planes: Sequence[Pixels]) -> Sequence[Pixels]:
        top = 65535.0 if self.depth == 16 else 255.0
        scale = np.float32(257 if self.depth == 16 else 1)
        light = planes[0].astype(np.float32) * np.float32(100 / top)
        green, blue = (plane.astype(np.float32) / scale - 128 for plane in planes[1:3])
        linear = np.tensordot(_XYZ_TO_LINEAR, _lab_to_xyz(light, green, blue), 1)
        encoded = (_encoded(linear) * top + 0.5).astype(planes[0].dtype)
        return [encoded[channel] for channel in range(3)]

    def _through_pillow(self, planes: Sequence[Pixels]) -> Sequence[Pixels]:
        small = [mask_values(plane, 8) for plane in planes]
        if self.mode == CMYK:
            inks = [Image.fromarray(255 - plane) for plane in small[:4]]
            picture = to_srgb(Image.merge("CMYK", inks), self.profile)
        else:
            picture = Image.merge("RGB", [Image.fromarray(plane) for plane in small[:3]])
            picture = to_srgb(picture, self.profile)
        return cv2.split(np.asarray(picture.convert("RGB")))


def mask_values(plane: Pixels, depth: int) -> Pixels:
    """A mask or alpha of any depth as uint8 or uint16."""
    if plane.dtype == np.float32:
        top = 65535.0 if depth == 16 else 255.0
        values = np.clip(np.nan_to_num(plane), 0, 1) * top + 0.5
        return values.astype(np.uint16 if depth == 16 else np.uint8)
    if plane.dtype == np.uint16 and depth == 8:
        return ((plane.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if plane.dtype == np.uint8 and depth == 16:
        return plane.astype(np.uint16) * np.uint16(257)
    return np.ascontiguousarray(plane)


def _encoded(linear: Float) -> Float:
    """The sRGB curve on linear values, cut to [0, 1]."""
    linear = np.clip(linear, 0, 1).astype(np.float32)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _lab_to_xyz(light: Float, green: Float, blue: Float) -> Float:
    """(3, h, w) with a white of D50."""
    y = (light + 16) / 116
    roots = np.stack([y + green / 500, y, y - blue / 200])
    cubes = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
    return cubes * _WHITE_D50[:, np.newaxis, np.newaxis]
