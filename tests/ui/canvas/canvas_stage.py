"""Documents and a hand on the canvas for the tests beside this file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from collage_studio.app.editor import Editor
from collage_studio.app.selection import Selection
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, LayerKind, Raster
from collage_studio.ui.canvas.canvas import Canvas

WHITE = Layer("background", "Background", LayerKind.FILL, fill=(255, 255, 255, 255), noise=0.8)


def textured(width: int, height: int, seed: int, *, soft: bool = True) -> Raster:
    """Smooth colours; with `soft`, alpha falls off to 0 at the border."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = [np.sin(rng.uniform(2, 9) * x + rng.uniform(2, 9) * y + i) for i in range(3)]
    color = np.stack(waves, axis=2) * 100 + 128
    alpha = np.clip(4 * np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)), 0, 1) * 255
    if not soft:
        alpha = np.full_like(alpha, 255)
    return Raster(np.dstack([color, alpha]).astype(np.uint8))


def solid(width: int, height: int, color: tuple[int, int, int]) -> Raster:
    return Raster.from_rgb(np.full((height, width, 3), color, np.uint8))


def two_boxes() -> Document:
    """A red box at (40, 30) and a blue one at (200, 120), both 80 x 60, on 320 x 240."""
    return Document(
        Size(320, 240),
        (
            Layer(
                "red",
                "Red",
                raster=solid(80, 60, (220, 30, 30)),
                placement=Affine.translation(40, 30),
            ),
            Layer(
                "blue",
                "Blue",
                raster=solid(80, 60, (30, 30, 220)),
                placement=Affine.translation(200, 120),
            ),
        ),
        background=WHITE,
    )


@dataclass
class Stage:
    """A canvas on screen with all that belongs to it."""

    canvas: Canvas
    editor: Editor
    selection: Selection

    def at(self, x: float, y: float) -> QPointF:
        return self.canvas.viewport.to_widget(x, y)

    def send(self, kind: QEvent.Type, x: float, y: float, keys: Qt.KeyboardModifier) -> None:
        point = self.at(x, y)
        button = Qt.MouseButton.LeftButton
        held = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseButtonRelease else button
        which = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else button
        event = QMouseEvent(kind, point, self.canvas.mapToGlobal(point), which, held, keys)
        QApplication.sendEvent(self.canvas, event)

    def drag(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
        *,
        release: bool = True,
    ) -> None:
        """Press at one canvas point, move in four steps, release at another."""
        self.send(QEvent.Type.MouseButtonPress, *start, Qt.KeyboardModifier.NoModifier)
        for share in (0.25, 0.5, 0.75, 1.0):
            x = start[0] + (end[0] - start[0]) * share
            y = start[1] + (end[1] - start[1]) * share
            self.send(QEvent.Type.MouseMove, x, y, keys)
        if release:
            self.send(QEvent.Type.MouseButtonRelease, *end, keys)

    def click(self, x: float, y: float) -> None:
        self.send(QEvent.Type.MouseButtonPress, x, y, Qt.KeyboardModifier.NoModifier)
        self.send(QEvent.Type.MouseButtonRelease, x, y, Qt.KeyboardModifier.NoModifier)

    def key(self, key: Qt.Key, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.canvas, key, keys)

    def placement(self, layer_id: str) -> Affine:
        layer = self.editor.document.find(layer_id)
        assert layer is not None
        return layer.placement

    def pixel(self, x: float, y: float) -> tuple[int, int, int]:
        """The colour at a canvas point as it is on screen, overlays left out."""
        self.canvas.overlays_on = False
        self.canvas.settle()
        color = self.canvas.grab().toImage().pixelColor(self.at(x, y).toPoint())
        self.canvas.overlays_on = True
        return color.red(), color.green(), color.blue()
