"""The export sheet: format, file, and what the file will hold."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.document.compositing import flatten
from collage_studio.document.geometry import Size
from collage_studio.document.model import Document
from collage_studio.formats.errors import FormatError, size_text
from collage_studio.formats.export import ExportOptions
from collage_studio.formats.export_size import estimated_bytes
from collage_studio.formats.picture import is_deep
from collage_studio.ui.background import Background
from collage_studio.ui.dialogs.export_choices import ExportChoices
from collage_studio.ui.dialogs.export_facts import (
    FORMAT_NAMES,
    KNOWN_SUFFIXES,
    LAYERS,
    MORE,
    TURNS,
    facts,
    more_names,
    suffix_of,
)
from collage_studio.ui.style import tokens
from collage_studio.ui.style.icons import icon
from collage_studio.ui.widgets.basics import (
    Button,
    Label,
    line,
    listen,
    on_click,
    restyle,
    tool_button,
)
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.popover import Sheet
from collage_studio.ui.widgets.segment import Choice, Segment
from collage_studio.ui.widgets.thumbs import eight_bit, fresh_thumb

WIDTH, HEIGHT = 800, 560
_PICTURE_WIDTH = 328
_DEEP = (".psd", ".psb", ".png", ".tif")
_FACTORS = (("1", "Canvas"), ("2", "2 ×"), ("4", "4 ×"))
_DEPTHS = (("0", "As the pictures have it"), ("8", "8 bit"), ("16", "16 bit"))
_GROUNDS = (("white", "White"), ("black", "Black"), ("grey", "Grey"))
_CHECKED = "Checked by reading it back."
_GROUND_COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128)}


class ExportSheet(Sheet):
    """Asks nothing it can know; `write(path, done)` does the work and tells whether it went well.

    Closing the sheet does not stop what is being written; opened again, it can write another file.
    """

    def __init__(
        self,
        window: QWidget,
        editor: Editor,
        write: Callable[[Path, Callable[[bool], None], ExportOptions], None],
        start_folder: Callable[[], Path],
        title: Callable[[], str],
        background: Background,
    ) -> None:
        super().__init__(window, "Export", WIDTH, HEIGHT)
        self._editor, self._write = editor, write
        self._start_folder, self._title = start_folder, title
        self._background = background
        self._folder = Path.home()
        self._is_writing = False
        self._opening = 0
        self._picture = QLabel()
        self._facts = QVBoxLayout()
        choices = [Choice(suffix, name) for suffix, name in FORMAT_NAMES.items()]
        self._formats = Segment([*choices, Choice(MORE, "More")])
        self._more = ChoiceButton(tuple(more_names().items()), tooltip="Other formats")
        self._depth = ChoiceButton(_DEPTHS, caption="Depth", tooltip="Bits per channel")
        self._ground = ChoiceButton(_GROUNDS, caption="Behind", tooltip="Behind clear parts")
        self._factors = Segment([Choice(factor, name) for factor, name in _FACTORS])
        self._choices = ExportChoices()
        self._name = QLineEdit()
        self._folder_line = Label("", "second", elide=True)
        self._trouble = Label("", "danger")
        self._size_line = Label("", "second")
        self._foot_line = Label(_CHECKED, "second")
        self._telling = 0
        self._export = Button("Export PSD", kind="primary")
        self._dialog: QFileDialog | None = None
        self._build()

    def _build(self) -> None:
        whole = QVBoxLayout(self.card)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(24, 16, 16, 8)
        head.addWidget(Label("Export", "sheet"))
        head.addStretch(1)
        cross = tool_button("close", "Close (Esc)")
        on_click(cross, self.close_sheet)
        head.addWidget(cross)
        whole.addLayout(head)
        middle = QHBoxLayout()
        middle.setContentsMargins(24, 8, 24, 16)
        middle.setSpacing(32)
        middle.addLayout(self._left())
        middle.addLayout(self._right(), 1)
        whole.addLayout(middle, 1)
        whole.addWidget(line("h"))
        whole.addLayout(self._foot())

    def _left(self) -> QVBoxLayout:
        left = QVBoxLayout()
        left.setSpacing(8)
        self._picture.setFixedWidth(_PICTURE_WIDTH)
        left.addWidget(self._picture)
        left.addSpacing(4)
        left.addWidget(Label("What the file will hold", "title"))
        self._facts.setSpacing(6)
        left.addLayout(self._facts)
        left.addStretch(1)
        return left

    def _right(self) -> QVBoxLayout:
        right = QVBoxLayout()
        right.setSpacing(6)
        self._formats.setFixedHeight(32)
        self._formats.setAccessibleName("Format")
        listen(self._formats.chosen, lambda _kind: self._show_format(self._kind()))
        right.addWidget(self._formats)
        for choice in (self._more, self._depth, self._ground):
            choice.setFixedHeight(32)
            right.addWidget(choice)
        self._more.chosen.connect(self._show_format)
        for choice in (self._depth, self._ground):
            listen(choice.chosen, lambda _value: self._tell_bytes())
        right.addSpacing(12)
        right.addWidget(Label("File", "label"))
        row = QHBoxLayout()
        row.setSpacing(8)
        self._name.setFixedHeight(32)
        self._name.setAccessibleName("File name")
        listen(self._name.textEdited, lambda _text: self._show_trouble(""))
        self._name.returnPressed.connect(self._run)
        folder = Button("Folder", tooltip="Folder: Where the file goes.")
        folder.setFixedHeight(32)
        on_click(folder, self._ask_folder)
        row.addWidget(self._name, 1)
        row.addWidget(folder)
        right.addLayout(row)
        right.addWidget(self._folder_line)
        self._trouble.setWordWrap(True)
        right.addWidget(self._trouble)
        right.addSpacing(8)
        right.addWidget(Label("Size", "label"))
        row = QHBoxLayout()
        row.setSpacing(12)
        self._factors.setFixedHeight(32)
        self._factors.setAccessibleName("Size")
        listen(self._factors.chosen, lambda _factor: self._on_factor())
        row.addWidget(self._factors)
        row.addWidget(self._size_line, 1)
        right.addLayout(row)
        right.addSpacing(12)
        self._choices.changed.connect(self._show_facts)
        right.addWidget(self._choices)
        right.addStretch(1)
        return right

    def _foot(self) -> QHBoxLayout:
        foot = QHBoxLayout()
        foot.setContentsMargins(24, 12, 24, 12)
        foot.setSpacing(8)
        foot.addWidget(self._foot_line)
        foot.addStretch(1)
        cancel = Button("Cancel")
        on_click(cancel, self.close_sheet)
        on_click(self._export, self._run)
        for button in (cancel, self._export):
            button.setFixedHeight(36)
            button.setMinimumWidth(88)
            foot.addWidget(button)
        return foot

    def open_sheet(self) -> None:
        """Open with the document's name and the folder used last."""
        document = self._editor.document
        self._opening, self._is_writing = self._opening + 1, False
        self._folder = self._start_folder()
        self._name.setText(self._title())
        self._draw_picture(document)
        self._show_size()
        self._show_format(self._kind())
        super().open_sheet()
        self._name.setFocus(Qt.FocusReason.PopupFocusReason)

    def path(self) -> Path:
        """Where the file would go now; a folder for single layers."""
        suffix = suffix_of(self._kind())
        stem = self._name.text().strip()
        if suffix and stem.lower().endswith(suffix):
            stem = stem[: -len(suffix)]
        return self._folder / f"{stem}{suffix}"

    def options(self) -> ExportOptions:
        """How the file would be written now."""
        return ExportOptions(
            depth=int(self._depth.value),
            background=_GROUND_COLOURS[self._ground.value],
            before_after=self._kind() == TURNS,
            each_layer=self._kind() == LAYERS,
            factor=self._factor(),
            originals=self._choices.originals,
            recipe=self._choices.recipe,
            editable_text=self._choices.editable_text,
        )

    def _kind(self) -> str:
        """A key of FORMAT_NAMES or of `more_names`."""
        return self._more.value if self._formats.value == MORE else self._formats.value

    def _factor(self) -> int:
        return 1 if self._kind() == ".collage" else int(self._factors.value)

    def _show_size(self) -> None:
        document, factor = self._editor.document, self._factor()
        depth = "16 bit" if is_deep(document) else "8 bit"
        width, height = document.size.width * factor, document.size.height * factor
        self._size_line.show_text(f"{width} × {height} px, {depth} sources, sRGB")

    def _on_factor(self) -> None:
        self._show_size()
        self._tell_bytes()

    def _tell_bytes(self) -> None:
        """Say in the foot how large the file will be, as soon as that is known."""
        self._telling += 1
        telling, document = self._telling, self._editor.document
        suffix, options = suffix_of(self._kind()), self.options()
        self._foot_line.show_text(_CHECKED)

        def show(count: int | None) -> None:
            if count is not None and telling == self._telling:
                self._foot_line.show_text(f"About {size_text(count)}. {_CHECKED}")

        self._background.submit(lambda: _estimate(document, suffix, options), show)

    def _show_format(self, kind: str) -> None:
        suffix = suffix_of(kind)
        self._more.setVisible(self._formats.value == MORE)
        self._depth.setVisible(suffix in _DEEP)
        self._ground.setVisible(suffix == ".jpg")
        self._factors.setVisible(suffix != ".collage")
        self._show_size()
        stem = Path(self._name.text().strip() or self._title())
        known = stem.suffix.lower() in KNOWN_SUFFIXES
        self._name.setText(f"{stem.stem if known else stem.name}{suffix}")
        self._show_button()
        self._folder_line.show_text(str(self._folder))
        self._show_trouble("")
        self._choices.show_for(self._editor.document, suffix if kind != TURNS else kind)
        self._show_facts()

    def _show_facts(self) -> None:
        while (item := self._facts.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        for icon_name, bold, quiet in facts(self._editor.document, self._kind(), self.options()):
            self._facts.addWidget(FactLine(icon_name, bold, quiet))
        self._tell_bytes()

    def _draw_picture(self, document: Document) -> None:
        height = round(_PICTURE_WIDTH * document.size.height / document.size.width)
        height = min(max(height, 80), 220)
        ratio = self.devicePixelRatioF()
        size = QSize(_PICTURE_WIDTH, height)
        # Until it is drawn, a plain field of its size stands in its place.
        blank = QPixmap(size)
        blank.fill(tokens.current().color("paste"))
        self._picture.setPixmap(blank)
        self._picture.setFixedHeight(height)
        self._background.submit(
            lambda: _small_picture(document, _PICTURE_WIDTH * ratio),
            lambda pixels: self._picture.setPixmap(fresh_thumb(pixels, size, ratio)),
        )

    def _ask_folder(self) -> None:
        dialog = QFileDialog(self, "Folder for the export", str(self._folder))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._take_folder)
        self._dialog = dialog
        dialog.open()

    def _take_folder(self, folder: str) -> None:
        self._folder = Path(folder)
        self._folder_line.show_text(folder)

    def _show_trouble(self, words: str) -> None:
        self._trouble.show_text(words)
        self._trouble.setVisible(bool(words))
        self._name.setProperty("kind", "danger" if words else "")
        restyle(self._name)

    def _run(self) -> None:
        if not self._name.text().strip().removesuffix(suffix_of(self._kind()) or ".png"):
            self._show_trouble("The file needs a name.")
            return
        if not self._is_writing:
            self._is_writing = True
            self._show_button()
            opening = self._opening
            done = partial(self._on_written, opening)
            self._write(self.path(), done, self.options())

    def _on_written(self, opening: int, is_well: bool) -> None:
        if opening != self._opening:
            return
        self._is_writing = False
        self._show_button()
        if not self.isVisible():
            return
        if is_well:
            self.close_sheet()
        else:
            self._show_trouble("It was not written. Choose another folder or name.")

    def _show_button(self) -> None:
        name = FORMAT_NAMES.get(self._kind(), suffix_of(self._kind())[1:].upper() or "layers")
        self._export.setText("Exporting…" if self._is_writing else f"Export {name}")
        self._export.setEnabled(not self._is_writing)


def _small_picture(document: Document, width: float) -> npt.NDArray[np.uint8]:
    """(h, w, 4) of what the file will show, `width` device px wide or larger."""
    if document.accepted is not None:
        return eight_bit(document.accepted.picture)
    scale = width / document.size.width
    small = Size(
        max(1, round(document.size.width * scale)), max(1, round(document.size.height * scale))
    )
    return np.ascontiguousarray(flatten(document, size=small))


def _estimate(document: Document, suffix: str, options: ExportOptions) -> int | None:
    try:
        return estimated_bytes(document, suffix, options)
    except FormatError:  # the export itself will tell
        return None


class FactLine(QWidget):
    """Icon, what, and its quiet detail at the right."""

    def __init__(self, icon_name: str, bold: str, quiet: str) -> None:
        super().__init__()
        self.what = bold
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        picture = QLabel()
        picture.setPixmap(icon(icon_name, "t2").pixmap(QSize(18, 18), self.devicePixelRatioF()))
        row.addWidget(picture)
        label = Label(bold, "title")
        row.addWidget(label)
        row.addStretch(1)
        row.addWidget(Label(quiet, "second"))
