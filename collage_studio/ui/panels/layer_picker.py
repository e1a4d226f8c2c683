"""The list of layers that @ opens in the caption."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QListWidget, QListWidgetItem, QWidget

from collage_studio.app.editor import Editor
from collage_studio.ui.widgets.basics import listen
from collage_studio.ui.widgets.popover import SHADOW, Popover
from collage_studio.ui.widgets.thumbs import layer_thumb


class LayerPicker(Popover):
    """Type to narrow, arrows to choose, Return to take; Esc leaves."""

    picked = Signal(str)

    def __init__(self, window: QWidget, editor: Editor) -> None:
        super().__init__(window, "Layers for the caption", 260)
        self._editor = editor
        self._field = QLineEdit()
        self._field.setPlaceholderText("Layer")
        self._field.setAccessibleName("Find a layer")
        self._list = QListWidget()
        self._list.setIconSize(QSize(20, 20))
        self._list.setFixedHeight(200)
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.body.setContentsMargins(SHADOW + 8, SHADOW + 8, SHADOW + 8, SHADOW + 8)
        self.body.setSpacing(6)
        self.body.addWidget(self._field)
        self.body.addWidget(self._list)
        self._field.textChanged.connect(self._fill)
        self._field.returnPressed.connect(self._take)
        listen(self._list.itemClicked, lambda _item: self._take())

    def open_over(self, anchor: QWidget, place: QPoint) -> None:
        """Open with its lower left corner at a global point."""
        self._field.clear()
        self._fill()
        self.open_at(anchor, above=True)
        window = self.parentWidget()
        if window is not None:
            local = window.mapFromGlobal(place)
            left = min(max(local.x() - SHADOW, 0), window.width() - self.width())
            self.move(left, max(local.y() - self.height() + SHADOW - 4, 0))
        self._field.setFocus(Qt.FocusReason.PopupFocusReason)

    def _fill(self) -> None:
        words = self._field.text().strip().casefold()
        self._list.clear()
        document = self._editor.document
        for layer in (*reversed(tuple(document.walk())), document.background):
            shown = layer.text.strip() or layer.name
            if words in f"{layer.name} {layer.text}".casefold():
                thumb = layer_thumb(layer, 20, self.devicePixelRatioF())
                item = QListWidgetItem(QIcon(thumb), shown)
                item.setData(Qt.ItemDataRole.UserRole, layer.id)
                self._list.addItem(item)
        self._list.setCurrentRow(0)

    def _take(self) -> None:
        item = self._list.currentItem()
        if self._list.count():
            self.close_popover()
            self.picked.emit(str(item.data(Qt.ItemDataRole.UserRole)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}
        way = steps.get(Qt.Key(event.key()), 0)
        if way:
            row = min(max(self._list.currentRow() + way, 0), self._list.count() - 1)
            self._list.setCurrentRow(row)
        else:
            super().keyPressEvent(event)
