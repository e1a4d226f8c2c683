"""What the canvas widget shows: collage, results, comparison, preview and all that floats on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPoint, QPointF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from collage_studio.app.editor import Changed, Editor
from collage_studio.app.selection import Selection
from collage_studio.document.announcer import Subscription
from collage_studio.document.geometry import Rect
from collage_studio.document.model import Document, Variation
from collage_studio.ui.background import Background
from collage_studio.ui.canvas.compare import Side
from collage_studio.ui.canvas.floating import Floating
from collage_studio.ui.canvas.painting import Painting
from collage_studio.ui.canvas.pointer import Pointer, State
from collage_studio.ui.canvas.preview import Preview
from collage_studio.ui.canvas.scene import Scene
from collage_studio.ui.canvas.viewport import Viewport

if TYPE_CHECKING:
    from collage_studio.ui.canvas.hand_tool import HandTool
    from collage_studio.ui.canvas.noise_overlay import NoiseOverlay

REFINE_AFTER_MS = 120
SLICE_MS = 8.0
FIRST_SLICE_MS = 150.0
"""A canvas that has shown nothing yet waits this long: a window does not open empty."""
BLINK_MS = 600
ViewName = Literal["collage", "result", "compare"]
CompareKind = Literal["wipe", "side", "blink"]
ToolName = Literal[
    "move", "hand", "zoom", "pick", "brush", "eraser", "lasso", "noise", "layout", "crop"
]


class CanvasView(QWidget):
    """Paints one document. State flows in from editor and selection, out through edits.

    Signals:
        files_dropped(list[Path], QPointF): where on the canvas, in canvas px.
        image_pasted(QImage): a bare picture came from the clipboard or a drop.
        pointer_info(str): noise and layer under the pointer, while the noise map is shown.
        status_hint(str): what pointer and keys can do now, otherwise.
    """

    zoom_changed = Signal(float)
    files_dropped = Signal(list, QPointF)
    image_pasted = Signal(object)
    text_edit_requested = Signal(str)
    reroll_requested = Signal(str)
    harmonise_requested = Signal()
    layer_menu_requested = Signal(str, QPoint)
    status_hint = Signal(str)
    pointer_info = Signal(str)
    view_changed = Signal(str)
    tool_changed = Signal(str)

    def __init__(self, editor: Editor, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.editor = editor
        self.selection = selection
        self.background = Background(self)
        self.scene = Scene(editor.document, self.background)
        self.preview = Preview()
        self.viewport = Viewport(editor.document.size, 800, 600)
        self.pointer = Pointer(self, editor, selection)
        self._floating = Floating(self)
        self.layer_bar, self.stale_badge = self._floating.layer_bar, self._floating.stale_badge
        self.snap = True
        self.click_picks = "layer"
        self._overlays_on = self._has_layer_bar = True
        self.pointer_at: QPointF | None = None
        self.drop_count = 0
        self.wipe_share = 0.5
        self.other_side = False
        self._tool: ToolName = "move"
        self.hand_tool: HandTool | None = None
        self._view: ViewName = "collage"
        self._proof = ""
        self._compare_kind: CompareKind = "wipe"
        self._noise_shown = False
        self._fits = True
        self._wiping = self._space = self._waits = False
        self._painting = Painting(self)
        self._subscriptions: list[Subscription] = [
            editor.changed.subscribe(self._on_changed),
            selection.changed.subscribe(lambda _ids: self._on_selection()),
            selection.hover_changed.subscribe(lambda _id: self.update()),
        ]
        self._timers()
        self._connect()

    def _timers(self) -> None:
        self._refine_timer = QTimer(self, singleShot=True, interval=REFINE_AFTER_MS)
        self._refine_timer.timeout.connect(self._refine)
        self._continue_timer = QTimer(self, singleShot=True, interval=0)
        self._continue_timer.timeout.connect(self.update)
        self._blink_timer = QTimer(self, interval=BLINK_MS)
        self._blink_timer.timeout.connect(self._blink)

    def _connect(self) -> None:
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Canvas")
        self.destroyed.connect(_closer(self._subscriptions, self.background.close))

    def release(self) -> None:
        """Give up subscriptions and wait for work beside the main thread; may be called twice."""
        for subscription in self._subscriptions:
            subscription.close()
        self._refine_timer.stop()
        self._blink_timer.stop()
        self.background.close()

    @cached_property
    def noise(self) -> NoiseOverlay:
        """The noise map; made when it is first shown."""
        from collage_studio.ui.canvas.noise_overlay import NoiseOverlay

        return NoiseOverlay(self.background, self.update)

    # What is shown

    @property
    def tool(self) -> ToolName:
        return self._tool

    @tool.setter
    def tool(self, name: ToolName) -> None:
        self._tool = name
        self.tool_changed.emit(name)
        self._refresh()

    @property
    def view(self) -> ViewName:
        return self._view

    @view.setter
    def view(self, name: ViewName) -> None:
        if name != self._view:
            self._view = name
            self._show_blink()
            self.view_changed.emit(name)
            self._refresh()

    @property
    def compare_kind(self) -> CompareKind:
        return self._compare_kind

    @compare_kind.setter
    def compare_kind(self, kind: CompareKind) -> None:
        self._compare_kind = kind
        self._show_blink()
        self._refresh()

    @property
    def show_noise_map(self) -> bool:
        return self._noise_shown

    @show_noise_map.setter
    def show_noise_map(self, on: bool) -> None:
        self._noise_shown = on
        self._refresh()

    @property
    def overlays_on(self) -> bool:
        """Selection, guides and the layer bar are drawn."""
        return self._overlays_on

    @overlays_on.setter
    def overlays_on(self, on: bool) -> None:
        self._overlays_on = on
        self._refresh()

    @property
    def has_layer_bar(self) -> bool:
        """The bar under the selection is shown."""
        return self._has_layer_bar

    @has_layer_bar.setter
    def has_layer_bar(self, on: bool) -> None:
        if on != self._has_layer_bar:
            self._has_layer_bar = on
            self._place_floating()

    @property
    def zoom(self) -> float:
        """Device px per picture px; 1 is 100 %."""
        return self.viewport.scale

    @property
    def is_space_held(self) -> bool:
        return self._space

    def show_preview(
        self,
        picture: npt.NDArray[np.uint8] | None,
        box: Rect | None = None,
        progress: float = 0.0,
        badge: str = "",
    ) -> None:
        """Show a run's newest frame, (h, w, 3) uint8 of any size, over `box` of the canvas.

        None ends it. After an edit the document stays in sight until the next run.
        """
        goes_on = self.preview.take(picture, box, progress, badge) and not self.is_side_by_side
        self.update(self.preview.area(self.viewport)) if goes_on else self._refresh()

    def show_variation(self, variation: Variation | None) -> None:
        """Show a variation that is not accepted; None goes back to the accepted one."""
        self.scene.shown = variation
        if variation is not None and self._view == "collage":
            self.view = "result"
        self._refresh()

    @property
    def proof(self) -> str:
        """What was counted about the two sides of Compare; empty while nothing is known."""
        return self._proof

    @proof.setter
    def proof(self, words: str) -> None:
        if words != self._proof:
            self._proof = words
            self.update()

    def set_compare_sides(self, left: Side | None, right: Side | None) -> None:
        """What Compare shows; None for both chooses the last step's before and after."""
        self.scene.sides = (left, right) if left is not None and right is not None else None
        self._refresh()

    def show_preview_of(self, document: Document | None) -> None:
        """Show a gesture's outcome; None shows the document itself."""
        self.scene.preview(document)
        self._refresh()

    # Zoom

    def zoom_fit(self) -> None:
        """The whole picture, and keep it fitted while the window changes."""
        self._look(self.viewport.fitted())
        self._fits = True

    def zoom_to(self, scale: float) -> None:
        """1.0 = one picture px per device px; the middle stays."""
        self._look(self.viewport.zoomed(scale, QPointF(self.rect().center())))

    def zoom_in(self) -> None:
        self.zoom_to(self.viewport.next_stop(+1))

    def zoom_out(self) -> None:
        self.zoom_to(self.viewport.next_stop(-1))

    def zoom_at(self, scale: float, at: QPointF) -> None:
        """Zoom so that the point under `at` (widget px) stays."""
        self._look(self.viewport.zoomed(scale, at))

    def pan(self, dx: float, dy: float) -> None:
        """Move the picture by logical px."""
        self._look(self.viewport.panned(dx, dy))

    def _look(self, viewport: Viewport) -> None:
        zoomed = viewport.scale != self.viewport.scale
        self.viewport = viewport
        self._fits = False
        if zoomed:
            self.zoom_changed.emit(viewport.scale)
        self._refresh()

    # Keeping up

    def settle(self) -> None:
        """Finish drawing now, without slices; for grabs and exports of the view."""
        self._tell_scene()
        self._waits = False
        for index in self._used_renderers():
            while not self.scene.work(index, 1000.0):
                pass
        self.update()

    @property
    def is_settled(self) -> bool:
        """Everything is drawn in its final quality."""
        return not (self.background.is_busy or self.scene.has_coarse())

    def _refresh(self) -> None:
        """Show state again after any change."""
        self._tell_scene()
        if self._noise_shown and not self.pointer.is_dragging:
            self.noise.request(self.editor.document)
        self._place_floating()
        self._refine_timer.start()
        self.update()

    def _tell_scene(self) -> None:
        if self.is_side_by_side:
            self.scene.show("compare", self.viewport.half())
            return
        self.scene.show(self._view, self.viewport)
        if self.other_side and self._view != "compare":
            self.scene.show_other(self.viewport)

    def _used_renderers(self) -> tuple[int, ...]:
        return (0, 1) if self._view == "compare" or self.other_side else (0,)

    def _refine(self) -> None:
        if self.pointer.state is not State.IDLE or self.background.is_busy:
            self._refine_timer.start()
        else:
            self.scene.refine(self._on_refined)

    def _on_refined(self) -> None:
        self.update()
        if not self._refine_timer.isActive():
            self._refine()

    def _on_changed(self, changed: Changed) -> None:
        self.preview.dismiss_after(changed.before, changed.after)
        self.scene.set_document(changed.after)
        there = {v.id for v in changed.after.variations}
        if self.scene.shown is not None and self.scene.shown.id not in there:
            self.scene.shown = None
        elif not changed.changes_collage and changed.before.accepted is changed.after.accepted:
            return  # a variation that came or went is not what the canvas shows
        if changed.before.size != changed.after.size:
            self.viewport = self.viewport.with_canvas(changed.after.size).fitted()
            self.zoom_changed.emit(self.zoom)
        self._refresh()

    def _on_selection(self) -> None:
        self._place_floating()
        self.update()

    def _place_floating(self) -> None:
        self._floating.place(has_badge=bool(self._painting.badge_words()))

    @property
    def is_side_by_side(self) -> bool:
        """Compare shows its two pictures beside each other."""
        return self._view == "compare" and self._compare_kind == "side"

    def _show_blink(self) -> None:
        blinks = self._view == "compare" and self._compare_kind == "blink"
        (self._blink_timer.start if blinks else self._blink_timer.stop)()
        self._painting.blink_right = False

    def _blink(self) -> None:
        self._painting.blink_right = not self._painting.blink_right
        self.update()

    # Events

    def sizeHint(self) -> QSize:
        return QSize(1060, 608)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._waits:
            # A new size means that all around is painted too: the picture follows a moment later.
            self._waits, ready = False, [False]
        else:
            budget = SLICE_MS if self.scene.shot(0) is not None else FIRST_SLICE_MS
            ready = [self.scene.work(index, budget) for index in self._used_renderers()]
        self._painting.paint(event.region())
        if not all(ready):
            self._continue_timer.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        ratio = self.devicePixelRatioF()
        width, height = round(self.width() * ratio), round(self.height() * ratio)
        before = self.zoom
        resized = self.viewport.resized(max(1, width), max(1, height), ratio)
        self.viewport = resized.fitted() if self._fits else resized
        if before != self.zoom:
            self.zoom_changed.emit(self.zoom)
        self._refresh()
        self._waits = self.isVisible() and self.scene.shot(0) is not None

    def closeEvent(self, event: QCloseEvent) -> None:
        self.release()
        super().closeEvent(event)


def _closer(subscriptions: list[Subscription], close: Callable[[], None]) -> Callable[..., None]:
    """What must happen when the widget is destroyed without having been closed."""

    def run(*_: object) -> None:
        for subscription in subscriptions:
            subscription.close()
        close()

    return run
