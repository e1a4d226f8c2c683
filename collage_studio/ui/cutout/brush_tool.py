"""Mask brush, eraser and lasso: strokes on the canvas become edits of the layer's mask."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from collage_studio.cutout.brush import LassoMode, MaskStroke, fill_lasso
from collage_studio.cutout.layers import alpha_of, as_mask, mask_of
from collage_studio.document import edits
from collage_studio.document.geometry import Rect
from collage_studio.document.model import Mask
from collage_studio.ui.canvas import overlays
from collage_studio.ui.canvas.canvas_view import CanvasView
from collage_studio.ui.canvas.viewport import Viewport
from collage_studio.ui.cutout.mask_overlay import Bytes, MaskOverlay
from collage_studio.ui.cutout.target import Target, give_mask, target_of
from collage_studio.ui.style import tokens

LIVE_PIXELS = 2_500_000
"""Larger layers show only the red while a stroke runs; their picture follows on release."""
LIVE_SECONDS = 0.05
NOTHING = Rect(0, 0, 0, 0)
HALO = QColor(0, 0, 0, 150)


@dataclass(slots=True)
class Brush:
    """What the options strip sets; `size` in canvas px across, the rest in [0, 1]."""

    size: float = 34.0
    hardness: float = 0.7
    flow: float = 1.0
    adds: bool = True
    lasso: LassoMode = LassoMode.ONLY


class MaskTool:
    """What brush and lasso share: the layer, the red, the badge and the commit."""

    def __init__(self, canvas: CanvasView, brush: Brush, red_shown: Callable[[], bool]) -> None:
        self.canvas, self.brush, self._red_shown = canvas, brush, red_shown
        self._overlay = MaskOverlay()
        self._alpha: tuple[object, Bytes] | None = None
        self._whole: Bytes | None = None

    def target(self) -> Target | None:
        """The layer to paint on."""
        return target_of(self.canvas.editor, self.canvas.selection)

    def commit(self, target: Target, mask: Mask, verb: str, box: Rect | None = None) -> None:
        """Make the finished mask one edit; `box` holds all that differs, in source px."""
        editor = self.canvas.editor
        self.canvas.show_preview_of(None)
        if box is not None:
            after = replace(target.layer, mask=mask, mask_enabled=True)
            self.canvas.scene.patch(target.layer, after, box)
        editor.seal()
        give_mask(editor, target.layer.id, mask, f"{verb} {target.layer.name}")

    def alpha(self, target: Target) -> Bytes:
        """The layer's own alpha, kept while its pixels are the same."""
        raster = target.layer.raster
        assert raster is not None
        if self._alpha is None or self._alpha[0] is not raster:
            self._alpha = (raster, alpha_of(raster))
        return self._alpha[1]

    def paint_red(self, painter: QPainter, view: Viewport, mask: Bytes, version: object) -> None:
        """Red over the hidden parts, and which mask this is."""
        target = self.target()
        if target is None:
            return
        if self._red_shown():
            alpha = self.alpha(target)
            self._overlay.paint(painter, view, target.placed, alpha, mask, version)
        seen = view.canvas_rect().intersected(QRectF(self.canvas.rect()))
        words = f"Mask of {target.layer.name}"
        overlays.badge(painter, seen.left() + 12, seen.top() + 12, words, icon="mask")

    def update_red(self, target: Target, mask: Bytes, box: Rect) -> None:
        """The mask changed in a box of source px."""
        view = self.canvas.viewport
        self._overlay.update(view, target.placed, self.alpha(target), mask, box)


