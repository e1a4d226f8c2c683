"""The noise map over the picture: the very values the sampler gets, as heat on a faint relief."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter, QPen

from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document, Layer
from collage_studio.document.noise_map import noise_map, run_layers
from collage_studio.document.noise_paint import share_painted
from collage_studio.ui.background import Background
from collage_studio.ui.canvas import hit, overlays
from collage_studio.ui.canvas.bakes import View
from collage_studio.ui.canvas.sources import image_of, view_of
from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font

Values = npt.NDArray[np.float32]
LEGEND_WIDTH, LEGEND_HEIGHT = 304, 66
_HEAT = 0.80
_FULL_AT = 0.04
_PAINTED_AT = 0.02


def values_of(document: Document) -> Values:
    """(H, W) in [0, 1]: what the next run of this document would use."""
    return noise_map(document, document.settings, only=run_layers(document))


class NoiseOverlay:
    """Holds the map of one document, made beside the main thread, and paints it."""

    def __init__(self, background: Background, arrived: Callable[[], None]) -> None:
        self._background = background
        self._arrived = arrived
        self._wanted: Document | None = None
        self._of: Document | None = None
        self._runs = False
        self.values: Values | None = None
        self._painted: tuple[object, ...] = ()
        self._image: QImage | None = None

    @property
    def is_current(self) -> bool:
        """The values belong to the document asked for last."""
        return self._of is self._wanted

    def request(self, document: Document) -> None:
        """Ask for the map of `document`; the old one stays until it is there.

        One map is made at a time; what was asked for meanwhile and is outdated is left out.
        """
        if document is self._wanted:
            return
        self._wanted = document
        if not self._runs:
            self._start(document)

    def _start(self, document: Document) -> None:
        self._runs = True
        self._background.submit(lambda: (document, values_of(document)), self._on_values)

    def value_at(self, x: float, y: float) -> float | None:
        """The map at a canvas point; None outside or before it is known."""
        if self.values is None:
            return None
        row, column = int(np.floor(y)), int(np.floor(x))
        height, width = self.values.shape
        inside = 0 <= row < height and 0 <= column < width
        return float(self.values[row, column]) if inside else None

    def reading(self, x: float, y: float) -> str:
        """ "60   Tent" or "97   Pines, painted": value and layer of the map; empty outside."""
        value = self.value_at(x, y)
        if value is None or self._of is None:
            return ""
        layer, place = source_at(self._of, x, y)
        is_painted = share_painted(layer, *place) > _PAINTED_AT
        return f"{value * 100:.0f}   {layer.name}{', painted' if is_painted else ''}"

    def image(self, frame: QImage, view: View) -> QImage | None:
        """The heat over a relief of `frame`, which shows `view`; None before values are known."""
        if self.values is None:
            return None
        key = (frame.cacheKey(), view, id(self.values))
        if key != self._painted or self._image is None:
            below = frame.copy()
            self._image = image_of(_heated(view_of(below), self._values_in(view)))
            self._painted = key
        return self._image

    def _values_in(self, view: View) -> Values:
        """The map at the frame's pixels."""
        assert self.values is not None
        box = view.visible
        height, width = self.values.shape
        across, down = width / view.size.width, height / view.size.height
        # Frame pixel centres in the map's pixel centres.
        matrix = Affine(
            across, 0, (box.left + 0.5) * across - 0.5, 0, down, (box.top + 0.5) * down - 0.5
        ).matrix()
        flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_NEAREST if across < 0.25 else cv2.INTER_LINEAR)
        seen = cv2.warpAffine(
            self.values, matrix, (box.width, box.height), flags=flags,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return cast(Values, seen)

    def _on_values(self, outcome: tuple[Document, Values]) -> None:
        self._runs = False
        self._of, self.values = outcome
        if self._wanted is not None and self._wanted is not self._of:
            self._start(self._wanted)
        self._arrived()


def _ramp_table() -> npt.NDArray[np.float32]:
    """(256, 3) blue, green, red in 0..255."""
    return np.array([tokens.noise_rgb(i / 255)[::-1] for i in range(256)], np.float32)


def _heated(pixels: npt.NDArray[np.uint8], values: Values) -> npt.NDArray[np.uint8]:
    grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), cv2.COLOR_BGR2GRAY)
    relief = (0.72 + 0.42 * (grey.astype(np.float32) / 255.0))[..., np.newaxis]
    index = (values * 255.0 + 0.5).astype(np.uint8)
    heat = np.minimum(_ramp_table()[index] * relief, 255.0)
    share = np.clip(values / _FULL_AT, 0.0, 1.0)[..., np.newaxis]
    greyed = grey[..., np.newaxis].astype(np.float32) * 0.9
    warm = heat * _HEAT + greyed * (1 - _HEAT)
    mixed = np.empty_like(pixels)
    mixed[..., :3] = (pixels[..., :3] * (1 - share) + warm * share + 0.5).astype(np.uint8)
    mixed[..., 3] = np.maximum(pixels[..., 3], (share[..., 0] * 255).astype(np.uint8))
    return mixed


