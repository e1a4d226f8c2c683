"""Turns the table of actions into Qt actions, menus and shortcuts; others bind functions to ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from collage_studio.app.actions import ACTIONS, BY_ID, MENUS, Action, reason_against
from collage_studio.ui.style.icons import icon

_ICON_FILES = {"flip": "flip-horizontal"}
_SUBMENUS = {"file.recent", "file.samples"}
_SEPARATED = {
    "file.add", "file.save", "file.export", "file.quit", "edit.cut", "edit.delete",
    "edit.select_all", "edit.find", "layer.rename", "layer.visible", "harmonise.cancel",
    "harmonise.previous", "harmonise.queue", "view.collage", "view.fit", "view.noise_map",
    "view.theme",
}  # fmt: skip


class ActionTable(QObject):
    """All actions that have a function. An action nobody bound is in no menu and no list."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._actions: dict[str, QAction] = {}
        self._commands: dict[str, Callable[[str], object]] = {}
        self._submenus: dict[str, QMenu] = {}
        self._shown: tuple[frozenset[str], int] | None = None

    def bind(self, action_id: str, call: Callable[[], object]) -> None:
        """Give an action of the table its function."""
        action = self._made(BY_ID[action_id])
        action.triggered.connect(lambda _on=False: call())

    def bind_command(self, name: str, call: Callable[[str], object]) -> None:
        """Give a button's id that is no menu entry its function; it gets what follows a colon."""
        self._commands[name] = call

    def bind_submenu(self, action_id: str, fill: Callable[[QMenu], object]) -> None:
        """Make an entry a submenu that is filled when it opens."""
        menu = QMenu(BY_ID[action_id].label, self._window)
        menu.aboutToShow.connect(lambda: (menu.clear(), fill(menu)))
        self._submenus[action_id] = menu

    def find(self, action_id: str) -> QAction | None:
        """The Qt action, or None if nobody bound it."""
        return self._actions.get(action_id)

    def get(self, action_id: str) -> QAction:
        """The Qt action; KeyError if nobody bound it."""
        return self._actions[action_id]

    def run(self, action_id: str) -> None:
        """Run an action or a command, "name" or "name:argument"; what is off does nothing."""
        name, _, argument = action_id.partition(":")
        action = self._actions.get(name)
        if action is not None:
            action.trigger()
        elif name in self._commands:
            self._commands[name](argument)

    def give_keys(self, regions: Iterable[QWidget]) -> None:
        """Connect shortcuts: to the window, or for the scope "canvas" to these regions only."""
        places = tuple(regions)
        for action_id, action in self._actions.items():
            if BY_ID[action_id].scope == "window":
                self._window.addAction(action)
                continue
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            for place in places:
                place.addAction(action)

    def fill_menus(self, bar: QMenuBar) -> None:
        """Build the menu bar from the table's menu paths, in its order."""
        menus: dict[str, QMenu] = {}
        for name in MENUS:
            if any(a.menu.split("/")[0] == name and self._has(a.id) for a in ACTIONS):
                menus[name] = bar.addMenu(name)
        for action in ACTIONS:
            if self._has(action.id):
                self._add_to(_menu_at(menus, action.menu), action.id)

    def context_menu(self, ids: Iterable[str], parent: QWidget) -> QMenu:
        """A menu of some actions; "" makes a line. It deletes itself when closed."""
        menu = QMenu(parent)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for action_id in ids:
            if not action_id:
                menu.addSeparator()
            elif action_id in self._actions:
                menu.addAction(self._actions[action_id])
        return menu

    def refresh(self, states: frozenset[str]) -> None:
        """Switch actions on or off; the tooltip of one that is off says why."""
        shown = (states, len(self._actions))
        if shown == self._shown:  # as it is after nearly every step of a run
            return
        self._shown = shown
        for action_id, action in self._actions.items():
            entry = BY_ID[action_id]
            reason = reason_against(entry, states)
            if action.isEnabled() != (not reason):
                action.setEnabled(not reason)
            action.setToolTip(reason or entry.tooltip)

    def _has(self, action_id: str) -> bool:
        return action_id in self._actions or action_id in self._submenus

    def _add_to(self, menu: QMenu, action_id: str) -> None:
        if action_id in _SEPARATED and not menu.isEmpty():
            menu.addSeparator()
        if action_id in self._submenus:
            menu.addMenu(self._submenus[action_id])
        else:
            menu.addAction(self._actions[action_id])

    def _made(self, entry: Action) -> QAction:
        action = self._actions.get(entry.id)
        if action is None:
            action = QAction(entry.label, self._window)
            action.setObjectName(entry.id)
            action.setToolTip(entry.tooltip)
            if entry.shortcut:
                action.setShortcut(QKeySequence(entry.shortcut))
            if entry.icon:
                action.setIcon(icon(_ICON_FILES.get(entry.icon, entry.icon)))
                action.setIconVisibleInMenu(False)
            self._actions[entry.id] = action
        return action


def _menu_at(menus: dict[str, QMenu], path: str) -> QMenu:
    """The menu "Layer/Align", made if it is not there."""
    if path not in menus:
        above, _, name = path.rpartition("/")
        menus[path] = _menu_at(menus, above).addMenu(name)
    return menus[path]
