"""The inspector's page for the document: canvas, words to avoid, what holds for every run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.app.models import with_model
from collage_studio.document import edits
from collage_studio.document.geometry import Rect, Size
from collage_studio.document.model import Document
from collage_studio.document.recipe import RunSettings
from collage_studio.ui.panels.method_panel import MethodPanel
from collage_studio.ui.panels.methods import METHODS
from collage_studio.ui.widgets.basics import Button, Label, line, listen, on_click
from collage_studio.ui.widgets.fields import GrowingText, NumberField
from collage_studio.ui.widgets.fold import Fold
from collage_studio.ui.widgets.value_bar import ValueBar


def change_settings(editor: Editor, what: str, *, merge: str = "", **changes: object) -> None:
    """Replace some run settings as one edit named `what`."""
    editor.apply(
        lambda document: edits.set_settings(document, _replaced(document.settings, changes)),
        what,
        merge=merge,
    )


def choose_model(editor: Editor, name: str, model: str) -> None:
    """Run with another model from now on, as one edit."""
    editor.apply(
        lambda document: edits.set_settings(document, with_model(document.settings, model)),
        f"Model {name}",
    )


def _replaced(settings: RunSettings, changes: dict[str, object]) -> RunSettings:
    return replace(settings, **changes)  # pyright: ignore[reportArgumentType]  names are fields


class DocumentPage(QWidget):
    """Shown while nothing is selected."""

    def __init__(self, editor: Editor, run_action: Callable[[str], None]) -> None:
        super().__init__()
        self._editor, self._run_action = editor, run_action
        self._width = NumberField("W", "Canvas width in px", unit=" px", low=64, high=8192)
        self._height = NumberField("H", "Canvas height in px", unit=" px", low=64, high=8192)
        self._resize = Button("Resize", tooltip="Resize: Changes the canvas, not the layers.")
        self._avoid = GrowingText("Avoid in the picture")
        self._detail = ValueBar("Source detail kept", unit=" %")
        self._softness = ValueBar("Noise map softness", 0, 40, unit=" px")
        self._method = Fold("Method")
        self._methods = MethodPanel(editor, run_action)
        self._build()
        self._connect()

    def _build(self) -> None:
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        title = QHBoxLayout()
        title.setContentsMargins(12, 8, 12, 6)
        title.setSpacing(8)
        title.addWidget(Label("Document", "title"))
        title.addWidget(Label("nothing selected", "second"))
        title.addStretch(1)
        whole.addLayout(title)
        body = QVBoxLayout()
        body.setContentsMargins(12, 0, 12, 10)
        body.setSpacing(6)
        size = QHBoxLayout()
        size.setSpacing(8)
        for part in (self._width, self._height, self._resize):
            part.setFixedHeight(28)
            size.addWidget(part, 1)
        body.addLayout(size)
        body.addSpacing(4)
        body.addWidget(Label("Avoid in the picture", "label"))
        self._avoid.setPlaceholderText("blurry, hard cut edges, watermark")
        body.addWidget(self._avoid)
        body.addSpacing(4)
        body.addWidget(Label("For every run", "label"))
        self._detail.setToolTip(
            "Source detail: Sharpness taken from your pictures, light from the model."
        )
        self._softness.setToolTip("Noise map softness: How gently noise fades between layers.")
        body.addWidget(self._detail)
        body.addWidget(self._softness)
        whole.addLayout(body)
        whole.addWidget(line("h"))
        self._method.body.addWidget(self._methods)
        whole.addWidget(self._method)
        whole.addStretch(1)

    def _connect(self) -> None:
        on_click(self._resize, self._take_size)
        listen(
            self._avoid.edited,
            lambda text: change_settings(self._editor, "Avoid", merge="avoid", avoid=text),
        )
        self._avoid.finished.connect(self._editor.seal)
        listen(
            self._detail.changed,
            lambda v: change_settings(
                self._editor, "Source detail", merge="detail", detail=v / 100
            ),
        )
        listen(
            self._softness.changed,
            lambda v: change_settings(
                self._editor, "Softness", merge="softness", softness=float(v)
            ),
        )
        for bar in (self._detail, self._softness):
            bar.finished.connect(self._editor.seal)
        for field in (self._width, self._height):
            listen(field.entered, lambda _value: self._show_resize())

    def show_document(self, document: Document) -> None:
        """Show the values of `document`."""
        self._width.show_value(document.size.width)
        self._height.show_value(document.size.height)
        self._show_resize()
        settings = document.settings
        self._avoid.show_text(settings.avoid)
        self._detail.show_value(settings.detail * 100)
        self._softness.show_value(settings.softness)
        self._methods.show_document(document)
        self._method.line.show_values(dict(METHODS).get(settings.method, settings.method))

    def _typed_size(self) -> Size:
        return Size(int(self._width.value), int(self._height.value))

    def _show_resize(self) -> None:
        differs = self._typed_size() != self._editor.document.size
        self._resize.setEnabled(differs)
        reason = "" if differs else " Type another width or height first."
        self._resize.setToolTip(f"Resize: Changes the canvas, not the layers.{reason}")

    def _take_size(self) -> None:
        size = self._typed_size()
        from collage_studio.document.cropping import cropped

        frame = Rect.of_size(size)
        self._editor.apply(lambda document: cropped(document, frame), "Resize canvas")
