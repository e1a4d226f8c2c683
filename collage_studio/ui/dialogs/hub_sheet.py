"""The sheet that asks once before a model is fetched: how large, whose terms, where it is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from collage_studio.engine.api import EngineError
from collage_studio.formats.errors import free_bytes, size_text
from collage_studio.ui.widgets.basics import Button, Label, line, on_click, tool_button
from collage_studio.ui.widgets.popover import Sheet

if TYPE_CHECKING:
    from collage_studio.engine.loading.hub import HubModel

_WIDTH, _HEIGHT = 520, 284
_ROWS = ("Size", "Licence", "From", "Kept in")
_SMALLEST_ROOM = 1 << 30
"""Bytes that a disk should have left after the download."""


class HubSheet(Sheet):
    """Looks a model up and fetches it on demand; closing the sheet fetches nothing."""

    _found = Signal(str, object)

    def __init__(self, window: QWidget, agree: Callable[[str], object]) -> None:
        """Args: agree: called with the hub id once the person has agreed."""
        super().__init__(window, "Fetch model", _WIDTH, _HEIGHT)
        self._agree, self._name = agree, ""
        self._title = Label("", "sheet", elide=True)
        self._values = {name: Label("", "body") for name in _ROWS}
        self.says = Label("", "second")
        self.fetch = Button("Download", kind="primary")
        self._build()
        self._found.connect(self._on_found)

    def value(self, row: str) -> str:
        """What the sheet says in a row such as "Size"."""
        return self._values[row].text()

    def ask(self, name: str) -> None:
        """Open the sheet for a model and ask the hub about it."""
        from collage_studio.engine.loading.hub import host

        self._name = name
        self._title.show_text(f"Fetch {name}")
        for label in self._values.values():
            label.show_text("–")
        self._values["From"].show_text(f"{host()}/{name}")
        self._say(f"Asking {host()} about it", "second")
        self.fetch.setText("Download")
        self.fetch.setEnabled(False)
        self.open_sheet()
        Thread(target=self._look_up, args=(name,), daemon=True).start()

    def _look_up(self, name: str) -> None:
        """Beside the main thread: what the hub tells, or why it does not."""
        from collage_studio.engine.loading.hub import look_up

        try:
            outcome: HubModel | str = look_up(name)
        except EngineError as error:
            outcome = str(error)
        with suppress(RuntimeError):  # the window may be gone by now
            self._found.emit(name, outcome)

    def _on_found(self, name: str, outcome: HubModel | str) -> None:
        if name != self._name or not self.isVisible():
            return
        if isinstance(outcome, str):
            self._say(outcome, "danger")
            return
        self._show(outcome)

    def _show(self, model: HubModel) -> None:
        free = free_bytes(_existing(model.folder))
        here = model.bytes - model.missing
        part = f", {size_text(here)} of it are here already" if here and model.missing else ""
        self._values["Size"].show_text(f"{size_text(model.bytes)}{part}")
        licence = model.licence or "not named"
        self._values["Licence"].show_text(f"{licence}; its terms stand on its page")
        self._values["Kept in"].show_text(f"{_shown(model.folder)}, {size_text(free)} free")
        self.fetch.setText(f"Download {size_text(model.missing)}" if model.missing else "Use it")
        self.fetch.setEnabled(True)
        self.fetch.setFocus(Qt.FocusReason.PopupFocusReason)
        if free and free < model.missing + _SMALLEST_ROOM:
            self._say("This disk has hardly room for it. Free some space first.", "warn")
        elif model.is_gated:
            self._say(
                "Its licence has to be accepted on its page before it can be fetched.", "warn"
            )
        else:
            self._say(
                "It is fetched once and runs on this computer; none of your pictures leave it.",
                "second",
            )

    def _build(self) -> None:
        whole = QVBoxLayout(self.card)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(24, 16, 16, 4)
        head.addWidget(self._title, 1)
        cross = tool_button("close", "Close (Esc)")
        on_click(cross, self.close_sheet)
        head.addWidget(cross)
        whole.addLayout(head)
        facts = QGridLayout()
        facts.setContentsMargins(24, 8, 24, 8)
        facts.setHorizontalSpacing(16)
        facts.setVerticalSpacing(10)
        facts.setColumnStretch(1, 1)
        facts.setColumnMinimumWidth(0, 72)
        for place, (name, value) in enumerate(self._values.items()):
            value.setWordWrap(True)
            value.setAccessibleName(name)
            facts.addWidget(Label(name, "label"), place, 0, Qt.AlignmentFlag.AlignTop)
            facts.addWidget(value, place, 1)
        whole.addLayout(facts)
        self.says.setWordWrap(True)
        self.says.setContentsMargins(24, 6, 24, 8)
        whole.addWidget(self.says)
        whole.addStretch(1)
        whole.addWidget(line("h"))
        whole.addLayout(self._foot())

    def _foot(self) -> QHBoxLayout:
        foot = QHBoxLayout()
        foot.setContentsMargins(24, 12, 24, 12)
        foot.setSpacing(8)
        foot.addStretch(1)
        cancel = Button("Cancel")
        on_click(cancel, self.close_sheet)
        on_click(self.fetch, self._take)
        for button in (cancel, self.fetch):
            button.setFixedHeight(36)
            button.setMinimumWidth(160 if button is self.fetch else 88)
            foot.addWidget(button)
        return foot

    def _take(self) -> None:
        self.close_sheet()
        self._agree(self._name)

    def _say(self, words: str, role: str) -> None:
        self.says.set_role(role)
        self.says.show_text(words)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one around it that is there."""
    return next((place for place in (folder, *folder.parents) if place.is_dir()), folder)


def _shown(folder: Path) -> str:
    """A path as people write it, the home folder as ~."""
    with suppress(ValueError, RuntimeError):
        return f"~/{folder.relative_to(Path.home()).as_posix()}"
    return str(folder)
