"""What floats over the canvas: the bar under the selected layers and the badge of stale ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF

from collage_studio.ui.canvas import badges
from collage_studio.ui.canvas.compare import knob_box
from collage_studio.ui.canvas.frame import frame_around
from collage_studio.ui.canvas.layer_bar import LayerBar
from collage_studio.ui.canvas.pointer import State

if TYPE_CHECKING:
    from collage_studio.ui.canvas.canvas_view import CanvasView

_MARGIN, _BELOW_BADGE = 12, 40


class Floating:
    """The two widgets; they follow selection, view and gestures of their canvas."""

    def __init__(self, view: CanvasView) -> None:
        self._view = view
        self.layer_bar = LayerBar(view.editor, view)
        self.stale_badge = badges.StaleBadge(view)
        self.layer_bar.reroll_requested.connect(view.reroll_requested)
        self.layer_bar.menu_requested.connect(view.layer_menu_requested)
        self.stale_badge.harmonise_clicked.connect(view.harmonise_requested)

    def place(self, *, has_badge: bool) -> None:
        """Show, hide and move them after what holds now.

        Args:
            has_badge: another badge lies in the corner of the picture.
        """
        view = self._view
        quiet = view.pointer.state in {State.DRAGGING, State.PANNING, State.CATCHING}
        shown = view.overlays_on and not quiet and not view.preview.hides_overlays
        self._place_bar(shown and view.has_layer_bar)
        self._place_badge(shown, has_badge)

    def _place_bar(self, shown: bool) -> None:
        view = self._view
        frame = frame_around(view.editor.document, view.selection.ids)
        shown = shown and view.tool == "move" and not view.show_noise_map
        if shown and frame is not None:
            left, top, right, bottom = frame.box
            box = QRectF(view.viewport.to_widget(left, top), view.viewport.to_widget(right, bottom))
            self.layer_bar.show_layers(view.editor.document, view.selection.ids)
            self.layer_bar.place(box, QRectF(view.rect()), self._knob())
        self.layer_bar.setVisible(shown and frame is not None and not view.is_side_by_side)

    def _knob(self) -> QRectF | None:
        """The wipe's knob, if there is one."""
        view = self._view
        if view.view != "compare" or view.compare_kind != "wipe":
            return None
        return knob_box(view.viewport.canvas_rect(), view.wipe_share, QRectF(view.rect()))

    def _place_badge(self, shown: bool, has_badge: bool) -> None:
        view = self._view
        stale = view.scene.stale_layers() if view.view == "result" else {}
        words = badges.stale_words(view.scene.document, stale)
        speaks = shown and not view.preview.is_shown and not view.show_noise_map
        self.stale_badge.show_words(words if speaks else "", several=len(stale) > 1)
        at = view.viewport.canvas_rect().intersected(QRectF(view.rect())).topLeft()
        below = _BELOW_BADGE if has_badge else 0
        self.stale_badge.move(round(at.x()) + _MARGIN, round(at.y()) + _MARGIN + below)