class BrushTool(MaskTool):
    """A round brush that adds to the mask or takes away."""

    def __init__(self, canvas: CanvasView, brush: Brush, red_shown: Callable[[], bool]) -> None:
        super().__init__(canvas, brush, red_shown)
        self._stroke: MaskStroke | None = None
        self._target: Target | None = None
        self._shown_at = 0.0
        self._touched = NOTHING

    @property
    def is_drawing(self) -> bool:
        return self._stroke is not None

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Begin a stroke; on a layer that has no mask to paint on, take the one below."""
        target = self.target()
        if target is None:
            self.canvas.pointer.select_under(at)
            return
        brush = self.brush
        adds = brush.adds is not bool(modifiers & Qt.KeyboardModifier.AltModifier)
        self._target = target
        self._stroke = MaskStroke(
            mask_of(target.layer),
            target.placed,
            radius=brush.size / 2,
            hardness=brush.hardness,
            flow=brush.flow,
            adds=adds,
        )
        self._shown_at, self._touched = time.monotonic(), NOTHING
        self.move(at)

    def move(self, at: QPointF) -> None:
        """Go on to this point."""
        stroke, target = self._stroke, self._target
        if stroke is None or target is None:
            return
        point = self.canvas.viewport.to_canvas(at)
        box = stroke.move_to(point.x(), point.y())
        self._touched = self._touched.union(box)
        self.update_red(target, stroke.values, box)
        self._show_live(stroke, target)
        self.canvas.update()

    def _show_live(self, stroke: MaskStroke, target: Target) -> None:
        now = time.monotonic()
        if stroke.values.size > LIVE_PIXELS or now - self._shown_at < LIVE_SECONDS:
            return
        self._shown_at = now
        mask = as_mask(stroke.values.copy())
        document = self.canvas.editor.document
        self.canvas.show_preview_of(
            edits.change_layer(document, target.layer.id, mask=mask, mask_enabled=True)
        )

    def release(self, at: QPointF) -> None:
        """The stroke becomes an edit."""
        stroke, target = self._stroke, self._target
        self._stroke = self._target = None
        if stroke is not None and target is not None:
            verb = "Paint mask of" if self.brush.adds else "Erase"
            self.commit(target, as_mask(stroke.finished()), verb, self._touched)

    def cancel(self) -> bool:
        """Forget the stroke."""
        was = self._stroke is not None
        self._stroke = self._target = None
        if was:
            self._overlay.forget()
            self.canvas.show_preview_of(None)
        return was

    def finish(self) -> bool:
        """Strokes are taken in at once: nothing is left to do."""
        return False

    def cursor(self) -> Qt.CursorShape:
        return Qt.CursorShape.BlankCursor

    def hint(self) -> str:
        if self.target() is None:
            return "Click a picture layer to paint its mask"
        return "X swaps add and remove · [ ] size · O hides the red · Alt does the opposite"

    def paint(self, painter: QPainter, view: Viewport) -> None:
        """The red and the brush's ring."""
        target = self.target()
        if target is not None:
            stroke = self._stroke
            mask = stroke.values if stroke is not None else self._mask(target)
            version: object = id(stroke) if stroke is not None else id(target.layer.mask)
            if target.layer.mask is not None or stroke is not None:
                self.paint_red(painter, view, mask, version)
            else:
                self.paint_red(painter, view, mask, "whole")
        at = self.canvas.pointer_at
        if at is not None:
            radius = max(1.5, self.brush.size / 2 * view.logical_scale)
            paint_ring(painter, at, radius, adds=self.brush.adds)

    def _mask(self, target: Target) -> Bytes:
        if target.layer.mask is not None:
            return target.layer.mask.values
        assert target.layer.raster is not None
        shape = target.layer.raster.size.shape
        if self._whole is None or self._whole.shape != shape:
            self._whole = mask_of(target.layer)
        return self._whole


class LassoTool(BrushTool):
    """A free line around a part; on release the part is kept, added or taken away."""

    def __init__(self, canvas: CanvasView, brush: Brush, red_shown: Callable[[], bool]) -> None:
        super().__init__(canvas, brush, red_shown)
        self._points: list[tuple[float, float]] = []

    @property
    def is_drawing(self) -> bool:
        return bool(self._points)

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Begin the line."""
        if self.target() is None:
            self.canvas.pointer.select_under(at)
            return
        point = self.canvas.viewport.to_canvas(at)
        self._points = [(point.x(), point.y())]

    def move(self, at: QPointF) -> None:
        """Go on with the line."""
        if self._points:
            point = self.canvas.viewport.to_canvas(at)
            self._points.append((point.x(), point.y()))
            self.canvas.update()

    def release(self, at: QPointF) -> None:
        """Close the line; the part inside becomes an edit."""
        points, self._points = self._points, []
        target = self.target()
        if target is None or len(points) < 3:
            self.canvas.update()
            return
        filled = fill_lasso(mask_of(target.layer), target.placed, points, self.brush.lasso)
        self.commit(target, as_mask(filled), "Lasso")

    def cancel(self) -> bool:
        """Forget the line."""
        was, self._points = bool(self._points), []
        return was

    def cursor(self) -> Qt.CursorShape:
        return Qt.CursorShape.CrossCursor

    def hint(self) -> str:
        if self.target() is None:
            return "Click a picture layer to change its mask"
        return "Draw around a part and let go · O hides the red · Esc forgets the line"

    def paint(self, painter: QPainter, view: Viewport) -> None:
        """The red and the line so far."""
        target = self.target()
        if target is not None:
            mask = self._mask(target)
            version: object = id(target.layer.mask) if target.layer.mask is not None else "whole"
            self.paint_red(painter, view, mask, version)
        if len(self._points) > 1:
            paint_line(painter, view, self._points, tokens.current().color("on_picture"), 1.5)


def paint_ring(painter: QPainter, at: QPointF, radius: float, *, adds: bool | None) -> None:
    """The brush: 1.25 px white on 3 px black, with a sign for what it does; None for no sign."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for color, width in ((HALO, 3.0), (QColor("white"), 1.25)):
        painter.setPen(QPen(color, width))
        painter.drawEllipse(at, radius, radius)
        if radius >= 8 and adds is not None:
            painter.drawLine(at - QPointF(3, 0), at + QPointF(3, 0))
            if adds:
                painter.drawLine(at - QPointF(0, 3), at + QPointF(0, 3))


def paint_line(
    painter: QPainter,
    view: Viewport,
    points: list[tuple[float, float]],
    color: QColor,
    width: float,
) -> None:
    """A line through canvas points over a dark halo."""
    path = QPainterPath(view.to_widget(*points[0]))
    for point in points[1:]:
        path.lineTo(view.to_widget(*point))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for ink, thick in ((HALO, width + 2.0), (color, width)):
        pen = QPen(ink, thick)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.drawPath(path)
