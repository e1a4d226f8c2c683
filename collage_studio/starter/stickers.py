"""The pictures of the world's objects: read from the resources, or extracted from the font."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from collage_studio.resources_dir import resources_path
from collage_studio.starter.looks import repainted
from collage_studio.starter.world import OBJECTS, Placed, object_kind

STICKER_FOLDER = resources_path("starter", "stickers")
STRIKE_SIZE = 109
"""The only pixel size Noto Color Emoji holds; its glyphs are 136 x 128."""
STRIKE_BOX = (136, 128)
MARGIN = 2


def extract_stickers(font_path: Path, folder: Path = STICKER_FOLDER) -> list[Path]:
    """Write one PNG with alpha for each object, cropped to its ink, from the emoji font."""
    font = ImageFont.truetype(str(font_path), STRIKE_SIZE)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for kind in OBJECTS:
        path = folder / kind.file_name
        _draw_glyph(font, kind.emoji).save(path, optimize=True)
        written.append(path)
    return written


def _draw_glyph(font: ImageFont.FreeTypeFont, emoji: str) -> Image.Image:
    picture = Image.new("RGBA", STRIKE_BOX, (0, 0, 0, 0))
    ImageDraw.Draw(picture).text((0, 0), emoji, font=font, embedded_color=True)
    box = picture.getbbox()
    if box is None:
        raise ValueError(f"The font has no picture for {emoji!r}.")
    ink = picture.crop(box)
    padded = Image.new("RGBA", (ink.width + 2 * MARGIN, ink.height + 2 * MARGIN), (0, 0, 0, 0))
    padded.paste(ink, (MARGIN, MARGIN))
    return padded


def sticker_of(placed: Placed) -> NDArray[np.uint8]:
    """The picture of an object in a scene, in the look it has there."""
    return load_sticker(placed.name, placed.look)


@cache
def load_sticker(name: str, look: int = 0) -> NDArray[np.uint8]:
    """An object's flat, unlit picture: (h, w, 4), straight alpha, read-only."""
    with Image.open(STICKER_FOLDER / object_kind(name).file_name) as picture:
        pixels = np.asarray(picture.convert("RGBA"), dtype=np.uint8).copy()
    if look:
        pixels = repainted(pixels, look)
    pixels.setflags(write=False)
    return pixels