def source_at(document: Document, x: float, y: float) -> tuple[Layer, tuple[float, float]]:
    """The topmost visible layer at a canvas point, and which px of its source it is.

    Locked layers count too; where there is none, it is the background.
    """

    def search(
        layers: tuple[Layer, ...], parent: Affine
    ) -> tuple[Layer, tuple[float, float]] | None:
        for layer in reversed(layers):
            if not layer.visible or layer.opacity <= 0:
                continue
            placed = parent.after(layer.placement)
            if layer.is_group:
                found = search(layer.children, placed)
                if found is not None:
                    return found
            elif hit.alpha_at(layer, placed, x, y) > 0.5:
                has_pixels = layer.raster is not None
                return layer, placed.inverse().apply(x, y) if has_pixels else (x, y)
        return None

    return search(document.layers, Affine()) or (document.background, (x, y))


def legend_box(picture: QRectF, room: QRectF, pointer: QPointF | None) -> QRectF:
    """Top left inside the picture; top right while the pointer is near."""
    seen = picture.intersected(room)
    box = QRectF(seen.left() + 12, seen.top() + 12, LEGEND_WIDTH, LEGEND_HEIGHT)
    near = box.adjusted(-48, -48, 48, 48)
    if pointer is not None and near.contains(pointer) and seen.width() > 2 * LEGEND_WIDTH + 96:
        box.moveRight(seen.right() - 12)
    return box


def paint_legend(painter: QPainter, box: QRectF, *, ready: bool) -> None:
    """Name, ramp and its numbers; says so while the map is not `ready`."""
    painter.setPen(QPen(QColor(255, 255, 255, 30), 1))
    painter.setBrush(overlays.DARK_PILL)
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
    inner = box.adjusted(12, 6, -12, -6)
    painter.setFont(font(12, 600))
    painter.setPen(overlays.ON_DARK)
    painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, "Noise map")
    painter.setFont(font(12))
    painter.setPen(QColor("#BDBDBD"))
    words = "as the sampler gets it" if ready else "working it out"
    painter.drawText(inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, words)
    bar = QRectF(inner.left(), inner.top() + 21, inner.width(), 11)
    _paint_ramp(painter, bar)
    painter.setFont(font(11, 600))
    painter.setPen(overlays.ON_DARK)
    for share, label in ((0.0, "0 keep"), (0.25, "25"), (0.5, "50"), (0.75, "75"), (1.0, "100")):
        spot = QRectF(bar.left() + bar.width() * share - 30, bar.bottom() + 3, 60, 16)
        side = Qt.AlignmentFlag.AlignHCenter
        if share in {0.0, 1.0}:
            spot.translate(30 if share == 0.0 else -30, 0)
            side = Qt.AlignmentFlag.AlignLeft if share == 0.0 else Qt.AlignmentFlag.AlignRight
        painter.drawText(spot, side | Qt.AlignmentFlag.AlignVCenter, label)


def _paint_ramp(painter: QPainter, bar: QRectF) -> None:
    gradient = QLinearGradient(bar.topLeft(), bar.topRight())
    last = len(tokens.NOISE_RAMP) - 1
    for index, color in enumerate(tokens.NOISE_RAMP):
        gradient.setColorAt(index / last, QColor(color))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(gradient)
    painter.drawRoundedRect(bar, 2, 2)
    # A little window at the left end: where the noise is 0 the picture itself is seen.
    painter.setPen(QPen(overlays.ON_DARK, 1.25))
    painter.setBrush(QColor(0, 0, 0, 150))
    painter.drawRoundedRect(QRectF(bar.left(), bar.top(), 8, bar.height()), 2, 2)
