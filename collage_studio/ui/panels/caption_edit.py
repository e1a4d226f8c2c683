"""The caption as a text field with chips; typing becomes edits of the document."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMimeData, QPoint, QRect, QSignalBlocker, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import QLineEdit, QTextEdit, QWidget

from collage_studio.app.editor import Changed, Editor
from collage_studio.app.selection import Selection
from collage_studio.document import edits
from collage_studio.document.model import Caption, LayerRef
from collage_studio.ui import layer_edits
from collage_studio.ui.panels.chips import CHIP_TYPE, OBJECT, ChipPainter, chip_format, layer_id_of
from collage_studio.ui.widgets.fields import leaves_undo_to_window

CAPTION_TIP = "Caption: What the whole picture shows. @ puts in a layer."


class CaptionEdit(QTextEdit):
    """Shows `document.caption`; `picker_requested(point)` when @ asks for a layer."""

    picker_requested = Signal(QPoint)

    def __init__(self, editor: Editor, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editor, self._selection = editor, selection
        self._shown: Caption | None = None
        self._field: QLineEdit | None = None
        self._set_up()
        self._chips = ChipPainter(self, lambda: editor.document, self._lit)
        self.document().documentLayout().registerHandler(CHIP_TYPE, self._chips)
        self._subscriptions = [
            editor.changed.subscribe(self._on_changed),
            selection.changed.subscribe(lambda ids: self._repaint()),
            selection.hover_changed.subscribe(lambda layer_id: self._repaint()),
        ]
        self._texts: tuple[str, ...] = ()
        self.textChanged.connect(self._take_text)
        self._show_document()

    def _set_up(self) -> None:
        self.setAcceptRichText(False)
        self.setUndoRedoEnabled(False)
        self.setTabChangesFocus(True)
        self.setMouseTracking(True)
        self.setAccessibleName("Caption")
        self.setPlaceholderText("What the whole picture shows. @ puts in a layer.")
        self.setToolTip(CAPTION_TIP)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(2)

    def _repaint(self) -> None:
        """Not before it is shown: PySide takes 35 ms when it is asked for a viewport first."""
        if self.isVisible():
            self.viewport().update()

    def enterEvent(self, event: QEnterEvent) -> None:
        self.viewport().setMouseTracking(True)
        super().enterEvent(event)

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        for subscription in self._subscriptions:
            subscription.close()

    # From the document

    def _on_changed(self, change: Changed) -> None:
        if change.changes_collage:
            self._show_document()

    def _show_document(self) -> None:
        document = self._editor.document
        texts = tuple(self._chips.words(i) for i in document.caption.layer_ids)
        if document.caption != self._shown:
            self._rebuild(document.caption)
        elif texts != self._texts:
            whole = self.document()
            whole.markContentsDirty(0, whole.characterCount())
        self._texts = texts
        self._repaint()

    def _rebuild(self, caption: Caption) -> None:
        place = self.textCursor().position()
        with QSignalBlocker(self):
            self.clear()
            cursor = self.textCursor()
            for part in caption.parts:
                if isinstance(part, LayerRef):
                    cursor.insertText(OBJECT, chip_format(part.layer_id))
                else:
                    cursor.insertText(part, QTextCharFormat())
            cursor.setPosition(min(place, self.document().characterCount() - 1))
            self.setTextCursor(cursor)
        self._shown = caption

    def _lit(self, layer_id: str) -> str:
        cursor = self.textCursor()
        if cursor.hasSelection() and cursor.selectedText() == OBJECT:
            probe = QTextCursor(cursor)
            probe.setPosition(cursor.selectionEnd())
            if layer_id_of(probe.charFormat()) == layer_id:
                return "marked"
        if layer_id in self._selection.ids:
            return "selected"
        return "hovered" if layer_id == self._selection.hovered else ""

    # To the document

    def caption(self) -> Caption:
        """What the field says now."""
        parts: list[str | LayerRef] = []
        block = self.document().begin()
        while block.isValid():
            if parts:
                parts.append(" ")
            iterator = block.begin()
            while not iterator.atEnd():
                fragment = iterator.fragment()
                layer_id = layer_id_of(fragment.charFormat())
                if layer_id:
                    parts += [LayerRef(layer_id) for char in fragment.text() if char == OBJECT]
                else:
                    parts.append(fragment.text().replace(OBJECT, ""))
                iterator += 1
            block = block.next()
        return Caption(_joined(parts))

    def _take_text(self) -> None:
        caption = self.caption()
        if caption == self._editor.document.caption:
            return
        self._shown = caption
        self._editor.apply(
            lambda document: edits.set_caption(document, caption), "Caption", merge="caption"
        )

    def insert_chip(self, layer_id: str) -> None:
        """Put a layer's chip where the cursor is, with the spaces it needs."""
        cursor = self.textCursor()
        before = self._char_at(cursor.position() - 1)
        cursor.beginEditBlock()
        if before and not before.isspace():
            cursor.insertText(" ", QTextCharFormat())
        cursor.insertText(OBJECT, chip_format(layer_id))
        after = self._char_at(cursor.position())
        if not after.isspace() and after not in {",", "."}:
            cursor.insertText(" ", QTextCharFormat())
        cursor.endEditBlock()
        self.setTextCursor(cursor)
        self.setCurrentCharFormat(QTextCharFormat())

    def insertFromMimeData(self, source: QMimeData) -> None:
        self.textCursor().insertText(source.text().replace(OBJECT, ""), QTextCharFormat())

    def _char_at(self, position: int) -> str:
        text = self.document().characterAt(position) if position >= 0 else ""
        return "" if text in {"\u2029", "\0"} else text

    # Chips under the pointer

    def chip_at(self, place: QPoint) -> tuple[str, QRect]:
        """Layer id and rectangle of the chip at a viewport point; "" if there is none."""
        position = self.cursorForPosition(place).position()
        for candidate in (position, position - 1):
            if self._char_at(candidate) == OBJECT:
                layer_id, box = self._chip_box(candidate)
                if box.contains(place):
                    return layer_id, box
        return "", QRect()

    def _chip_box(self, position: int) -> tuple[str, QRect]:
        cursor = self.textCursor()
        cursor.setPosition(position)
        start = self.cursorRect(cursor)
        cursor.setPosition(position + 1)
        end = self.cursorRect(cursor)
        right = end.left() if end.top() == start.top() else self.viewport().width()
        return layer_id_of(cursor.charFormat()), QRect(
            start.left(), start.top(), right - start.left(), start.height()
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        layer_id, _box = self.chip_at(event.position().toPoint())
        if layer_id and self._editor.document.find(layer_id) is not None:
            self._selection.select((layer_id,))
            event.accept()
            return
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        layer_id, box = self.chip_at(event.position().toPoint())
        if layer_id:
            self._edit_chip(layer_id, box)
        else:
            super().mouseDoubleClickEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        layer_id, _box = self.chip_at(event.position().toPoint())
        self._selection.hover(layer_id)
        shape = Qt.CursorShape.ArrowCursor if layer_id else Qt.CursorShape.IBeamCursor
        self.viewport().setCursor(shape)
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._selection.hover("")
        super().leaveEvent(event)

    def _edit_chip(self, layer_id: str, box: QRect) -> None:
        layer = self._editor.document.find(layer_id)
        if layer is None:
            return
        field = QLineEdit(layer.text, self.viewport())
        field.setAccessibleName(f"Text of {layer.name}")
        field.setGeometry(box.left(), box.top(), max(box.width() + 40, 160), box.height() + 2)
        field.returnPressed.connect(self.setFocus)
        field.editingFinished.connect(lambda: self._leave_chip(layer_id))
        self._field = field
        field.show()
        field.selectAll()
        field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _leave_chip(self, layer_id: str) -> None:
        field, self._field = self._field, None
        if field is None:
            return
        field.hide()
        field.deleteLater()
        layer_edits.set_text(self._editor, (layer_id,), field.text())
        self._editor.seal()

    # Keys

    def event(self, event: QEvent) -> bool:
        return False if leaves_undo_to_window(event) else super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.text() == "@":
            self.picker_requested.emit(self.viewport().mapToGlobal(self.cursorRect().topLeft()))
            return
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            event.ignore()
            return
        if event.key() == Qt.Key.Key_Backspace and self._mark_chip_before():
            return
        if event.key() == Qt.Key.Key_Escape:
            event.ignore()
            return
        if not self.textCursor().hasSelection():
            self.setCurrentCharFormat(QTextCharFormat())
        super().keyPressEvent(event)

    def _mark_chip_before(self) -> bool:
        cursor = self.textCursor()
        if cursor.hasSelection() or self._char_at(cursor.position() - 1) != OBJECT:
            return False
        cursor.movePosition(
            QTextCursor.MoveOperation.PreviousCharacter, QTextCursor.MoveMode.KeepAnchor
        )
        self.setTextCursor(cursor)
        self.viewport().update()
        return True

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._editor.seal()


def _joined(parts: list[str | LayerRef]) -> tuple[str | LayerRef, ...]:
    """Neighbouring texts become one; empty ones go."""
    joined: list[str | LayerRef] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)
