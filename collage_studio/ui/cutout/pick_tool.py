"""Pick: strokes on the object and around it; the red shows at once what would go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter

from collage_studio.document.geometry import Affine
from collage_studio.document.model import Mask, Raster
from collage_studio.ui.canvas import overlays
from collage_studio.ui.canvas.canvas_view import CanvasView
from collage_studio.ui.canvas.viewport import Viewport
from collage_studio.ui.cutout.brush_tool import paint_line
from collage_studio.ui.cutout.mask_overlay import Bytes, MaskOverlay
from collage_studio.ui.cutout.target import Target, give_mask, is_over, target_of

if TYPE_CHECKING:
    from collage_studio.cutout.scribbles import Scribble

_T = TypeVar("_T")
STROKE_PX = 10.0
"""Width of a stroke on screen, logical px."""
OBJECT_INK, BACKDROP_INK = QColor("#84D294"), QColor("#FF8A7D")


@dataclass(slots=True)
class _Stroke:
    points: list[tuple[float, float]]
    """In source px, so that they stay on the layer when it moves."""
    is_object: bool
    width: float


@dataclass(slots=True)
class _Work:
    """The strokes on one layer and what was found by them."""

    layer_id: str
    raster: Raster
    strokes: list[_Stroke] = field(default_factory=list[_Stroke])
    kept: Bytes | None = None
    alpha: Bytes | None = None


class PickTool(QObject):
    """Collects strokes, lets them be worked out beside the main thread, makes the cut an edit.

    Signals:
        changed(): strokes came or went, or work began or ended.
        failed(str): why nothing could be cut out, as one sentence.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, canvas: CanvasView) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self.draws_object = True
        self._work: _Work | None = None
        self._drawn: _Stroke | None = None
        self._overlay = MaskOverlay()
        self._running = 0
        self._wanted = False

    @property
    def is_drawing(self) -> bool:
        return self._drawn is not None

    @property
    def is_busy(self) -> bool:
        """Strokes are being worked out or the cut is being made."""
        return self._running > 0

    @property
    def stroke_count(self) -> int:
        return len(self._work.strokes) if self._work is not None else 0

    @property
    def can_cut(self) -> bool:
        """There is a stroke on the object."""
        return self._work is not None and any(s.is_object for s in self._work.strokes)

    def target(self) -> Target | None:
        """The layer to cut out; strokes on another one are forgotten."""
        target = target_of(self._canvas.editor, self._canvas.selection)
        if is_over(self._work, target):
            self._work = None
            self.changed.emit()
        return target

    # Strokes

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Begin a stroke; Alt draws the other kind."""
        target = self.target()
        if target is None:
            self._canvas.pointer.select_under(at)
            return
        other = bool(modifiers & Qt.KeyboardModifier.AltModifier)
        scale = self._canvas.viewport.logical_scale * abs(target.placed.determinant) ** 0.5
        width = max(1.0, STROKE_PX / max(scale, 1e-6))
        self._drawn = _Stroke([self._source(target, at)], self.draws_object is not other, width)
        self._canvas.update()

    def move(self, at: QPointF) -> None:
        """Go on with the stroke."""
        target = self.target()
        if self._drawn is not None and target is not None:
            self._drawn.points.append(self._source(target, at))
            self._canvas.update()

    def release(self, at: QPointF) -> None:
        """Take the stroke in and work out what it means."""
        stroke, self._drawn = self._drawn, None
        target = self.target()
        if stroke is None or target is None or target.layer.raster is None:
            return
        if self._work is None:
            self._work = _Work(target.layer.id, target.layer.raster)
        self._work.strokes.append(stroke)
        self.changed.emit()
        self._select()

    def undo_stroke(self) -> bool:
        """Take the newest stroke back; False if there is none."""
        if self._work is None or not self._work.strokes:
            return False
        self._work.strokes.pop()
        if not self.can_cut:
            self._work.kept = None
        self.changed.emit()
        self._select()
        self._canvas.update()
        return True

    def clear(self) -> None:
        """Forget all strokes."""
        self._work = None
        self.changed.emit()
        self._canvas.update()

    def cancel(self) -> bool:
        """The stroke in progress, else all strokes."""
        if self._drawn is not None:
            self._drawn = None
            return True
        had = self.stroke_count > 0
        if had:
            self.clear()
        return had

    def finish(self) -> bool:
        """Cut out what the strokes mean."""
        if not self.can_cut:
            return False
        self.cut()
        return True

    # Work

    def _scribbles(self) -> list[Scribble]:
        from collage_studio.cutout.scribbles import Scribble

        strokes = self._work.strokes if self._work is not None else []
        return [Scribble(tuple(s.points), s.is_object, s.width) for s in strokes]

    def _select(self) -> None:
        """Work the strokes out; while that runs, only the newest wish is kept."""
        work = self._work
        if work is None or not self.can_cut:
            return
        if self.is_busy:
            self._wanted = True
            return
        from collage_studio.cutout.layers import alpha_of, picture_of
        from collage_studio.cutout.scribbles import select

        raster, scribbles = work.raster, self._scribbles()

        def find() -> tuple[Bytes, Bytes]:
            kept = select(picture_of(raster), scribbles)
            shape = kept.shape[::-1]
            alpha = cv2.resize(alpha_of(raster), shape, interpolation=cv2.INTER_AREA)
            return kept.astype(np.uint8) * np.uint8(255), alpha.astype(np.uint8)

        self._run(find, lambda found: self._take(work, found))

    def _take(self, work: _Work, found: tuple[Bytes, Bytes]) -> None:
        if work is self._work:
            work.kept, work.alpha = found
        if self._wanted:
            self._wanted = False
            self._select()
        self._canvas.update()

    def cut(self) -> None:
        """Find the fine edge and give it to the layer as its mask: one edit."""
        work = self._work
        if work is None or not self.can_cut or self.is_busy:
            return
        from collage_studio.cutout.layers import as_mask, picture_of
        from collage_studio.cutout.scribbles import cut_out

        raster, scribbles = work.raster, self._scribbles()
        self._run(
            lambda: as_mask(cut_out(picture_of(raster), scribbles)),
            lambda mask: self._give(work, mask),
        )

    def _give(self, work: _Work, mask: Mask) -> None:
        editor = self._canvas.editor
        layer = editor.document.find(work.layer_id)
        if layer is None or layer.raster is not work.raster:
            return
        editor.seal()
        give_mask(editor, work.layer_id, mask, f"Cut out {layer.name}")
        self.clear()

    def _run(self, find: Callable[[], _T], then: Callable[[_T], None]) -> None:
        """Do `find` beside the main thread; what cannot be cut out is said as a sentence."""
        from collage_studio.cutout.scribbles import CutoutError

        def safely() -> _T | CutoutError:
            try:
                return find()
            except CutoutError as error:
                return error

        def arrived(outcome: _T | CutoutError) -> None:
            self._running -= 1
            if isinstance(outcome, CutoutError):
                self.failed.emit(str(outcome))
            else:
                then(outcome)
            self.changed.emit()

        self._running += 1
        self.changed.emit()
        self._canvas.background.submit(safely, arrived)

    # Look

    def cursor(self) -> Qt.CursorShape:
        return Qt.CursorShape.CrossCursor

    def hint(self) -> str:
        if self.target() is None:
            return "Click a picture layer to cut something out of it"
        if not self.can_cut:
            return "Draw a stroke on the object, from one end to the other"
        return "Around it goes a backdrop stroke: X or Alt · Return cuts out · Esc forgets"

    def paint(self, painter: QPainter, view: Viewport) -> None:
        """The strokes, the red over what would go, and what is to be done."""
        target = self.target()
        if target is None:
            return
        work = self._work
        if work is not None and work.kept is not None and work.alpha is not None:
            height, width = work.kept.shape
            size = work.raster.size
            small = Affine.scaling(size.width / width, size.height / height)
            placed = target.placed.after(small)
            self._overlay.paint(painter, view, placed, work.alpha, work.kept, id(work.kept))
        strokes = [*(work.strokes if work is not None else ()), self._drawn]
        for stroke in strokes:
            if stroke is not None:
                self._paint_stroke(painter, view, target, stroke)
        seen = view.canvas_rect().intersected(QRectF(self._canvas.rect()))
        words = "Working it out" if self.is_busy else f"Cut out of {target.layer.name}"
        overlays.badge(painter, seen.left() + 12, seen.top() + 12, words, icon="pick")

    def _paint_stroke(
        self, painter: QPainter, view: Viewport, target: Target, stroke: _Stroke
    ) -> None:
        ink = QColor(OBJECT_INK if stroke.is_object else BACKDROP_INK)
        points = [target.placed.apply(*point) for point in stroke.points]
        if len(points) == 1:
            points.append((points[0][0] + 0.01, points[0][1]))
        paint_line(painter, view, points, ink, 3.0)

    def _source(self, target: Target, at: QPointF) -> tuple[float, float]:
        point = self._canvas.viewport.to_canvas(at)
        return target.placed.inverse().apply(point.x(), point.y())
