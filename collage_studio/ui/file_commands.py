"""The File menu: dialogs that do not block, samples, recent files, pictures dropped and pasted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QMenu, QWidget

from collage_studio.app.adding import Incoming
from collage_studio.app.editor import Editor
from collage_studio.app.files import Files, samples
from collage_studio.app.notices import Notice
from collage_studio.app.reading import OPENABLE
from collage_studio.app.selection import Selection
from collage_studio.document.model import Document, Raster
from collage_studio.formats.opened import Opened
from collage_studio.ui.action_table import ActionTable
from collage_studio.ui.widgets.basics import listen

if TYPE_CHECKING:
    from PySide6.QtWidgets import QFileDialog

    from collage_studio.ui.dialogs.losses_sheet import LossesSheet

_READING = "reading"
LAYOUTS = "*.json *.pkl *.pickle *.png prompts.txt"
_PATIENCE_MS = 300
"""Files that are read sooner say nothing of it."""
PICTURES = "*.png *.jpg *.jpeg *.webp *.tif *.tiff *.bmp *.gif"


class FileCommands:
    """Asks for files and hands them to the use cases in `app.files`."""

    def __init__(
        self,
        window: QWidget,
        editor: Editor,
        selection: Selection,
        files: Files,
        notice: Callable[[Notice], None],
        drop_notice: Callable[[str], None],
    ) -> None:
        """Args: drop_notice: puts the notice with a key away."""
        self._window, self._editor, self._selection = window, editor, selection
        self._files, self._notice, self._drop_notice = files, notice, drop_notice
        self._reading = ""
        self._patience = QTimer(window, singleShot=True, interval=_PATIENCE_MS)
        self._patience.timeout.connect(self._tell_of_reading)
        self._subscription = files.reading.subscribe(self._on_reading)
        self._left: tuple[Document, Path | None, str] | None = None
        self._dialog: QFileDialog | None = None
        self._losses: LossesSheet | None = None

    def bind(self, table: ActionTable) -> None:
        """Give the table its functions."""
        table.bind("file.new", self.new)
        table.bind("file.open", self.ask_open)
        table.bind("file.add", self.ask_add)
        table.bind("file.import_layout", self.ask_import_layout)
        table.bind("file.save", self.save)
        table.bind("file.save_as", self.ask_save)
        table.bind("file.quit", self._window.close)
        table.bind_submenu("file.recent", self._fill_recent)
        table.bind_submenu("file.samples", self._fill_samples)
        table.bind_command("file.samples", lambda _argument: self.open_first_sample())
        table.bind_command("file.stop_opening", lambda _argument: self._files.stop_reading())
        table.bind_command("file.go_back", lambda _argument: self.go_back())

    def close(self) -> None:
        """Stop listening; called when the window closes."""
        self._subscription.close()
        self._patience.stop()

    def _on_reading(self, name: str) -> None:
        self._reading = name
        if name:
            self._patience.start()
        else:
            self._patience.stop()
            self._drop_notice(_READING)

    def _tell_of_reading(self) -> None:
        stop = (("Cancel", "file.stop_opening"),)
        self._notice(Notice(f"Opening {self._reading}…", "busy", stop, key=_READING))

    # Whole documents

    def new(self) -> None:
        """Start an empty document."""
        self._leave()
        self._files.new()
        self._selection.select(())
        self._offer_way_back()

    def open(self, path: Path, failed: Callable[[], object] = lambda: None) -> None:
        """Open a collage once it is read; a plain picture becomes a layer of this document.

        Args:
            failed: called where nothing can be opened, after the reason was told.
        """
        if path.suffix.lower() not in OPENABLE and self._editor.document.layers:
            if not self.add([path], None):
                failed()
            return

        def read(opened: Opened | None) -> None:
            if opened is None:
                failed()
            elif opened.losses:
                self._show_losses(path, opened)
            else:
                self._take(path, opened)

        self._files.read_later(path, read)

    def _take(self, path: Path, opened: Opened) -> None:
        self._leave()
        self._files.take(opened, path)
        self._selection.select(())
        self._offer_way_back()

    def _show_losses(self, path: Path, opened: Opened) -> None:
        """Tell what of a foreign file cannot be kept, and open it only if that is wanted."""
        if self._losses is None:
            from collage_studio.ui.dialogs.losses_sheet import LossesSheet

            self._losses = LossesSheet(self._window)
        self._losses.show_losses(path.name, opened.losses, lambda: self._take(path, opened))

    def open_first_sample(self) -> bool:
        """Open the first bundled collage; False if there is none."""
        known = samples()
        if not known:
            return False
        self._leave()
        opened = self._files.open_sample(known[0])
        self._selection.select(())
        if opened:
            self._offer_way_back()
        return opened

    def _leave(self) -> None:
        """Keep work that was not saved: opening another document asks no question."""
        modified = self._editor.is_modified
        files = self._files
        self._left = (self._editor.document, files.path, files.name) if modified else None

    def _offer_way_back(self) -> None:
        if self._left is not None:
            back = (("Go back to it", "file.go_back"),)
            self._notice(Notice("The document before was not saved.", "warn", back, key="left"))

    def go_back(self) -> None:
        """Take up the document that was left without saving."""
        if self._left is not None:
            document, path, name = self._left
            self._left = None
            self._files.restore(document, path, name)

    # Dialogs

    def ask_open(self) -> None:
        """Ask which file to open."""
        kinds = " ".join(f"*{suffix}" for suffix in OPENABLE)
        dialog = self._ask("Open", "open", f"Collages and pictures ({kinds} {PICTURES})")
        dialog.setFileMode(dialog.FileMode.ExistingFile)
        listen(dialog.fileSelected, lambda text: self.open(Path(text)))
        dialog.open()

    def ask_add(self) -> None:
        """Ask for pictures to put in."""
        dialog = self._ask("Add pictures", "add", f"Pictures ({PICTURES})")
        dialog.setFileMode(dialog.FileMode.ExistingFiles)
        listen(dialog.filesSelected, lambda texts: self.add([Path(t) for t in texts], None))
        dialog.open()

    def ask_import_layout(self) -> None:
        """Ask for a layout of another program: its file, or a file of the case it is."""
        dialog = self._ask("Import layout", "import", f"Layouts ({LAYOUTS})")
        dialog.setFileMode(dialog.FileMode.ExistingFile)
        listen(dialog.fileSelected, lambda text: self.import_layout(Path(text)))
        dialog.open()

    def import_layout(self, path: Path) -> None:
        """Read a layout as a document of its own, which has no file yet."""

        def take(opened: Opened | None) -> None:
            if opened is None:
                return
            from collage_studio.formats.layouts.reading import layout_title

            self._leave()
            self._files.restore(opened.document, None, layout_title(path))
            self._selection.select(())
            for text in opened.notices:
                self._notice(Notice(text, "warn", key=text))
            self._offer_way_back()

        self._files.read_later(path, take, _read_layout, "file.import_layout")

    def save(self) -> None:
        """Save, or ask for a file where there is none."""
        if self._files.needs_path:
            self.ask_save()
        else:
            self._files.save()

    def ask_save(self) -> None:
        """Ask where to save."""
        dialog = self._ask("Save as", "save", "Collages (*.collage)")
        dialog.setAcceptMode(dialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("collage")
        dialog.selectFile(f"{self._files.title}.collage")
        listen(dialog.fileSelected, lambda text: self._files.save_as(Path(text)))
        dialog.open()

    def _ask(self, title: str, purpose: str, kinds: str) -> QFileDialog:
        from PySide6.QtWidgets import QFileDialog

        dialog = QFileDialog(self._window, title, str(self._files.folder(purpose)), kinds)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._dialog = dialog
        return dialog

    # Pictures

    def add(self, paths: list[Path], at: QPointF | None) -> tuple[str, ...]:
        """Put picture files in at a canvas point and select them."""
        place = (at.x(), at.y()) if at is not None else None
        ids = self._files.add(paths, place)
        if ids:
            self._selection.select(ids)
        return ids

    def drop(self, paths: list[Path], at: QPointF) -> None:
        """Take dropped files: one collage opens, pictures become layers."""
        collages = [path for path in paths if path.suffix.lower() in OPENABLE]
        if collages:
            self.open(collages[0])
        else:
            self.add(paths, at)

    def add_image(self, image: QImage) -> None:
        """Put a bare picture from the clipboard in."""
        ids = self._files.add_pictures([Incoming(raster_of(image), "Pasted")])
        if ids:
            self._selection.select(ids)

    # Submenus

    def _fill_recent(self, menu: QMenu) -> None:
        for path in self._files.recent:
            entry = menu.addAction(path.name)
            entry.setToolTip(str(path))
            entry.triggered.connect(lambda _on=False, path=path: self.open(path))
        if menu.isEmpty():
            menu.addAction("Nothing opened yet").setEnabled(False)

    def _fill_samples(self, menu: QMenu) -> None:
        for sample in samples():
            entry = menu.addAction(sample.name)
            entry.triggered.connect(lambda _on=False, sample=sample: self._open_sample(sample.path))
        if menu.isEmpty():
            menu.addAction("No samples installed").setEnabled(False)

    def _open_sample(self, path: Path) -> None:
        known = {sample.path: sample for sample in samples()}
        if path in known:
            self._leave()
            self._files.open_sample(known[path])
            self._selection.select(())
            self._offer_way_back()


def _read_layout(path: Path) -> Opened:
    """A layout of another program; its readers are imported when one is asked for."""
    from collage_studio.formats.layouts.reading import read_layout

    return read_layout(path)


def raster_of(image: QImage) -> Raster:
    """A raster with a picture's pixels, 8 bit straight alpha."""
    plain = image.convertToFormat(QImage.Format.Format_RGBA8888)
    width, height = plain.width(), plain.height()
    flat = np.frombuffer(plain.constBits(), np.uint8)
    rows = flat.reshape(height, plain.bytesPerLine())[:, : width * 4]
    return Raster(rows.reshape(height, width, 4).copy())
