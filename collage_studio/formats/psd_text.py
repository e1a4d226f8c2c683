"""Photoshop's type blocks: kept ones moved and given other words, and new ones for plain words.

The pixels of a type layer stay what every program shows; Photoshop sets the words anew when they
are edited there.
"""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from psd_tools.psd import engine_data
from psd_tools.psd.descriptor import DescriptorBlock, Double, Enumerated, Integer, RawData, String
from psd_tools.psd.tagged_blocks import TypeToolObjectSetting

from collage_studio.document.geometry import Affine
from collage_studio.document.model import Layer, Raster
from collage_studio.formats.psd_kept import KeptType, kept_type
from collage_studio.formats.psd_text_engine import engine_elements, text_units
from collage_studio.formats.text import plain_text

_TRANSFORM = struct.Struct(">6d")
_AT = 2
"""Where the transform lies in a block: behind its version."""
_BEHIND = _AT + _TRANSFORM.size
_FLAT = 1e-9
_ASCENT, _LINE = 0.72, 1.2
"""Height of capitals and of a line, of the size of the letters."""
_PARSING_FAILS = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OSError, struct.error,
    AssertionError, RecursionError, OverflowError,
)  # fmt: skip

logging.getLogger("psd_tools").setLevel(logging.CRITICAL)  # damage is handled here


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How words are set.

    Args:
        font: by its PostScript name.
        size: of the letters, px before the block's transform.
        colour: sRGB, 0 to 255.
    """

    font: str = "ArialMT"
    size: float = 24.0
    colour: tuple[int, int, int] = (0, 0, 0)


def layer_type_block(layer: Layer, place: Affine) -> bytes:
    """The type block of a layer that came from a text layer; empty for others.

    Args:
        place: takes the layer's pixels to the canvas, as it lies now.
    """
    kept = kept_type(layer)
    if kept is None or layer.raster is None or abs(place.determinant) < _FLAT:
        return b""
    return moved_block(_current_block(kept, layer.raster), place.after(kept.place.inverse()))


def is_only_moved(block: bytes, layer: Layer) -> bool:
    """Whether a layer's type block says what the one that was read says, at whatever place."""
    kept = kept_type(layer)
    return kept is not None and block[_BEHIND:] == kept.block[_BEHIND:]


def _current_block(kept: KeptType, raster: Raster) -> bytes:
    """The block as it was read, with the words of today; a new one where none can be read."""
    try:
        if block_words(kept.block) == kept.words:
            return kept.block
        return reworded_block(kept.block, kept.words)
    except _PARSING_FAILS:
        style, origin = _guessed(raster, kept.words)
        return type_block(kept.words, style, kept.place.after(origin))


def block_words(block: bytes) -> str:
    """The words in a type block, lines parted by line feeds.

    Raises:
        ValueError or another of psd-tools' errors: it is damaged.
    """
    value = TypeToolObjectSetting.frombytes(block).text_data[b"Txt "].value
    return plain_text(str(value).rstrip("\0").replace("\r", "\n"))


def moved_block(block: bytes, change: Affine) -> bytes:
    """A type block with `change` applied after its own transform; all else stays to the bit."""
    xx, xy, yx, yy, tx, ty = _TRANSFORM.unpack_from(block, _AT)
    now = change.after(Affine(xx, yx, tx, xy, yy, ty))
    return block[:_AT] + _packed(now) + block[_BEHIND:]


def _packed(place: Affine) -> bytes:
    return _TRANSFORM.pack(place.a, place.d, place.b, place.e, place.c, place.f)


def reworded_block(block: bytes, words: str) -> bytes:
    """A type block with other words, in the style of its first letter and first paragraph.

    Raises:
        ValueError or another of psd-tools' errors: it is damaged.
    """
    setting: Any = TypeToolObjectSetting.frombytes(block)
    text = _set_text(words)
    setting.text_data[b"Txt "].value = text + "\0"
    engine = setting.text_data[b"EngineData"].value["EngineDict"]
    engine["Editor"]["Text"].value = text + "\r"
    _set_runs(engine["StyleRun"], [text_units(text) + 1])
    _set_runs(engine["ParagraphRun"], [text_units(line) + 1 for line in text.split("\r")])
    return bytes(setting.tobytes())


def _set_runs(runs: Any, lengths: list[int]) -> None:
    first = runs["RunArray"][0]
    runs["RunArray"] = engine_data.List([first] * len(lengths))
    runs["RunLengthArray"] = engine_data.List([engine_data.Integer(n) for n in lengths])


def type_block(words: str, style: TextStyle, place: Affine) -> bytes:
    """A new type block.

    Args:
        place: takes the text's own px, its origin on the first baseline, to the canvas.
    """
    text = _set_text(words)
    data = DescriptorBlock(name="", classID=b"TxLr", version=16)
    data[b"Txt "] = String(text + "\0")
    data[b"textGridding"] = Enumerated(b"textGridding", b"None")
    data[b"Ornt"] = Enumerated(b"Ornt", b"Hrzn")
    data[b"AntA"] = Enumerated(b"Annt", b"AnCr")
    data[b"TextIndex"] = Integer(0)
    engine = engine_elements(text, style.font, style.size, style.colour)
    data[b"EngineData"] = RawData(engine.tobytes())
    return TypeToolObjectSetting(
        1, _TRANSFORM.unpack(_packed(place)), 50, data, 1, _no_warp()
    ).tobytes()


def _no_warp() -> Any:
    warp = DescriptorBlock(name="", classID=b"warp", version=16)
    warp[b"warpStyle"] = Enumerated(b"warpStyle", b"warpNone")
    for key in (b"warpValue", b"warpPerspective", b"warpPerspectiveOther"):
        warp[key] = Double(0.0)
    warp[b"warpRotate"] = Enumerated(b"Ornt", b"Hrzn")
    return warp


def _set_text(words: str) -> str:
    """`words` as Photoshop holds them: lines end in carriage returns."""
    return plain_text(words).replace("\n", "\r")


def _guessed(raster: Raster, words: str) -> tuple[TextStyle, Affine]:
    """A style that nearly covers the pixels, and the place of its origin in them."""
    pixels = raster.pixels.astype(np.float64) / np.iinfo(raster.pixels.dtype).max
    alpha = pixels[..., 3]
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    if not rows.size:
        return TextStyle(), Affine()
    lines = words.count("\n") + 1
    size = float(rows[-1] + 1 - rows[0]) / (_ASCENT + _LINE * (lines - 1))
    mean = (pixels[..., :3] * alpha[..., np.newaxis]).sum((0, 1)) / alpha.sum()
    red, green, blue = (round(float(value) * 255) for value in mean)
    origin = Affine.translation(float(columns[0]), float(rows[0]) + _ASCENT * size)
    return TextStyle(size=size, colour=(red, green, blue)), origin
