"""The noise brush: strokes on the canvas become painted noise of the selected layer.

While a stroke runs, the noise map of the document as it would be is made beside the main thread
and shown when it arrives: what is seen is always the map that the sampler would get.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QPainter

from collage_studio.cutout.layers import alpha_of, outline_of
from collage_studio.cutout.noise_brush import NoiseStroke, PaintMode, value_of
from collage_studio.document.model import Document, Layer, LayerKind, NextState, Raster
from collage_studio.document.noise_map import run_layers
from collage_studio.document.noise_paint import is_paintable, set_paint
from collage_studio.document.tree import Node, find_node
from collage_studio.ui.canvas.canvas_view import CanvasView
from collage_studio.ui.canvas.viewport import Viewport
from collage_studio.ui.cutout.brush_tool import LIVE_PIXELS, paint_line, paint_ring
from collage_studio.ui.cutout.target import Target
from collage_studio.ui.style import tokens

LIVE_MS = 100
_WORK_SHARE = 4
"""The window has at least three times as long for itself as the live strokes take."""
_RING_GAP_PX = 4.0
_OPPOSITE = {PaintMode.RAISE: PaintMode.LOWER, PaintMode.LOWER: PaintMode.RAISE}
_SIGNS = {PaintMode.SET: None, PaintMode.RAISE: True, PaintMode.LOWER: False}


@dataclass(slots=True)
class NoiseBrush:
    """What the options strip sets; `size` in canvas px across, the rest in [0, 1].

    Raise and Lower go a part of the way with each stroke, Set goes all of it.
    """

    mode: PaintMode = PaintMode.SET
    noise: float = 0.6
    size: float = 60.0
    hardness: float = 0.2
    flows: dict[PaintMode, float] = field(
        default_factory=lambda: {
            PaintMode.SET: 1.0,
            PaintMode.RAISE: 0.25,
            PaintMode.LOWER: 0.25,
        }
    )

    @property
    def flow(self) -> float:
        """How far one stroke goes in the mode that is on."""
        return self.flows[self.mode]

    @flow.setter
    def flow(self, value: float) -> None:
        self.flows[self.mode] = value


class NoiseTool:
    """A `HandTool` that paints noise; `picked` is called when Alt took a value off the map."""

    def __init__(self, canvas: CanvasView, brush: NoiseBrush) -> None:
        self._canvas, self.brush = canvas, brush
        self.picked = _nobody
        self._stroke: NoiseStroke | None = None
        self._points: list[tuple[float, float]] = []
        self._last: tuple[str, tuple[float, float]] | None = None
        self._timer = QTimer(canvas, singleShot=True, interval=LIVE_MS)
        self._timer.timeout.connect(self._show_live)

    @property
    def is_drawing(self) -> bool:
        return self._stroke is not None

    def target(self) -> Target | None:
        """The layer to paint on: the active one if it is seen, free and has pixels."""
        node = self._node()
        if node is None or not _can_take_paint(node):
            return None
        return Target(node.layer, node.outer.after(node.layer.placement))

    def _node(self) -> Node | None:
        return find_node(self._canvas.editor.document, self._canvas.selection.active)

    # Pointer

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Begin a stroke, with Shift where the last one ended; Alt picks the noise under it.

        Where the selected layer cannot be painted, the layer below the pointer is selected.
        """
        if modifiers & Qt.KeyboardModifier.AltModifier:
            self._pick(at)
            return
        target = self.target()
        if target is None:
            self._canvas.pointer.select_under(at)
            return
        brush, layer = self.brush, target.layer
        self._points = []
        self._stroke = NoiseStroke(
            layer,
            target.placed,
            value=value_of(brush.mode, brush.noise),
            radius=brush.size / 2,
            hardness=brush.hardness,
            flow=brush.flow,
        )
        straight = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        if straight and self._last is not None and self._last[0] == layer.id:
            self._go_to(self._last[1])
        self.move(at)

    def _pick(self, at: QPointF) -> None:
        point = self._canvas.viewport.to_canvas(at)
        value = self._canvas.noise.value_at(point.x(), point.y())
        if value is not None:
            self.brush.noise, self.brush.mode = round(value, 2), PaintMode.SET
            self.picked()

    def move(self, at: QPointF) -> None:
        """Go on to this point."""
        if self._stroke is None:
            return
        point = self._canvas.viewport.to_canvas(at)
        self._go_to((point.x(), point.y()))
        if self._is_live and not self._timer.isActive():
            self._timer.start()
        self._canvas.update()

    def _go_to(self, point: tuple[float, float]) -> None:
        assert self._stroke is not None
        self._stroke.move_to(*point)
        self._points.append(point)

    def release(self, at: QPointF) -> None:
        """The stroke becomes an edit; one beside all that is seen of the layer is dropped."""
        stroke, points = self._stroke, self._points
        self._end()
        if stroke is None:
            return
        editor, layer = self._canvas.editor, stroke.layer
        paint = stroke.painted()
        if not _still_fits(editor.document, stroke) or not _is_seen(layer, paint):
            self._show_map()
            return
        if points:
            self._last = (layer.id, points[-1])
        editor.seal()
        editor.apply(lambda d: set_paint(d, layer.id, paint), f"Paint noise of {layer.name}")
        editor.seal()

    def swap(self) -> None:
        """Raise becomes Lower and back; Set stays."""
        brush = self.brush
        brush.mode = _OPPOSITE.get(brush.mode, brush.mode)

    def cancel(self) -> bool:
        """Forget the stroke and show the document's own map again."""
        was = self._stroke is not None
        self._end()
        if was:
            self._show_map()
        return was

    def finish(self) -> bool:
        """Strokes are taken in at once: nothing is left to do."""
        return False

    def _end(self) -> None:
        self._stroke, self._points = None, []
        self._timer.stop()

    # Live

    @property
    def _is_live(self) -> bool:
        """Larger layers show their stroke as a line; their map follows on release."""
        stroke = self._stroke
        return (
            stroke is not None
            and stroke.layer.raster is not None
            and (stroke.layer.raster.size.width * stroke.layer.raster.size.height <= LIVE_PIXELS)
        )

    def _show_live(self) -> None:
        """Ask for the map with the stroke as far as it went; of several the newest is made."""
        stroke, noise = self._stroke, self._canvas.noise
        if stroke is None or not self._canvas.show_noise_map:
            return
        document, began = self._canvas.editor.document, time.monotonic()
        if _still_fits(document, stroke):
            noise.request(set_paint(document, stroke.layer.id, stroke.painted()))
        took = 1000 * (time.monotonic() - began)
        self._timer.setInterval(max(LIVE_MS, round(_WORK_SHARE * took)))

    def _show_map(self) -> None:
        if self._canvas.show_noise_map:
            self._canvas.noise.request(self._canvas.editor.document)
        self._canvas.update()

    # What it shows

    def reach(self) -> float:
        """Radius of the ring in logical px; 0 where none is shown."""
        if self.target() is None:
            return 0.0
        return max(1.5, self.brush.size / 2 * self._canvas.viewport.logical_scale)

    def cursor(self) -> Qt.CursorShape:
        if self.target() is None:
            return Qt.CursorShape.PointingHandCursor
        seen = self._canvas.overlays_on
        return Qt.CursorShape.BlankCursor if seen else Qt.CursorShape.CrossCursor

    def hint(self) -> str:
        node = self._node()
        if node is None or not is_paintable(node.layer):
            return "Click a picture layer to paint its noise"
        document, chain = self._canvas.editor.document, (*node.path, node.layer)
        if any(layer.locked for layer in chain):
            return f"{node.layer.name} is locked: unlock it to paint its noise"
        if not all(layer.visible for layer in chain):
            return f"{node.layer.name} is hidden: show it to paint its noise"
        if any(group.state is NextState.KEEP for group in node.path):
            return f"The group of {node.layer.name} is kept: what you paint waits until it runs"
        marked = run_layers(document)
        if marked and not any(layer.id in marked for layer in chain):
            return "Only layers marked re-roll run now: what you paint here waits"
        if not node.layer.may_change:
            return "Paint lets this kept layer change here; the rest of it stays"
        return (
            "[ and ] change the size · Alt picks the noise under the brush · Shift draws straight"
        )

    def paint(self, painter: QPainter, view: Viewport) -> None:
        """The brush's ring with the place where it has half its strength."""
        if self._stroke is not None and not self._is_live and len(self._points) > 1:
            ink = tokens.noise_color(self._stroke.value)
            paint_line(painter, view, self._points, ink, 3.0)
        at, radius = self._canvas.pointer_at, self.reach()
        if at is None or radius <= 0:
            return
        paint_ring(painter, at, radius, adds=_SIGNS[self.brush.mode])
        half = radius * (1 + self.brush.hardness) / 2
        if radius - half >= _RING_GAP_PX and half >= 2 * _RING_GAP_PX:
            paint_ring(painter, at, half, adds=None)


def _nobody() -> None:
    """Nobody listens."""


def _can_take_paint(node: Node) -> bool:
    layer, chain = node.layer, (*node.path, node.layer)
    return (
        layer.kind in {LayerKind.PICTURE, LayerKind.LAYOUT}
        and is_paintable(layer)
        and all(one.visible and not one.locked for one in chain)
    )


def _is_seen(layer: Layer, paint: Raster) -> bool:
    """The paint differs from the layer's own where something of the layer is seen."""
    before = layer.noise_paint
    if layer.raster is None or paint is before:
        return False
    seen = outline_of(layer)
    if layer.kind is LayerKind.PICTURE:
        seen = np.minimum(seen, alpha_of(layer.raster))
    if before is None:
        return bool((paint.pixels[..., 3] > 0)[seen > 0].any())
    return bool((paint.pixels != before.pixels)[seen > 0].any())


def _still_fits(document: Document, stroke: NoiseStroke) -> bool:
    """The layer is there, with the pixels and the paint that the stroke began on."""
    layer, before = document.find(stroke.layer.id), stroke.layer
    return (
        layer is not None
        and layer.raster is before.raster
        and layer.noise_paint is before.noise_paint
    )
