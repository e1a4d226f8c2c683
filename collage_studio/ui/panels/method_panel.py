"""Choosing a method: its name, one sentence on what it is good at, and its few settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.document import edits
from collage_studio.document.model import Document, RunSettings
from collage_studio.ui.panels.methods import FIELDS, METHODS, SENTENCES, Setting
from collage_studio.ui.widgets.basics import Button, Label, listen, on_click
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.value_bar import ValueBar


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
        own = own_settings(settings)
        for setting in FIELDS.get(settings.method, ()):
            self._show(setting, own)

    def _show(self, setting: Setting, own: Any) -> None:
        control, value = self.controls[setting.name], getattr(own, setting.name)
        if isinstance(control, ChoiceButton):
            control.show_value(str(value))
        else:
            control.show_value(value * setting.factor)
        if setting.only is not None:
            control.setVisible(str(getattr(own, setting.only[0])) == setting.only[1])

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
            listen(choice.chosen, lambda value: self._take(setting, _plain(value)))
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


def _plain(value: str) -> Any:
    return {"True": True, "False": False}.get(value, value)
