"""One frame of the canvas widget, from the ground up to the pointer's note."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QRegion

from collage_studio.ui.canvas import badges, compare, dropping, layout_marks, overlays, shots
from collage_studio.ui.canvas.frame import frame_around, frame_of, is_locked
from collage_studio.ui.canvas.hand_tool import HasReach
from collage_studio.ui.canvas.pointer import State
from collage_studio.ui.canvas.scene import Shot
from collage_studio.ui.canvas.viewport import Viewport
from collage_studio.ui.style import tokens

if TYPE_CHECKING:
    from collage_studio.ui.canvas.canvas_view import CanvasView

MARGIN = 12


class Painting:
    """Paints the canvas widget from its state; changes nothing but its own caches."""

    def __init__(self, canvas: CanvasView) -> None:
        self._canvas = canvas
        self.blink_right = False

    def paint(self, region: QRegion) -> None:
        """Paint the part of the widget in `region`."""
        canvas = self._canvas
        painter = QPainter(canvas)
        painter.setClipRegion(region)
        if canvas.is_side_by_side:
            self._paint_side_by_side(painter)
        else:
            self._paint_one(painter, QRectF(region.boundingRect()))
        self._paint_drop(painter)
        painter.end()

    def badge_words(self) -> str:
        """The newest badge of the canvas; empty if it has nothing to say."""
        canvas = self._canvas
        if canvas.preview.is_shown:
            return canvas.preview.badge
        if canvas.view == "result" and not canvas.other_side:
            return badges.variation_words(canvas.editor.document, canvas.scene.result())
        return ""

    def pointer_words(self) -> str:
        """The noise under the pointer and where it comes from, while the map is shown."""
        canvas = self._canvas
        if canvas.pointer_at is None or not canvas.show_noise_map:
            return ""
        at = canvas.viewport.to_canvas(canvas.pointer_at)
        return canvas.noise.reading(at.x(), at.y())

    def _paint_one(self, painter: QPainter, room: QRectF) -> None:
        canvas, view = self._canvas, self._canvas.viewport
        picture = view.canvas_rect()
        paste = tokens.current().color("paste")
        if not picture.contains(room):
            shots.paint_ground(painter, QRectF(canvas.rect()), picture, paste)
        if canvas.scene.shot(0) is None:
            painter.fillRect(picture, paste)
        if not canvas.scene.is_opaque():
            shots.paint_checkerboard(painter, picture)
        if canvas.view == "compare":
            self._paint_compared(painter, picture)
        else:
            self._paint_side(painter, 1 if canvas.other_side else 0, view, heat=True)
            canvas.preview.paint(painter, view)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if canvas.overlays_on and not canvas.preview.hides_overlays:
            self._paint_layers(painter, view)
            if canvas.hand_tool is not None and canvas.view != "compare":
                canvas.hand_tool.paint(painter, view)
        self._paint_labels(painter, picture)

    def _paint_side(
        self, painter: QPainter, index: int, view: Viewport, *, heat: bool = False
    ) -> None:
        shot = self._canvas.scene.shot(index)
        if shot is None:
            return
        painter.save()
        painter.setClipRect(view.canvas_rect(), _intersect())
        shots.paint_shot(painter, shot, view, self._heated(shot) if heat else shot.image)
        painter.restore()

    def _heated(self, shot: Shot) -> QImage:
        canvas = self._canvas
        if not canvas.show_noise_map or shot.view.visible.is_empty:
            return shot.image
        return canvas.noise.image(shot.image, shot.view) or shot.image

    def _paint_compared(self, painter: QPainter, picture: QRectF) -> None:
        canvas = self._canvas
        if canvas.compare_kind == "blink" or canvas.other_side:
            right = self.blink_right or canvas.other_side
            self._paint_side(painter, 1 if right else 0, canvas.viewport)
            return
        x = compare.line_x(picture, canvas.wipe_share)
        for index in (0, 1):
            painter.save()
            painter.setClipRect(shots.clip_between(picture, x, right=index == 1), _intersect())
            self._paint_side(painter, index, canvas.viewport)
            painter.restore()

    def _paint_side_by_side(self, painter: QPainter) -> None:
        canvas = self._canvas
        view, half = canvas.viewport.half(), canvas.width() / 2
        left = view.canvas_rect()
        for index in (0, 1):
            painter.save()
            painter.translate(round(half) * index, 0)
            room = QRectF(0, 0, half + 1, canvas.height())
            shots.paint_ground(painter, room, left, tokens.current().color("paste"))
            if not canvas.scene.is_opaque():
                shots.paint_checkerboard(painter, left)
            self._paint_side(painter, index, view)
            painter.restore()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        names = canvas.scene.compared()
        pictures = (left, left.translated(round(half), 0))
        compare.paint_names(painter, pictures, (names[0].name, names[1].name))

    def _paint_layers(self, painter: QPainter, view: Viewport) -> None:
        """Hover, selection and guides."""
        canvas = self._canvas
        document, ids = canvas.scene.document, canvas.selection.ids
        dragging = canvas.pointer.is_dragging
        if canvas.view == "collage":
            layout_marks.paint(painter, view, document)
        hovered = frame_of(document, canvas.selection.hovered)
        if hovered and canvas.selection.hovered not in ids and not dragging:
            overlays.outline(painter, view, hovered.corners, width=1)
        if len(ids) > 1:
            for one in filter(None, (frame_of(document, i) for i in ids)):
                overlays.outline(painter, view, one.corners, width=1)
        frame = frame_around(document, ids)
        if frame is not None and dragging and len(ids) > 1:
            frame = frame_around(canvas.editor.document, ids)
            frame = frame.moved(canvas.pointer.outcome.map) if frame else None
        if frame is not None and canvas.hand_tool is not None:
            overlays.outline(painter, view, frame.corners, width=1)
        elif frame is not None:
            free = canvas.tool == "move" and not any(is_locked(document, i) for i in ids)
            overlays.selection(painter, view, frame, handles=free and canvas.view != "compare")
        overlays.guides(painter, view, canvas.pointer.outcome.guides)
        band = canvas.pointer.marquee()
        if band is not None:
            overlays.marquee(painter, band)

    def _paint_labels(self, painter: QPainter, picture: QRectF) -> None:
        """Badges, names, legend and the note at the pointer."""
        canvas, room = self._canvas, QRectF(self._canvas.rect())
        seen = picture.intersected(room)
        words = self.badge_words()
        if words:
            overlays.badge(painter, seen.left() + MARGIN, seen.top() + MARGIN, words)
        if canvas.view == "compare":
            self._paint_compare_labels(painter, picture, room)
        elif canvas.show_noise_map and not words:
            from collage_studio.ui.canvas import noise_overlay

            box = noise_overlay.legend_box(picture, room, canvas.pointer_at)
            noise_overlay.paint_legend(painter, box, ready=canvas.noise.is_current)
        if canvas.pointer_at is None:
            return
        if canvas.pointer.state is State.DRAGGING:
            overlays.pointer_note(painter, canvas.pointer_at, canvas.pointer.outcome.note, room)
        elif self.pointer_words():
            tool = canvas.hand_tool
            clear = tool.reach() if isinstance(tool, HasReach) and canvas.overlays_on else 0.0
            words = self.pointer_words()
            overlays.pointer_note(painter, canvas.pointer_at, words, room, clear=clear)

    def _paint_compare_labels(self, painter: QPainter, picture: QRectF, room: QRectF) -> None:
        canvas = self._canvas
        left, right = canvas.scene.compared()
        seen = picture.intersected(room)
        if canvas.compare_kind == "wipe" and not canvas.other_side:
            names = (left.name, right.name)
            compare.paint_wipe(painter, picture, canvas.wipe_share, names, room)
        else:
            name = right.name if self.blink_right or canvas.other_side else left.name
            overlays.badge(painter, seen.left() + MARGIN, seen.top() + MARGIN, name)
        proof = canvas.proof
        if proof and canvas.scene.sides is None:
            top, bar = seen.bottom() - MARGIN - 28, canvas.layer_bar
            if bar.isVisible() and bar.geometry().bottom() > top and bar.x() < seen.left() + 240:
                top = bar.y() - MARGIN - 28
            icon = "same" if proof.startswith("0 px") else "warning"
            overlays.badge(painter, seen.left() + MARGIN, top, proof, icon=icon)

    def _paint_drop(self, painter: QPainter) -> None:
        canvas = self._canvas
        if canvas.drop_count:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            box = QRectF(canvas.rect()).adjusted(12, 12, -12, -12)
            overlays.drop_frame(painter, box, dropping.drop_words(canvas.drop_count))


def _intersect() -> Qt.ClipOperation:
    return Qt.ClipOperation.IntersectClip
