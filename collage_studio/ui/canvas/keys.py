"""What keys do on the canvas: nudging, walking the layers, the wipe, Esc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

from collage_studio.ui.canvas.compare import STEP

if TYPE_CHECKING:
    from collage_studio.ui.canvas.canvas import Canvas

_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


def press(canvas: Canvas, event: QKeyEvent) -> bool:
    """Act on a key; False if it means nothing here."""
    key = Qt.Key(event.key())
    if key in _ARROWS:
        return _arrow(canvas, key, event.modifiers())
    if key is Qt.Key.Key_Escape:
        return escape(canvas)
    if key in {Qt.Key.Key_Return, Qt.Key.Key_Enter} and canvas.hand_tool is not None:
        return canvas.hand_tool.finish()
    if key is Qt.Key.Key_Backslash:
        if not event.isAutoRepeat():
            canvas.show_other_side(True)
        return True
    if event.matches(QKeySequence.StandardKey.Paste):
        return canvas.paste()
    return False


def escape(canvas: Canvas) -> bool:
    """Give up the gesture; without one, the selection."""
    if canvas.hand_tool is not None and canvas.hand_tool.cancel():
        canvas.update()
        return True
    if canvas.pointer.cancel():
        canvas.update()
        return True
    if canvas.selection.ids:
        canvas.selection.select([])
        return True
    return False


def walk(canvas: Canvas, forward: bool) -> bool:
    """Select the next layer from the top down; False where the walk ends."""
    ids = [layer.id for layer in canvas.editor.document.walk() if layer.visible]
    ids.reverse()
    if not ids:
        return False
    if canvas.selection.active not in ids:
        following = 0 if forward else len(ids) - 1
    else:
        following = ids.index(canvas.selection.active) + (1 if forward else -1)
    canvas.selection.select([ids[following % len(ids)]])
    return True


def _arrow(canvas: Canvas, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> bool:
    across, down = _ARROWS[key]
    far = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
    if modifiers & (Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ControlModifier):
        return False
    if canvas.view == "compare":
        canvas.wipe_share = min(max(canvas.wipe_share + across * STEP * (5 if far else 1), 0), 1)
        canvas.update()
        return True
    step = 10 if far else 1
    return canvas.pointer.nudge(across * step, down * step)
