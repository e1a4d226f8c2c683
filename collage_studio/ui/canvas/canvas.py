"""The canvas widget: selects and moves layers by pointer and keys, takes what is dropped."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QEnterEvent,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QWheelEvent,
)

from collage_studio.ui.canvas import compare, cursors, dropping, keys
from collage_studio.ui.canvas.canvas_view import CanvasView


class Canvas(CanvasView):
    """The canvas a person works on: `CanvasView` shows, this class listens.

    Edits go to the editor, choices to the selection, wishes out as signals.
    """

    # Pointer

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.pixelDelta() if not event.pixelDelta().isNull() else event.angleDelta() / 2
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            factor = 1.0015 ** (event.angleDelta().y() or event.angleDelta().x())
            self.zoom_at(self.zoom * factor, event.position())
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.pan(turned.y() or turned.x(), 0)
        else:
            self.pan(turned.x(), turned.y())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        middle = event.button() is Qt.MouseButton.MiddleButton
        left = event.button() is Qt.MouseButton.LeftButton
        if middle or (left and (self._space or self._tool == "hand")):
            self.pointer.start_panning(at)
        elif left and self._tool == "zoom":
            out = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
            self.zoom_at(self.viewport.next_stop(-1 if out else 1), at)
        elif left and self.is_on_wipe(at):
            self._wiping = True
        elif left and self.hand_tool is not None and self._view != "compare":
            self.hand_tool.press(at, event.modifiers())
        elif left and not self.is_side_by_side:
            self.pointer.press(at, event.modifiers())
        self._after_pointer(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pointer_at = event.position()
        self.preview.hides_overlays = False
        if self._wiping:
            self.wipe_share = compare.share_at(self.viewport.canvas_rect(), event.position().x())
        elif self.hand_tool is not None and self.hand_tool.is_drawing:
            self.hand_tool.move(event.position())
        elif event.buttons():
            self.pointer.move(event.position(), event.modifiers())
        else:
            under = self.pointer.under(event.position()) if self._tool == "move" else ()
            self.selection.hover(under[0] if under else "")
        self._after_pointer(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._wiping = False
        if self.hand_tool is not None and self.hand_tool.is_drawing:
            self.hand_tool.release(event.position())
        self.pointer.release(event.position())
        self._after_pointer(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        under = self.pointer.under(event.position())
        if event.button() is Qt.MouseButton.LeftButton and self._tool == "move" and under:
            active = self.selection.active
            self.text_edit_requested.emit(active if active in under else under[0])

    def _after_pointer(self, event: QMouseEvent) -> None:
        cursors.show(self, event.position())
        words = self._painting.pointer_words()
        if words and self.hand_tool is None:
            self.pointer_info.emit(words)
        else:
            self.status_hint.emit(cursors.hint(self, event.position()))
        self._place_floating()
        self.update()

    def is_on_wipe(self, at: QPointF) -> bool:
        """The pointer can take hold of the wipe."""
        wipes = self._view == "compare" and self._compare_kind == "wipe"
        return wipes and compare.is_on_line(self.viewport.canvas_rect(), self.wipe_share, at)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.preview.hides_overlays = False
        self._place_floating()

    def leaveEvent(self, event: QEvent) -> None:
        self.pointer_at = None
        self.selection.hover("")
        self.update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        under = self.pointer.under(QPointF(event.pos()))
        if under and not set(under) & set(self.selection.ids):
            self.selection.select([under[0]])
        self.layer_menu_requested.emit(self.selection.active, event.globalPos())

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab walks the layers instead of leaving, while there are any."""
        return (
            self.window().focusWidget() is self and keys.walk(self, forward)
        ) or super().focusNextPrevChild(forward)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._hold_space(True)
        elif not keys.press(self, event):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.isAutoRepeat():
            return
        if event.key() == Qt.Key.Key_Space:
            self._hold_space(False)
        elif event.key() == Qt.Key.Key_Backslash:
            self.show_other_side(False)
        else:
            super().keyReleaseEvent(event)

    def show_other_side(self, on: bool) -> None:
        """While held: the collage instead of the result, the result instead of the collage."""
        self.other_side = on
        self._refresh()

    def _hold_space(self, on: bool) -> None:
        self._space = on
        cursors.show(self, self.pointer_at or QPointF(-1, -1))

    def paste(self) -> bool:
        """Add what the clipboard holds; True if it held files or a picture."""
        data = QGuiApplication.clipboard().mimeData()
        paths = dropping.files_in(data)
        if paths:
            size = self.editor.document.size
            self.files_dropped.emit(paths, QPointF(size.width / 2, size.height / 2))
        elif data.hasImage():
            self.image_pasted.emit(QGuiApplication.clipboard().image())
        else:
            return False
        return True

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self.drop_count = len(dropping.files_in(event.mimeData()))
        if self.drop_count or event.mimeData().hasImage():
            self.drop_count = max(1, self.drop_count)
            event.acceptProposedAction()
            self.update()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drop_count = 0
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drop_count = 0
        paths = dropping.files_in(event.mimeData())
        if paths:
            self.files_dropped.emit(paths, self.viewport.to_canvas(event.position()))
        elif event.mimeData().hasImage():
            self.image_pasted.emit(event.mimeData().imageData())
        event.acceptProposedAction()
        self.update()
