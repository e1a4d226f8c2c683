"""Choosing a method: its name, one sentence on what it is good at, and its few settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.document import edits
from collage_studio.document.model import Document
from collage_studio.document.recipe import RunSettings
from collage_studio.formats.adapter_files import adapter_sentence, check_adapter
from collage_studio.formats.errors import FormatError
from collage_studio.ui.panels.methods import FIELDS, METHODS, SENTENCES, Setting
from collage_studio.ui.widgets.basics import Button, Label, listen, on_click
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.extra_files import ask_for_file
from collage_studio.ui.widgets.value_bar import ValueBar

_FILE = "+file"


def own_settings(settings: RunSettings) -> Any:
    """The settings of the method that runs; None if it has none of its own."""
    return getattr(settings.methods, settings.method, None)


def with_own(settings: RunSettings, **changes: Any) -> RunSettings:
    """`settings` with some of the running method's own changed."""
    own = replace(own_settings(settings), **changes)
    return replace(settings, methods=replace(settings.methods, **{settings.method: own}))


class MethodPanel(QWidget):
    """Shows the document's method; every change is an edit."""

    def __init__(self, editor: Editor, run_action: Callable[[str], None]) -> None:
        super().__init__()
        self._editor = editor
        self.chooser = ChoiceButton(METHODS, tooltip="Method: The published way of harmonising.")
        self._sentence = Label("", "hint")
        self._sentence.setWordWrap(True)
        self.controls: dict[str, ChoiceButton | ValueBar] = {}
        self.adapter_line = Label("", "small")
        self.adapter_line.setWordWrap(True)
        self._dialog: QFileDialog | None = None
        self._refused = ""
        self._shown = ""
        self._rows = QVBoxLayout()
        self._rows.setSpacing(4)
        compare = Button(
            "Compare methods",
            tooltip="Compare methods: Runs all of them with the same seeds, side by side.",
        )
        on_click(compare, lambda: run_action("harmonise.compare_methods"))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        for part in (self.chooser, self._sentence):
            whole.addWidget(part)
        whole.addLayout(self._rows)
        whole.addWidget(self.adapter_line)
        whole.addWidget(compare)
        listen(self.chooser.chosen, self._choose)

    def show_document(self, document: Document) -> None:
        """Show method and values of `document`."""
        settings = document.settings
        self.chooser.show_value(settings.method)
        self._sentence.show_text(SENTENCES.get(settings.method, ""))
        if settings.method != self._shown:
            self._shown = settings.method
            self._rebuild(FIELDS.get(settings.method, ()))
        for setting in FIELDS.get(settings.method, ()):
            self._show(setting, settings)
        said = self._refused or adapter_sentence(settings)
        self.adapter_line.show_text(said)
        self.adapter_line.setVisible(bool(said))

    def _show(self, setting: Setting, settings: RunSettings) -> None:
        own = own_settings(settings)
        control, value = self.controls[setting.name], getattr(own, setting.name)
        if not isinstance(control, ChoiceButton):
            control.show_value(value * setting.factor)
        else:
            if setting.takes_file:
                control.set_options(_with_files(setting, str(value)))
            control.show_value(str(value))
        matters = setting.shows is None or setting.shows(settings)
        if setting.only is not None:
            matters = matters and str(getattr(own, setting.only[0])) == setting.only[1]
        control.setVisible(matters)

    def _rebuild(self, settings: tuple[Setting, ...]) -> None:
        for control in self.controls.values():
            self._rows.removeWidget(control)
            control.deleteLater()
        self.controls = {setting.name: self._control(setting) for setting in settings}
        for control in self.controls.values():
            self._rows.addWidget(control)

    def _control(self, setting: Setting) -> ChoiceButton | ValueBar:
        if setting.options:
            choice = ChoiceButton(setting.options, caption=setting.label, tooltip=setting.tooltip)
            listen(choice.chosen, lambda value: self._choose_value(setting, choice, value))
            return choice
        bar = ValueBar(setting.label, setting.low, setting.high, unit=setting.unit)
        bar.setToolTip(setting.tooltip)
        is_whole = setting.factor == 1
        listen(
            bar.changed,
            lambda v: self._take(setting, round(v) if is_whole else round(v / setting.factor, 4)),
        )
        bar.finished.connect(self._editor.seal)
        return bar

    def _choose_value(self, setting: Setting, choice: ChoiceButton, value: str) -> None:
        self._refused = ""
        if value != _FILE:
            self._take(setting, _plain(value))
            return
        choice.show_value(str(getattr(own_settings(self._editor.document.settings), setting.name)))
        self._dialog = ask_for_file(
            self, f"Choose {setting.label.lower()}", lambda path: self.take_file(setting, path)
        )

    def take_file(self, setting: Setting, path: Path) -> None:
        """Use a file for a setting; why not is told."""
        self._refused = ""
        try:
            check_adapter(path)
        except FormatError as error:
            self._refused = str(error)
            self.show_document(self._editor.document)
            return
        self._take(setting, str(path.absolute()))

    def _take(self, setting: Setting, value: Any) -> None:
        self._editor.apply(
            lambda document: edits.set_settings(
                document, with_own(document.settings, **{setting.name: value})
            ),
            setting.label,
            merge="" if setting.options else f"method-{setting.name}",
        )

    def _choose(self, method: str) -> None:
        choose_method(self._editor, method)


def choose_method(editor: Editor, method: str) -> None:
    """Run with another method from now on, as one edit."""
    editor.apply(
        lambda document: edits.set_settings(document, replace(document.settings, method=method)),
        f"Method {dict(METHODS).get(method, method)}",
    )


def _with_files(setting: Setting, value: str) -> list[tuple[str, str]]:
    """The options of a setting that takes files: the one in use, and a way to choose another."""
    options = list(setting.options)
    if value not in dict(options):
        options.append((value, Path(value).stem))
    return [*options, (_FILE, "Choose file")]


def _plain(value: str) -> Any:
    return {"True": True, "False": False}.get(value, value)
