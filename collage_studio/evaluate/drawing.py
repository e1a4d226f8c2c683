"""Draws plots and contact sheets for the documentation, with Pillow and the program's own font."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from collage_studio.engine.api import Picture
from collage_studio.evaluate.curves import Point
from collage_studio.resources_dir import resources_path

FINE = 3
"""Everything is drawn this many times larger and averaged down: smooth lines."""

PAPER, PANEL, GRID, AXIS = "#ffffff", "#f7f8fa", "#e3e6eb", "#9aa1ac"
INK, FAINT = "#20242b", "#6a717d"
COLOURS = ("#8a93a3", "#3b82d6", "#e2632f", "#3aa675", "#8b5fd0")
"""Of the curves, in the order of the legend."""

Box = tuple[float, float, float, float]


@cache
def _font(size: int, weight: str = "Regular") -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(resources_path("fonts", f"Inter-{weight}.otf")), size)


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot: curves by name, each from little to much noise."""

    title: str
    x_title: str
    y_title: str
    curves: Mapping[str, Sequence[Point]]


def draw_panels(panels: Sequence[Panel], *, width: int = 620, height: int = 470) -> Picture:
    """The panels side by side over a common legend, (H, W, 3); sizes are of one panel in px."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    colours = dict(zip(names, COLOURS * len(names), strict=False))
    legend = 46
    page = Image.new("RGB", (width * len(panels) * FINE, (height + legend) * FINE), PAPER)
    draw = ImageDraw.Draw(page)
    for index, panel in enumerate(panels):
        box = (index * width + 70.0, 52.0, (index + 1) * width - 22.0, height - 58.0)
        _Plot(draw, box, panel, colours).draw()
    _legend(draw, names, colours, width * len(panels), height + legend / 2 - 8)
    small = page.resize((width * len(panels), height + legend), Image.Resampling.LANCZOS)
    return np.asarray(small, np.uint8)


def _legend(
    draw: ImageDraw.ImageDraw,
    names: Sequence[str],
    colours: Mapping[str, str],
    width: int,
    middle: float,
) -> None:
    font = _font(15 * FINE, "Medium")
    sizes = [font.getlength(name) / FINE + 66 for name in names]
    x = (width - sum(sizes)) / 2
    for name, size in zip(names, sizes, strict=True):
        line = [(x * FINE, middle * FINE), ((x + 26) * FINE, middle * FINE)]
        draw.line(line, colours[name], round(2.6 * FINE))
        _dot(draw, x + 13, middle, 5, colours[name])
        draw.text(((x + 36) * FINE, middle * FINE), name, INK, font, anchor="lm")
        x += size


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: str) -> None:
    for size, fill in ((radius + 1.6, PANEL), (radius, colour)):
        draw.ellipse([(v * FINE) for v in (x - size, y - size, x + size, y + size)], fill)


class _Plot:
    """One panel on the page; `box` is the plotting area in px."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, box: Box, panel: Panel, colours: Mapping[str, str]
    ) -> None:
        self._draw, self._box, self._panel, self._colours = draw, box, panel, colours
        points = [point for curve in panel.curves.values() for point in curve]
        self._xs = _ticks([v for p in points for v in (p.fidelity.low, p.fidelity.high)])
        self._ys = _ticks([v for p in points for v in (p.harmony.low, p.harmony.high)])

    def draw(self) -> None:
        left, top, right, bottom = self._box
        self._draw.rectangle(_fine(self._box), PANEL)
        self._grid()
        self._text((left, top - 30), self._panel.title, INK, 17, "SemiBold", "lm")
        self._text(((left + right) / 2, bottom + 42), self._panel.x_title, FAINT, 14, anchor="mm")
        self._upright((left - 50, (top + bottom) / 2), self._panel.y_title)
        for name, curve in self._panel.curves.items():
            self._whiskers(curve, self._colours[name])
        last = len(self._panel.curves) - 1
        for name, curve in self._panel.curves.items():
            self._curve(curve, self._colours[name])
        for index, (name, curve) in enumerate(self._panel.curves.items()):
            if index in (0, last):
                self._noises(curve, self._colours[name], -1 if index == 0 else 1)

    def _grid(self) -> None:
        left, top, right, bottom = self._box
        for value in self._xs:
            x = self._x(value)
            self._draw.line(_fine((x, top, x, bottom)), GRID, FINE)
            self._text((x, bottom + 16), f"{value:g}", FAINT, 13, anchor="mm")
        for value in self._ys:
            y = self._y(value)
            self._draw.line(_fine((left, y, right, y)), GRID, FINE)
            self._text((left - 10, y), f"{value:g}", FAINT, 13, anchor="rm")
        self._draw.line(_fine((left, bottom, right, bottom)), AXIS, FINE)

    def _whiskers(self, curve: Sequence[Point], colour: str) -> None:
        pale = _mixed(colour, PANEL, 0.62)
        for p in curve:
            x, y = self._x(p.fidelity.value), self._y(p.harmony.value)
            across = (self._x(p.fidelity.low), y, self._x(p.fidelity.high), y)
            upright = (x, self._y(p.harmony.low), x, self._y(p.harmony.high))
            for bar in (across, upright):
                self._draw.line(_fine(bar), pale, round(1.4 * FINE))

    def _curve(self, curve: Sequence[Point], colour: str) -> None:
        places = [(self._x(p.fidelity.value), self._y(p.harmony.value)) for p in curve]
        self._draw.line(
            [(x * FINE, y * FINE) for x, y in places], colour, round(2.6 * FINE), joint="curve"
        )
        for x, y in places:
            _dot(self._draw, x, y, 5, colour)

    def _noises(self, curve: Sequence[Point], colour: str, side: int) -> None:
        """The noise of each point, left of and below it (-1) or right of and above it (1)."""
        ink, anchor = _mixed(colour, INK, 0.35), "lm" if side > 0 else "rm"
        for p in curve:
            at = (self._x(p.fidelity.value) + 9 * side, self._y(p.harmony.value) - 11 * side)
            self._text(at, f"{p.noise:g}", ink, 12, "Medium", anchor, halo=2)

    def _text(
        self,
        at: tuple[float, float],
        text: str,
        colour: str,
        size: int,
        weight: str = "Regular",
        anchor: str = "lm",
        halo: int = 0,
    ) -> None:
        place, font = (at[0] * FINE, at[1] * FINE), _font(size * FINE, weight)
        self._draw.text(
            place, text, colour, font, anchor, stroke_width=halo * FINE, stroke_fill=PANEL
        )

    def _upright(self, middle: tuple[float, float], text: str) -> None:
        """Text turned by a quarter, to be read from below upwards."""
        font = _font(14 * FINE)
        tile = Image.new("L", (round(font.getlength(text)) + 2 * FINE, 22 * FINE), 0)
        ImageDraw.Draw(tile).text((FINE, 11 * FINE), text, 255, font, anchor="lm")
        tile = tile.rotate(90, expand=True)
        x, y = (round(v * FINE - side / 2) for v, side in zip(middle, tile.size, strict=True))
        self._draw.bitmap((x, y), tile, FAINT)

    def _x(self, value: float) -> float:
        low, high = self._xs[0], self._xs[-1]
        return self._box[0] + (value - low) / (high - low) * (self._box[2] - self._box[0])

    def _y(self, value: float) -> float:
        low, high = self._ys[0], self._ys[-1]
        return self._box[3] - (value - low) / (high - low) * (self._box[3] - self._box[1])


