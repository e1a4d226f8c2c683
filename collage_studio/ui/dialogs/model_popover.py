"""The models: the Starter and what the user added; what each can draw is said plainly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QWidget

from collage_studio.app.checkpoints import ModelRefused
from collage_studio.app.editor import Editor
from collage_studio.app.models import ModelInfo, ModelLibrary, is_hub_name
from collage_studio.ui.panels.document_page import choose_model
from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.basics import Button, Label, line, listen, on_click
from collage_studio.ui.widgets.popover import Popover

WIDTH = 340
RUNS_HERE = "It runs on this computer."
NOT_HERE = "It has to be fetched before it runs on this computer. Click it to do so."
_BESIDE_TEXT = 60
"""Of a row's width, taken by the icon and the margins."""


class ModelRow(Button):
    """One model: name, family and size; one that cannot run says why."""

    def __init__(self, model: ModelInfo, *, chosen: bool) -> None:
        super().__init__(kind="row", tooltip=model.note)
        self._model, self._chosen = model, chosen
        self.setFixedHeight(48 + self._why_height())
        self.setEnabled(model.is_available or model.is_remote)
        why = f". {model.note}" if self._why_height() else ""
        self.setAccessibleName(f"{model.name}, {self._second()}{why}")

    def _second(self) -> str:
        if self._model.is_remote:
            return "not fetched yet"
        family = "built in" if self._model.id == "starter" else self._model.family
        return ", ".join(word for word in (family, self._model.size) if word)

    def _why_height(self) -> int:
        """Room for the reason why the model cannot run; 0 if it can."""
        if self._model.is_available or self._model.is_remote:
            return 0
        room = QRect(0, 0, WIDTH - _BESIDE_TEXT, 1000)
        wrap = Qt.TextFlag.TextWordWrap
        return QFontMetrics(font(12)).boundingRect(room, wrap, self._model.note).height() + 6

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        theme = tokens.current()
        painter = QPainter(self)
        if self._chosen:
            painter.fillRect(self.rect(), theme.color("selected"))
        on = self._model.is_available
        icon_token = ("accent" if self._chosen else "t2") if on else "warn"
        name = "check" if self._chosen else "model"
        missing = "fetch" if self._model.is_remote else "warning"
        paint_icon(painter, name if on else missing, QRectF(14, 15, 18, 18), icon_token)
        painter.setFont(font(13, 600))
        painter.setPen(theme.color("t1" if on else "t2"))
        room = self.width() - _BESIDE_TEXT
        elide = Qt.TextElideMode.ElideRight
        words = painter.fontMetrics().elidedText(self._model.name, elide, room)
        painter.drawText(44, 6, room, 20, Qt.AlignmentFlag.AlignVCenter, words)
        painter.setFont(font(12))
        painter.setPen(theme.color("t2"))
        painter.drawText(44, 25, room, 16, Qt.AlignmentFlag.AlignVCenter, self._second())
        if self._why_height():
            area = QRect(44, 43, room, self.height() - 46)
            painter.drawText(area, Qt.TextFlag.TextWordWrap, self._model.note)
        painter.end()


class ModelPopover(Popover):
    """Takes a model for this document, or adds one from disk."""

    def __init__(
        self,
        window: QWidget,
        editor: Editor,
        library: ModelLibrary,
        trouble: Callable[[str], None],
        ask_hub: Callable[[str], None],
    ) -> None:
        """Args:
        trouble: told why a file cannot be added.
        ask_hub: takes a hub id whose model is not on this computer.
        """
        super().__init__(window, "Models", WIDTH)
        self._ask_hub = ask_hub
        self._editor, self._library, self._trouble = editor, library, trouble
        self._rows: list[ModelRow] = []
        self._note = Label("", "second")
        self._note.setWordWrap(True)
        self._note.setContentsMargins(12, 8, 12, 4)
        self.body.addSpacing(4)
        self.body.addWidget(line("h"))
        self.body.addWidget(self._note)
        row = QHBoxLayout()
        row.setContentsMargins(12, 6, 12, 12)
        row.setSpacing(8)
        self.add_file = Button(
            "Add model file",
            icon_name="plus",
            tooltip="Add model: One .safetensors file (Stable Diffusion, SDXL, SD 3).",
        )
        self.add_folder = Button("Add folder", tooltip="Add model: A diffusers folder.")
        on_click(self.add_file, lambda: self.ask(folder=False))
        on_click(self.add_folder, lambda: self.ask(folder=True))
        row.addWidget(self.add_file)
        row.addWidget(self.add_folder)
        row.addStretch(1)
        self.body.addLayout(row)
        self.body.addLayout(self._by_name())
        self._dialog: QFileDialog | None = None

    def _by_name(self) -> QHBoxLayout:
        """A field for a hub id, and the button that looks it up."""
        row = QHBoxLayout()
        row.setContentsMargins(12, 0, 12, 12)
        row.setSpacing(8)
        self.name = QLineEdit()
        self.name.setPlaceholderText("owner/name on Hugging Face")
        self.name.setAccessibleName("Name of a model on Hugging Face")
        self.name.setFixedHeight(28)
        self.look_up = Button(
            "Look up",
            icon_name="fetch",
            tooltip="Look up: Tells size and licence first.",
        )
        self.look_up.setEnabled(False)
        listen(self.name.textChanged, self._on_name)
        self.name.returnPressed.connect(self._take_name)
        on_click(self.look_up, self._take_name)
        row.addWidget(self.name, 1)
        row.addWidget(self.look_up)
        return row

    def _on_name(self, text: str) -> None:
        self.look_up.setEnabled(is_hub_name(text.strip()))

    def _take_name(self) -> None:
        name = self.name.text().strip()
        if is_hub_name(name):
            self.name.clear()
            self._take(self._library.find(name))

    def prepare(self) -> None:
        """Show the library with the document's model marked."""
        for row in self._rows:
            self.body.removeWidget(row)
            row.hide()
            row.deleteLater()
        chosen = self._editor.document.settings.model
        self._rows = []
        for place, model in enumerate(self._library.models):
            row = ModelRow(model, chosen=model.id == chosen)
            on_click(row, lambda model=model: self._take(model))
            self._rows.append(row)
            self.body.insertWidget(1 + place, row)
        model = self._library.find(chosen)
        self._note.show_text(NOT_HERE if model.is_remote else model.note or RUNS_HERE)
        self._note.setMinimumHeight(0)  # a label asks for what it was once given
        self._note.setFixedHeight(self._note.heightForWidth(WIDTH) + 2)

    def _take(self, model: ModelInfo) -> None:
        if model.is_remote:
            self.close_popover()
            self._ask_hub(model.id)
            return
        choose_model(self._editor, model.name, model.id)
        self.close_popover()

    def ask(self, *, folder: bool) -> None:
        """Ask for a model on disk without blocking."""
        dialog = QFileDialog(self.parentWidget(), "Add model")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if folder:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
        else:
            dialog.setNameFilter("Models (*.safetensors)")
        listen(dialog.fileSelected, lambda text: self.add(Path(text)))
        self._dialog = dialog
        dialog.open()

    def add(self, path: Path) -> None:
        """Put a model into the library and take it; why not is told."""
        try:
            model = self._library.add(path)
        except ModelRefused as error:
            self._trouble(str(error))
            return
        self._take(model)
