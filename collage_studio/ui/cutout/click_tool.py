"""Pick by clicks: a click on the object, Alt-clicks on what is not it; the red shows what goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen

from collage_studio.document.model import Mask, Raster
from collage_studio.ui.canvas import overlays
from collage_studio.ui.canvas.canvas_view import CanvasView
from collage_studio.ui.canvas.viewport import Viewport
from collage_studio.ui.cutout.mask_overlay import Bytes, MaskOverlay
from collage_studio.ui.cutout.pick_tool import BACKDROP_INK, OBJECT_INK
from collage_studio.ui.cutout.segment_process import ClickPoint, SegmentProcess
from collage_studio.ui.cutout.target import Target, give_mask, is_over, target_of

Pair = tuple[str, str]
DOT_PX = 4.5


@dataclass(slots=True)
class _Work:
    """The clicks on one layer, in source px, and what was found by them."""

    layer_id: str
    raster: Raster
    clicks: list[ClickPoint] = field(default_factory=list[ClickPoint])
    found: Bytes | None = None


class ClickTool(QObject):
    """Collects clicks, lets the user's model find the object, makes it an edit.

    Signals:
        changed(): clicks came or went, or an answer did.
        failed(str): why nothing was found, as one sentence.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(
        self, canvas: CanvasView, process: SegmentProcess, pair: Callable[[], Pair | None]
    ) -> None:
        """Args: pair: the encoder and decoder chosen in the preferences; None if there is none."""
        super().__init__(canvas)
        self._canvas, self._process, self._pair = canvas, process, pair
        self._work: _Work | None = None
        self._overlay = MaskOverlay()
        self._opaque: tuple[Raster, Bytes] | None = None
        process.found.connect(self._take)
        process.failed.connect(self._on_failed)

    @property
    def is_drawing(self) -> bool:
        return False

    @property
    def is_busy(self) -> bool:
        """The model works on the clicks."""
        return self._process.is_busy

    @property
    def click_count(self) -> int:
        return len(self._work.clicks) if self._work is not None else 0

    @property
    def can_cut(self) -> bool:
        """An object was found for the clicks as they are."""
        return self._work is not None and self._work.found is not None and not self.is_busy

    def target(self) -> Target | None:
        """The layer to cut out; clicks on another one are forgotten."""
        target = target_of(self._canvas.editor, self._canvas.selection)
        if is_over(self._work, target):
            self._work = None
            self.changed.emit()
        return target

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Add a click; Alt says that this does not belong to the object."""
        target = self.target()
        if target is None or target.layer.raster is None:
            self._canvas.pointer.select_under(at)
            return
        point = self._canvas.viewport.to_canvas(at)
        x, y = target.placed.inverse().apply(point.x(), point.y())
        size = target.layer.raster.size
        if not (0 <= x < size.width and 0 <= y < size.height):
            return
        if self._work is None:
            self._work = _Work(target.layer.id, target.layer.raster)
        is_object = not modifiers & Qt.KeyboardModifier.AltModifier
        self._work.clicks.append((x, y, bool(is_object)))
        self._ask()

    def move(self, at: QPointF) -> None:
        """Nothing is drawn."""

    def release(self, at: QPointF) -> None:
        """The click counted when the button went down."""

    def undo_click(self) -> bool:
        """Take the newest click back; False if there is none."""
        if self._work is None or not self._work.clicks:
            return False
        self._work.clicks.pop()
        self._ask()
        return True

    def clear(self) -> None:
        """Forget all clicks."""
        self._work = None
        self.changed.emit()
        self._canvas.update()

    def cancel(self) -> bool:
        """Forget the clicks; False if there are none."""
        had = self.click_count > 0
        if had:
            self.clear()
        return had

    def finish(self) -> bool:
        """Make what was found the layer's mask."""
        if not self.can_cut:
            return False
        self.cut()
        return True

    def cut(self) -> None:
        """Give the layer what was found as its mask: one edit."""
        work = self._work
        if work is None or work.found is None:
            return
        editor = self._canvas.editor
        layer = editor.document.find(work.layer_id)
        if layer is None or layer.raster is not work.raster:
            return
        editor.seal()
        give_mask(editor, work.layer_id, Mask(work.found), f"Cut out {layer.name}")
        self.clear()

    def _ask(self) -> None:
        work, pair = self._work, self._pair()
        if work is None or pair is None:
            return
        if any(is_object for _, _, is_object in work.clicks):
            self._process.ask(pair, work.raster, work.clicks)
        else:
            work.found = None
        self.changed.emit()
        self._canvas.update()

    def _take(self, raster: Raster, alpha: Bytes) -> None:
        if self._work is not None and raster is self._work.raster:
            self._work.found = alpha
        self.changed.emit()
        self._canvas.update()

    def _on_failed(self, words: str) -> None:
        if self._work is not None:
            self._work.found = None
        self.failed.emit(words)
        self.changed.emit()
        self._canvas.update()

    # Look

    def cursor(self) -> Qt.CursorShape:
        return Qt.CursorShape.CrossCursor

    def hint(self) -> str:
        if self.target() is None:
            return "Click a picture layer to cut something out of it"
        if self.click_count == 0:
            return "Click on the object"
        return "Click adds · Alt-click takes away · Return cuts out · Esc forgets"

    def paint(self, painter: QPainter, view: Viewport) -> None:
        """The red over what would go, the clicks, and what is to be done."""
        target = self.target()
        if target is None:
            return
        work = self._work
        if work is not None and work.found is not None:
            found = work.found
            self._overlay.paint(
                painter, view, target.placed, self._whole(work.raster), found, id(found)
            )
        for x, y, is_object in work.clicks if work is not None else ():
            self._paint_dot(painter, view, target.placed.apply(x, y), is_object=is_object)
        seen = view.canvas_rect().intersected(QRectF(self._canvas.rect()))
        words = "Working it out" if self.is_busy else f"Cut out of {target.layer.name}"
        overlays.badge(painter, seen.left() + 12, seen.top() + 12, words, icon="pick")

    def _paint_dot(
        self, painter: QPainter, view: Viewport, at: tuple[float, float], *, is_object: bool
    ) -> None:
        """A green dot with a plus, or a red one with a minus, ringed to show on any picture."""
        centre = view.to_widget(*at)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(0, 0, 0, 160), 3))
        painter.setBrush(QColor(OBJECT_INK if is_object else BACKDROP_INK))
        painter.drawEllipse(centre, DOT_PX + 2, DOT_PX + 2)
        painter.setPen(QPen(QColor(16, 24, 20), 1.6))
        painter.drawLine(centre - QPointF(3, 0), centre + QPointF(3, 0))
        if is_object:
            painter.drawLine(centre - QPointF(0, 3), centre + QPointF(0, 3))
        painter.restore()

    def _whole(self, raster: Raster) -> Bytes:
        """The layer's alpha, kept while its pixels are the same."""
        if self._opaque is None or self._opaque[0] is not raster:
            from collage_studio.cutout.layers import alpha_of

            self._opaque = (raster, np.ascontiguousarray(alpha_of(raster)))
        return self._opaque[1]
