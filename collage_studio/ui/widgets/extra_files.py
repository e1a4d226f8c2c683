"""Choosing and weighing files that models are given: one of several, or a list of LoRAs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from collage_studio.app.extras_library import ExtraInfo, ExtrasLibrary, reason_against
from collage_studio.document.extras import LoraUse
from collage_studio.formats.errors import FormatError
from collage_studio.formats.extra_files import ExtraKind
from collage_studio.formats.quality_models import check_quality_model
from collage_studio.ui.widgets.basics import Button, listen, on_click, tool_button
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.value_bar import ValueBar

_FILE, _FOLDER = "+file", "+folder"
LOWEST, HIGHEST = -100, 200
"""Of a LoRA's bar; 100 is as it was trained."""

Trouble = Callable[[str], None]


def ask_for_file(
    parent: QWidget,
    title: str,
    take: Callable[[Path], None],
    *,
    folder: bool = False,
    names: str = "Models (*.safetensors)",
) -> QFileDialog:
    """Ask for a model file on disk without blocking."""
    dialog = QFileDialog(parent.window(), title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if folder:
        dialog.setFileMode(QFileDialog.FileMode.Directory)
    else:
        dialog.setNameFilter(names)
    listen(dialog.fileSelected, lambda text: take(Path(text)))
    dialog.open()
    return dialog


class ExtraChoice(ChoiceButton):
    """One file of the library, none, or a new one; `taken(path)` when a person decides."""

    taken = Signal(str)

    def __init__(
        self, library: ExtrasLibrary, kind: ExtraKind, caption: str, tooltip: str, trouble: Trouble
    ) -> None:
        super().__init__([("", "none")], caption=caption, tooltip=tooltip)
        self._library, self._kind, self._trouble = library, kind, trouble
        self._tip, self._path = tooltip, ""
        self._dialog: QFileDialog | None = None
        listen(self.chosen, self._on_chosen)

    def show_file(self, path: str, model_family: str) -> None:
        """Show which file is used with a model of this family, or why none can be."""
        self._path = path
        reason = reason_against(self._kind, model_family)
        options = [("", "none")]
        options += [(f.path, f.name) for f in self._library.fitting(self._kind, model_family)]
        if path and path not in dict(options):
            options.append((path, self._library.find(path, self._kind).name))
        options += [(_FILE, "Add file"), (_FOLDER, "Add folder")]
        self.set_options(options)
        self.show_value(path)
        self.setEnabled(not reason)
        self.setToolTip(f"{self._tip.split(':')[0]}: {reason}" if reason else self._tip)

    def ask(self, *, folder: bool = False) -> None:
        """Ask for a new file and use it."""
        title = f"Add {self._kind}"
        self._dialog = ask_for_file(self, title, self.add, folder=folder)

    def add(self, path: Path) -> None:
        """Put a file into the library and use it; why not is told."""
        try:
            info = self._library.add(path, self._kind)
        except FormatError as error:
            self._trouble(str(error))
            return
        self.taken.emit(info.path)

    def _on_chosen(self, value: str) -> None:
        if value in (_FILE, _FOLDER):
            self.show_value(self._path)
            self.ask(folder=value == _FOLDER)
        else:
            self.taken.emit(value)


class FolderChoice(ChoiceButton):
    """A folder of a model that looks at pictures, or none; `taken(path)` when a person decides."""

    taken = Signal(str)

    def __init__(self, kind: str, caption: str, tooltip: str, trouble: Trouble) -> None:
        super().__init__([("", "none")], caption=caption, tooltip=tooltip)
        self._kind, self._trouble, self._path = kind, trouble, ""
        self._dialog: QFileDialog | None = None
        listen(self.chosen, self._on_chosen)

    def show_folder(self, path: str) -> None:
        """Show which folder is used."""
        self._path = path
        used = [(path, Path(path).name)] if path else []
        self.set_options([("", "none"), *used, (_FOLDER, f"Choose {self._kind} folder")])
        self.show_value(path)

    def add(self, path: Path) -> None:
        """Use a folder; why not is told."""
        try:
            check_quality_model(path, self._kind)
        except FormatError as error:
            self._trouble(str(error))
            return
        self.taken.emit(str(path.absolute()))

    def _on_chosen(self, value: str) -> None:
        if value == _FOLDER:
            self.show_value(self._path)
            self._dialog = ask_for_file(self, f"Choose {self._kind} folder", self.add, folder=True)
        else:
            self.taken.emit(value)


class LoraRows(QWidget):
    """A list of LoRAs with their weights, and a button that adds one.

    Signals:
        changed(tuple): the uses as a person left them; sent while dragging.
        finished(): a drag is complete.
    """

    changed = Signal(tuple)
    finished = Signal()

    def __init__(self, library: ExtrasLibrary, tooltip: str, trouble: Trouble) -> None:
        super().__init__()
        self._library, self._trouble = library, trouble
        self._uses: tuple[LoraUse, ...] = ()
        self._family = ""
        self._bars: list[ValueBar] = []
        self._dialog: QFileDialog | None = None
        self._menu: QMenu | None = None
        self.add_button = Button("Add LoRA", icon_name="plus", tooltip=tooltip)
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(4)
        self._rows.addWidget(self.add_button)
        on_click(self.add_button, self._offer)

    @property
    def uses(self) -> tuple[LoraUse, ...]:
        return self._uses

    def show_uses(self, uses: Sequence[LoraUse], model_family: str) -> None:
        """Show these LoRAs beside a model of this family, without telling anyone."""
        self._family = model_family
        same = [use.path for use in uses] == [use.path for use in self._uses]
        self._uses = tuple(uses)
        if not same or len(self._bars) != len(self._uses):
            self._rebuild()
        for bar, use in zip(self._bars, self._uses, strict=True):
            info = self._library.find(use.path, ExtraKind.LORA)
            bar.show_value(use.weight * 100)
            bar.setToolTip(f"{info.name}: {_note(info, model_family)}")

    def add(self, path: Path) -> None:
        """Put a file into the library and the list; why not is told."""
        try:
            info = self._library.add(path, ExtraKind.LORA)
        except FormatError as error:
            self._trouble(str(error))
            return
        if not info.fits(self._family):
            self._trouble(_note(info, self._family))
            return
        self._take((*self._uses, LoraUse(info.path)))
        self.finished.emit()

    def _rebuild(self) -> None:
        while self._rows.count() > 1:
            item = self._rows.takeAt(0)
            row = item.widget() if item else None
            if row is not None:
                row.hide()
                row.deleteLater()
        self._bars = []
        for index, use in enumerate(self._uses):
            self._rows.insertWidget(index, self._row(index, use))

    def _row(self, index: int, use: LoraUse) -> QWidget:
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        name = self._library.find(use.path, ExtraKind.LORA).name
        bar = ValueBar(name, LOWEST, HIGHEST)
        remove = tool_button("close", f"Remove: Goes on without {name}.")
        row.addWidget(bar, 1)
        row.addWidget(remove)
        self._bars.append(bar)
        listen(bar.changed, lambda value: self._weigh(index, value / 100))
        bar.finished.connect(self.finished)
        on_click(remove, lambda: self._remove(index))
        return made

    def _weigh(self, index: int, weight: float) -> None:
        uses = list(self._uses)
        uses[index] = replace(uses[index], weight=round(weight, 2))
        self._take(tuple(uses))

    def _remove(self, index: int) -> None:
        self._take((*self._uses[:index], *self._uses[index + 1 :]))
        self.finished.emit()

    def _take(self, uses: tuple[LoraUse, ...]) -> None:
        self.show_uses(uses, self._family)
        self.changed.emit(uses)

    def _offer(self) -> None:
        """Open the menu of known files; without any, ask for one at once."""
        used = {use.path for use in self._uses}
        known = [
            f for f in self._library.fitting(ExtraKind.LORA, self._family) if f.path not in used
        ]
        if not known:
            self._ask()
            return
        if self._menu is not None:
            self._menu.deleteLater()
        self._menu = menu = QMenu(self)
        for info in known:
            entry = menu.addAction(info.name)
            entry.triggered.connect(lambda _on=False, info=info: self.add(Path(info.path)))
        menu.addSeparator()
        menu.addAction("Add file").triggered.connect(lambda _on=False: self._ask())
        menu.popup(self.add_button.mapToGlobal(QPoint(0, self.add_button.height() + 2)))

    def _ask(self) -> None:
        self._dialog = ask_for_file(self, "Add LoRA", self.add)


def _note(info: ExtraInfo, model_family: str) -> str:
    if info.note:
        return info.note
    if not info.fits(model_family):
        return f"{info.name} is made for {info.family}, and the chosen model is {model_family}."
    return "How strongly it is felt. 100 is as it was trained."
