"""Runs the command `cutout` for background models in a process of its own, beside the window."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, Signal

from collage_studio.cutout.layers import as_mask, picture_of
from collage_studio.document.model import Mask, Raster
from collage_studio.formats.images import load_image
from collage_studio.formats.pixels_png import encode_png


class ModelProcess(QObject):
    """One run at a time: a download, or a model on a picture.

    Signals:
        progressed(float): share of a download in [0, 1].
        done(object): the Mask, or None after a download.
        failed(str): one sentence.
    """

    progressed = Signal(float)
    done = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._said = ""
        self._out: Path | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def download(self, name: str) -> None:
        """Fetch a model the user has just agreed to."""
        self._start(["--model", name, "--download"], None)

    def remove(self, raster: Raster, name: str, model_file: Path | None = None) -> None:
        """Let a model find the object of a picture."""
        self._folder = tempfile.TemporaryDirectory(prefix="collage-cutout-")
        folder = Path(self._folder.name)
        (folder / "in.png").write_bytes(encode_png(picture_of(raster)))
        out = folder / "alpha.png"
        arguments = [str(folder / "in.png"), "-o", str(out), "--alpha-only", "--model", name]
        if model_file is not None:
            arguments += ["--model-file", str(model_file)]
        self._start(arguments, out)

    def stop(self) -> None:
        """End what runs; nothing is told."""
        process, self._process = self._process, None
        if process is not None:
            process.finished.disconnect()
            process.readyReadStandardError.disconnect()
            process.kill()
            process.waitForFinished(2000)
            process.deleteLater()
        self._forget_folder()

    def _start(self, arguments: list[str], out: Path | None) -> None:
        if self._process is not None:
            return
        self._said = ""
        process = self._process = QProcess(self)
        process.readyReadStandardError.connect(self._listen)
        self._out = out
        process.finished.connect(self._on_finished)
        process.start(sys.executable, ["-m", "collage_studio", "cutout", *arguments])

    def _listen(self) -> None:
        if self._process is None:
            return
        text = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
        for spoken in text.splitlines():
            words = spoken.split()
            if len(words) == 4 and words[0] == "downloaded":
                total = int(words[3])
                self.progressed.emit(int(words[1]) / total if total else 0.0)
            elif spoken.strip():
                self._said = spoken.strip()

    def _on_finished(self, code: int) -> None:
        self._listen()
        out = self._out
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        if code != 0:
            self._forget_folder()
            self.failed.emit(self._said or "The model stopped. Cut out by strokes instead.")
            return
        mask: Mask | None = None
        if out is not None:
            mask = as_mask(load_image(out).pixels[..., 0].astype("uint8"))
        self._forget_folder()
        self.done.emit(mask)

    def _forget_folder(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
