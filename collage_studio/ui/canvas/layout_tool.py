"""The tool that draws layout layers: a box by dragging, a free shape with Alt."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPen, QPolygonF

from collage_studio.app.editor import Editor
from collage_studio.document.geometry import Rect
from collage_studio.document.layouts import box_layer, layout_layer
from collage_studio.document.model import Layer, LayerKind, Mask
from collage_studio.ui.canvas.viewport import Viewport
from collage_studio.ui.style import tokens

_SMALLEST_PX = 4


class LayoutTool:
    """A `HandTool`; `made` gets each finished layer, which has no text yet."""

    def __init__(
        self,
        editor: Editor,
        viewport: Callable[[], Viewport],
        update: Callable[[], None],
        made: Callable[[Layer], None],
    ) -> None:
        self._editor, self._viewport, self._update, self._made = editor, viewport, update, made
        self._points = list[QPointF]()
        self._is_free = False

    @property
    def is_drawing(self) -> bool:
        """The button is down and a shape grows."""
        return bool(self._points)

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Begin a shape."""
        self._is_free = bool(modifiers & Qt.KeyboardModifier.AltModifier)
        self._points = [at, at]

    def move(self, at: QPointF) -> None:
        """Let the shape follow the pointer."""
        if self._is_free:
            self._points.append(at)
        else:
            self._points[1] = at
        self._update()

    def release(self, at: QPointF) -> None:
        """Finish the shape; one too small to be meant is dropped."""
        self.move(at)
        layer = self._layer()
        self._points = []
        self._update()
        if layer is not None:
            self._made(layer)

    def cancel(self) -> bool:
        """Drop the shape that is being drawn."""
        was_drawing, self._points = self.is_drawing, []
        self._update()
        return was_drawing

    def finish(self) -> bool:
        """Nothing waits for Return."""
        return False

    def cursor(self) -> Qt.CursorShape:
        """The pointer's shape."""
        return Qt.CursorShape.CrossCursor

    def hint(self) -> str:
        """One line for the status bar."""
        return "Drag draws a box for a text · Alt draws a free shape · Esc drops it"

    def paint(self, painter: QPainter, view: Viewport) -> None:
        """Paint the shape so far."""
        if not self._points:
            return
        theme = tokens.current()
        painter.setPen(QPen(theme.color("on_picture"), 1.5, Qt.PenStyle.DashLine))
        painter.setBrush(theme.color("on_picture", 0.16))
        painter.drawPolygon(QPolygonF(self._outline()))

    def _outline(self) -> list[QPointF]:
        if self._is_free:
            return self._points
        first, last = self._points[0], self._points[-1]
        return [first, QPointF(last.x(), first.y()), last, QPointF(first.x(), last.y())]

    def _layer(self) -> Layer | None:
        """The layer of the shape on the canvas; None where it is too small or beside it."""
        view, document = self._viewport(), self._editor.document
        corners = [view.to_canvas(point) for point in self._outline()]
        points = np.array([(point.x(), point.y()) for point in corners])
        box = Rect(
            *np.floor(points.min(axis=0)).astype(int).tolist(),
            *np.ceil(points.max(axis=0)).astype(int).tolist(),
        ).intersect(Rect.of_size(document.size))
        if min(box.width, box.height) < _SMALLEST_PX:
            return None
        name = f"Box {1 + sum(one.kind is LayerKind.LAYOUT for one in document.walk())}"
        if not self._is_free:
            return box_layer(box, name=name)
        shape = np.zeros((box.height, box.width), np.uint8)
        polygon = np.rint(points - (box.left, box.top)).astype(np.int32)
        cv2.fillPoly(shape, [polygon], 255)
        return layout_layer(Mask(shape), (box.left, box.top), name=name.replace("Box", "Shape"))