def _fine(box: Box) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return left * FINE, top * FINE, right * FINE, bottom * FINE


def _ticks(values: Sequence[float]) -> list[float]:
    """Round numbers at equal distances, four to nine of them, around all finite values."""
    finite = [value for value in values if np.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    rough = max(high - low, 1e-6) / 6
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(next(power * m for m in (1, 2, 5, 10) if power * m >= rough))
    first, last = int(np.floor(low / step)), int(np.floor(high / step)) + 1
    return [round(i * step, 10) for i in range(first, last + 1)]


def _mixed(colour: str, other: str, share: float) -> str:
    """`share` of the way from one colour "#rrggbb" to another."""
    ours, theirs = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in (colour, other))
    return "#" + "".join(f"{round(v):02x}" for v in ours + share * (theirs - ours))


def contact_sheet(
    headings: Sequence[str], rows: Sequence[Sequence[Picture]], *, tile: int = 192
) -> Picture:
    """Rows of pictures under a line of headings, (H, W, 3).

    Args:
        rows: as many pictures as headings in each; square, of any size.
        tile: side of a picture on the sheet in px.
    """
    if not rows:
        raise ValueError("A contact sheet needs at least one row of pictures.")
    gap, head = 5, 34
    width = gap + len(headings) * (tile + gap)
    sheet = Image.new("RGB", (width, head + len(rows) * (tile + gap)), "#16181c")
    draw, font = ImageDraw.Draw(sheet), _font(14, "Medium")
    for column, heading in enumerate(headings):
        left = gap + column * (tile + gap)
        draw.text((left + 2, head / 2), heading, "#e8eaee", font, anchor="lm")
        for row, pictures in enumerate(rows):
            picture = Image.fromarray(pictures[column])
            if picture.size != (tile, tile):
                picture = picture.resize((tile, tile), Image.Resampling.LANCZOS)
            sheet.paste(picture, (left, head + row * (tile + gap)))
    return np.asarray(sheet, np.uint8)


def with_words(picture: Picture, words: Sequence[tuple[str, tuple[float, float]]]) -> Picture:
    """The picture (H, W, 3) with small white words centred at places (x, y) in px."""
    page = Image.fromarray(picture)
    draw, font = ImageDraw.Draw(page), _font(15, "Medium")
    for text, (x, y) in words:
        half = font.getlength(text) / 2
        inside = min(max(x, half + 4), page.width - half - 4)
        draw.text((inside, y), text, "white", font, "mm", stroke_width=2, stroke_fill="#26282c")
    return np.asarray(page, np.uint8)


def save(picture: Picture, path: Path) -> None:
    """Write (H, W, 3) as PNG or JPEG, by suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = Image.fromarray(picture)
    if path.suffix.lower() in {".jpg", ".jpeg"}:
        page.save(path, quality=88)
    else:
        page.save(path, optimize=True)
