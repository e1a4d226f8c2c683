"""Which cursor and which hint belong to the place the pointer is at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt

from collage_studio.ui.canvas.frame import Frame, Point, frame_around
from collage_studio.ui.canvas.gestures import Part
from collage_studio.ui.canvas.pointer import State

if TYPE_CHECKING:
    from collage_studio.ui.canvas.canvas import Canvas

_RESIZE = (
    Qt.CursorShape.SizeHorCursor,
    Qt.CursorShape.SizeFDiagCursor,
    Qt.CursorShape.SizeVerCursor,
    Qt.CursorShape.SizeBDiagCursor,
)


def show(canvas: Canvas, at: QPointF) -> None:
    """Give the canvas the fitting cursor."""
    shape = _shape(canvas, at)
    if canvas.cursor().shape() is not shape:
        canvas.setCursor(shape)


def _shape(canvas: Canvas, at: QPointF) -> Qt.CursorShape:
    if canvas.pointer.state is State.PANNING:
        return Qt.CursorShape.ClosedHandCursor
    if canvas.is_space_held or canvas.tool == "hand":
        return Qt.CursorShape.OpenHandCursor
    if canvas.tool == "zoom":
        return Qt.CursorShape.CrossCursor
    if canvas.hand_tool is not None and canvas.view != "compare":
        return canvas.hand_tool.cursor()
    if canvas.pointer.is_dragging:
        return canvas.cursor().shape()
    if canvas.is_on_wipe(at):
        return Qt.CursorShape.SplitHCursor
    grip = canvas.pointer.grip(at)
    frame = frame_around(canvas.editor.document, canvas.pointer.movable())
    if grip.part is Part.HANDLE and frame is not None:
        return _resize_shape(frame, grip.handle)
    if grip.part is Part.ROTATE:
        return Qt.CursorShape.PointingHandCursor
    return Qt.CursorShape.ArrowCursor


def _resize_shape(frame: Frame, handle: Point) -> Qt.CursorShape:
    """The arrow that points from the frame's middle to the handle."""
    middle, at = frame.centre, frame.at(*handle)
    angle = math.degrees(math.atan2(at[1] - middle[1], at[0] - middle[0]))
    if 0.5 not in handle:
        # Corners of a flat frame still read as diagonals.
        tilt = math.degrees(math.atan2(frame.map.d, frame.map.a))
        angle = tilt + (45.0 if (handle[0] - 0.5) * (handle[1] - 0.5) > 0 else -45.0)
    return _RESIZE[round(angle / 45.0) % 4]


def hint(canvas: Canvas, at: QPointF) -> str:
    """One line for the status bar: what pointer and keys do now."""
    if canvas.pointer.is_dragging:
        return "Alt turns snapping off · Shift keeps the axis · Esc puts it back"
    if canvas.view == "compare":
        return "Drag the line · Y leaves Compare · \\ held shows the other side"
    if canvas.preview.is_shown:
        return "Go on editing: this run works on the document as it was"
    if canvas.hand_tool is not None:
        return canvas.hand_tool.hint()
    if canvas.tool == "hand":
        return "Drag moves the view · Ctrl+wheel zooms"
    if canvas.tool == "zoom":
        return "Click comes nearer · Alt-click goes back"
    match canvas.pointer.grip(at).part:
        case Part.HANDLE:
            return "Drag scales · Shift keeps the proportion · Alt from the centre"
        case Part.ROTATE:
            return "Drag turns · Shift in steps of 15°"
        case Part.INSIDE:
            return "Drag moves · Alt-drag copies · Click again goes one layer deeper"
        case _:
            return "Click selects · Shift-click adds · Space moves the view"
