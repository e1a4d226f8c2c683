"""Find: every action by name, with its key, and the list of all keys."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QWidget

from collage_studio.app.actions import ACTIONS, Action, find_actions
from collage_studio.ui.style.icons import icon
from collage_studio.ui.widgets.basics import Label, listen
from collage_studio.ui.widgets.popover import SHADOW, Popover


class FindPopover(Popover):
    """Type, choose with the arrows, Return runs it. What cannot run says why."""

    def __init__(
        self,
        window: QWidget,
        qt_action: Callable[[str], QAction | None],
        reason: Callable[[Action], str],
    ) -> None:
        super().__init__(window, "Find", 440)
        self._qt_action, self._reason = qt_action, reason
        self._only_keys = False
        self._field = QLineEdit()
        self._field.setPlaceholderText("Find an action")
        self._field.setAccessibleName("Find an action")
        self._field.setFixedHeight(32)
        self._list = QListWidget()
        self._list.setFixedHeight(320)
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        edge = SHADOW + 8
        self.body.setContentsMargins(edge, edge, edge, edge)
        self.body.setSpacing(6)
        self.body.addWidget(self._field)
        self.body.addWidget(self._list)
        listen(self._field.textChanged, lambda _text: self._fill())
        self._field.returnPressed.connect(self._take)
        listen(self._list.itemClicked, lambda _item: self._take())

    def open_all(self, anchor: QWidget, *, only_keys: bool = False) -> None:
        """Open; with `only_keys` it lists what has a shortcut."""
        self._only_keys = only_keys
        self.open_at(anchor)
        self._field.setFocus(Qt.FocusReason.PopupFocusReason)

    def prepare(self) -> None:
        """Begin with everything."""
        self._field.clear()
        self._fill()

    def _fill(self) -> None:
        self._list.clear()
        words = self._field.text().strip()
        for action in find_actions(words) if words else ACTIONS:
            if self._qt_action(action.id) is None or (self._only_keys and not action.shortcut):
                continue
            self._add(action)
        self._list.setCurrentRow(0)

    def _add(self, action: Action) -> None:
        reason = self._reason(action)
        item = QListWidgetItem()
        item.setData(Qt.ItemDataRole.UserRole, action.id)
        item.setToolTip(reason or action.tooltip)
        self._list.addItem(item)
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(8, 0, 8, 0)
        token = "disabled" if reason else "t2"
        picture = Label()
        picture.setFixedWidth(20)
        if action.icon:
            name = {"flip": "flip-horizontal"}.get(action.icon, action.icon)
            picture.setPixmap(icon(name, token).pixmap(16, 16))
        line.addWidget(picture)
        line.addWidget(Label(action.label.rstrip("…"), "" if not reason else "hint"))
        line.addWidget(Label(reason or action.menu.replace("/", " · "), "hint"), 1)
        keys = QKeySequence(action.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
        line.addWidget(Label(keys, "second"))
        item.setSizeHint(QSize(200, 28))
        self._list.setItemWidget(item, row)

    def _take(self) -> None:
        item = self._list.currentItem()
        action = self._qt_action(str(item.data(Qt.ItemDataRole.UserRole))) if item else None
        if action is not None and action.isEnabled():
            self.close_popover()
            action.trigger()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        way = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()), 0)
        if way:
            row = min(max(self._list.currentRow() + way, 0), self._list.count() - 1)
            self._list.setCurrentRow(row)
        else:
            super().keyPressEvent(event)
