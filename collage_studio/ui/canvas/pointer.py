"""From mouse buttons to gestures: selecting, dragging, panning, zooming and the wipe."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, Qt

from collage_studio.app.editor import Editor
from collage_studio.app.selection import Selection
from collage_studio.document import edits
from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document
from collage_studio.document.stacking import COPY_OFFSET_PX
from collage_studio.document.tree import outermost
from collage_studio.ui.canvas import hit
from collage_studio.ui.canvas.frame import Point, frame_around, frame_of, is_locked
from collage_studio.ui.canvas.gestures import (
    Gesture,
    Grip,
    Keys,
    Move,
    Outcome,
    Part,
    Rotate,
    Scale,
    grip_at,
)
from collage_studio.ui.canvas.snapping import REACH_PX, Box
from collage_studio.ui.canvas.viewport import Viewport

DRAG_PX = 4.0


class Host(Protocol):
    """What the pointer needs of the canvas."""

    viewport: Viewport
    snap: bool
    click_picks: str

    def show_preview_of(self, document: Document | None) -> None: ...

    def pan(self, dx: float, dy: float) -> None: ...


class State(Enum):
    IDLE = auto()
    PRESSED = auto()
    DRAGGING = auto()
    CATCHING = auto()
    PANNING = auto()


@dataclass(slots=True)
class _Press:
    at: QPointF
    canvas: Point
    grip: Grip
    candidates: tuple[str, ...]
    was_selected: bool
    copies: bool = False


class Pointer:
    """The state of one pointer over the canvas; the canvas forwards its events here."""

    def __init__(self, host: Host, editor: Editor, selection: Selection) -> None:
        self._host = host
        self._editor = editor
        self._selection = selection
        self._press: _Press | None = None
        self._gesture: Gesture | None = None
        self._ids: tuple[str, ...] = ()
        self._source: tuple[str, ...] = ()
        self._copied: Document | None = None
        self._last_click = QPointF(-1e6, -1e6)
        self._last = QPointF()
        self.outcome = Outcome()
        self.state = State.IDLE

    @property
    def is_dragging(self) -> bool:
        """A gesture on layers runs."""
        return self.state is State.DRAGGING

    def movable(self) -> tuple[str, ...]:
        """Selected layers that may be moved."""
        document = self._editor.document
        there = (i for i in self._selection.ids if i != document.background.id)
        return tuple(i for i in there if frame_of(document, i) and not is_locked(document, i))

    def grip(self, at: QPointF) -> Grip:
        """What a press would take hold of."""
        frame = frame_around(self._editor.document, self.movable())
        if frame is None or len(self.movable()) < len(self._selection.ids):
            return Grip()
        return grip_at(frame, self._canvas(at), self._host.viewport.logical_scale)

    def select_under(self, at: QPointF) -> None:
        """Select the topmost layer under a point, if there is one."""
        found = self.under(at)
        if found:
            self._selection.select([found[0]])

    def under(self, at: QPointF) -> tuple[str, ...]:
        """Layers under the pointer, topmost first."""
        point = self._canvas(at)
        groups = self._host.click_picks == "group"
        return hit.layers_at(self._editor.document, *point, groups=groups)

    def start_panning(self, at: QPointF) -> None:
        self.state, self._last = State.PANNING, at

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """The main button went down with the move tool."""
        grip = self.grip(at)
        candidates = self.under(at)
        self._press = _Press(at, self._canvas(at), grip, candidates, False)
        self.state = State.PRESSED
        if grip.part in {Part.HANDLE, Part.ROTATE}:
            return
        if modifiers & Qt.KeyboardModifier.ShiftModifier:
            if candidates:
                self._selection.toggle(candidates[0])
            return
        self._press.copies = bool(modifiers & Qt.KeyboardModifier.AltModifier)
        keeps = bool(modifiers & Qt.KeyboardModifier.ControlModifier) and bool(self.movable())
        if keeps or self._holds_selected(at, candidates):
            self._press.was_selected = True
        elif candidates:
            self._selection.select([candidates[0]])
        else:
            self._selection.select([])

    def move(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """The pointer moved with a button down."""
        if self.state is State.PANNING:
            self._host.pan(at.x() - self._last.x(), at.y() - self._last.y())
            self._last = at
            return
        if self.state is State.PRESSED and self._press is not None:
            if math.hypot(at.x() - self._press.at.x(), at.y() - self._press.at.y()) < DRAG_PX:
                return
            self._begin()
        self._last = at
        if self.state is State.DRAGGING and self._gesture is not None:
            keys = _keys(modifiers)
            if self._source:  # Alt has begun the copy; it does not also switch snapping off
                keys = replace(keys, alt=False)
            self.outcome = self._gesture.at(self._canvas(at), keys)
            document = self._copied or self._editor.document
            shown = edits.transform_layers(document, self._ids, self.outcome.map)
            self._host.show_preview_of(shown)

    def release(self, at: QPointF) -> None:
        """The button went up: a drag becomes one edit, a still click may go one layer deeper."""
        press, state = self._press, self.state
        if state is State.DRAGGING:
            self._commit()
        elif state is State.CATCHING:
            self._selection.select(self._caught())
        elif state is State.PRESSED and press is not None and press.was_selected:
            deeper = hit.pick(press.candidates, self._selection.active)
            if deeper and press.grip.part not in {Part.HANDLE, Part.ROTATE}:
                self._selection.select([deeper])
        if state is State.PRESSED:
            self._last_click = at
        self._reset()

    def cancel(self) -> bool:
        """Put everything back as it was before the press; True if there was something."""
        was = self.state in {State.DRAGGING, State.CATCHING}
        self._reset()
        return was

    def marquee(self) -> QRectF | None:
        """The rubber band in logical px while several layers are being caught."""
        if self.state is not State.CATCHING or self._press is None:
            return None
        return QRectF(self._press.at, self._last).normalized()

    def _holds_selected(self, at: QPointF, candidates: tuple[str, ...]) -> bool:
        """The press is on what is selected: the top layer, or the one cycled to right here."""
        ids = self._selection.ids
        if candidates and candidates[0] in ids:
            return True
        again = (at - self._last_click).manhattanLength() <= DRAG_PX
        return again and any(i in ids for i in candidates)

    def _begin(self) -> None:
        press = self._press
        assert press is not None
        document = self._editor.document
        self._ids = self.movable()
        frame = frame_around(document, self._ids)
        grabs = press.grip.part in {Part.HANDLE, Part.ROTATE}
        if frame is None or not (grabs or press.was_selected or press.candidates):
            self.state = State.CATCHING
            return
        start = press.canvas
        canvas: Box = (0.0, 0.0, float(document.size.width), float(document.size.height))
        reach = REACH_PX / self._host.viewport.logical_scale
        if press.grip.part is Part.HANDLE:
            snaps = canvas if self._host.snap else None
            others = self._others(document)
            self._gesture = Scale(frame, start, press.grip.handle, others, snaps, reach)
        elif press.grip.part is Part.ROTATE:
            self._gesture = Rotate(frame, start)
        else:
            others = self._others(document)
            self._source = self._ids if press.copies else ()
            if self._source:
                self._copied, self._ids = copies_of(document, self._source)
            verb = "Copy" if self._source else "Move"
            self._gesture = Move(frame, start, others, canvas, reach, self._host.snap, verb)
        self.state = State.DRAGGING

    def _others(self, document: Document) -> tuple[Box, ...]:
        """Boxes of visible layers that stay; what covers the canvas says nothing new."""
        moving = set(self._ids)
        boxes: list[Box] = []
        for layer in document.layers:
            if not layer.visible or any(inner.id in moving for inner in layer.walk()):
                continue
            frame = frame_of(document, layer.id)
            if frame is not None:
                boxes.append(frame.box)
        return tuple(boxes)

    def _commit(self) -> None:
        if self._gesture is None:
            return
        done, ids, source = self.outcome.map, self._ids, self._source
        label = f"{self._gesture.verb} {name_of(self._editor.document, source or ids)}"
        self._gesture = None
        self.state = State.IDLE
        self._host.show_preview_of(None)
        self._editor.seal()
        if source:
            copied, ids = copies_of(self._editor.document, source)
            self._editor.apply(lambda _document: edits.transform_layers(copied, ids, done), label)
            self._selection.select(ids)
        else:
            self._editor.apply(lambda d: edits.transform_layers(d, ids, done), label)

    def _caught(self) -> tuple[str, ...]:
        band = self.marquee()
        if band is None:
            return ()
        left, top = self._canvas(band.topLeft())
        right, bottom = self._canvas(band.bottomRight())
        document, found = self._editor.document, list[str]()
        for layer in document.layers:
            frame = frame_of(document, layer.id)
            if frame is None or not layer.visible or layer.locked:
                continue
            box = frame.box
            if left <= box[0] and top <= box[1] and right >= box[2] and bottom >= box[3]:
                found.append(layer.id)
        return tuple(found)

    def _reset(self) -> None:
        showed = self.state is State.DRAGGING
        self._press = self._gesture = self._copied = None
        self._source = ()
        self.outcome = Outcome()
        self.state = State.IDLE
        if showed:
            self._host.show_preview_of(None)

    def _canvas(self, at: QPointF) -> Point:
        point = self._host.viewport.to_canvas(at)
        return point.x(), point.y()

    def nudge(self, dx: float, dy: float) -> bool:
        """Move the selection by canvas px; steps in a row are one edit."""
        ids = self.movable()
        if not ids:
            return False
        self._editor.apply(
            lambda d: edits.transform_layers(d, ids, Affine.translation(dx, dy)),
            f"Move {name_of(self._editor.document, ids)}",
            merge=f"nudge {ids}",
        )
        return True


def copies_of(document: Document, ids: tuple[str, ...]) -> tuple[Document, tuple[str, ...]]:
    """The document with a copy right on top of each layer, and the copies' ids."""
    before = {layer.id for layer in document.walk()}
    copied = edits.duplicate_layers(document, ids)
    new = [layer.id for layer in copied.walk() if layer.id not in before]
    outer = tuple(node.layer.id for node in outermost(copied, new))
    back = Affine.translation(-COPY_OFFSET_PX, -COPY_OFFSET_PX)
    return edits.transform_layers(copied, outer, back), outer


def name_of(document: Document, ids: tuple[str, ...]) -> str:
    """The layer's name, or "3 layers"."""
    layer = document.find(ids[0]) if len(ids) == 1 else None
    return layer.name if layer is not None else f"{len(ids)} layers"


def _keys(modifiers: Qt.KeyboardModifier) -> Keys:
    return Keys(
        shift=bool(modifiers & Qt.KeyboardModifier.ShiftModifier),
        alt=bool(modifiers & Qt.KeyboardModifier.AltModifier),
    )
