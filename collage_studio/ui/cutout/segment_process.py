"""Clicks answered by the user's segmentation model, in a process of its own beside the window."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, QProcess, Signal

from collage_studio.cutout.layers import picture_of
from collage_studio.document.model import Raster
from collage_studio.formats.images import load_image
from collage_studio.formats.pixels_png import encode_png

ClickPoint = tuple[float, float, bool]
"""x and y in source px, and whether it lies on the object."""

SERVER = (sys.executable, "-m", "collage_studio.commands.segment_server")


class SegmentProcess(QObject):
    """One process for one pair of files; started at the first click, kept while the pair is.

    Signals:
        found(object, object): the raster that was asked about, and its alpha (H, W) uint8.
        failed(str): one sentence.
    """

    found = Signal(object, object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None, server: Sequence[str] = SERVER) -> None:
        super().__init__(parent)
        self._server = tuple(server)
        self._pair: tuple[str, str] | None = None
        self._process: QProcess | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._seen: Raster | None = None
        self._asked: Raster | None = None
        self._next: tuple[Raster, tuple[ClickPoint, ...]] | None = None

    @property
    def is_busy(self) -> bool:
        """An answer is awaited."""
        return self._asked is not None

    def ask(self, pair: tuple[str, str], raster: Raster, clicks: Sequence[ClickPoint]) -> None:
        """Find the object of these clicks; while one is worked out only the newest wish waits."""
        if pair != self._pair:
            self.stop()
            self._pair = pair
        if self.is_busy:
            self._next = (raster, tuple(clicks))
            return
        if self._process is None:
            self._start(pair)
        self._asked = raster
        folder = self._place()
        if raster is not self._seen:
            picture = folder / "in.png"
            picture.write_bytes(encode_png(picture_of(raster)))
            self._write({"picture": str(picture), "key": raster.key})
            self._seen = raster
        self._write({"clicks": [list(click) for click in clicks], "out": str(folder / "out.png")})

    def stop(self) -> None:
        """End the process; nothing is told."""
        process, self._process = self._process, None
        self._seen = self._asked = self._next = None
        if process is not None:
            process.finished.disconnect()
            process.readyReadStandardOutput.disconnect()
            process.kill()
            process.waitForFinished(2000)
            process.deleteLater()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _place(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="collage-clicks-")
        return Path(self._folder.name)

    def _start(self, pair: tuple[str, str]) -> None:
        process = self._process = QProcess(self)
        process.readyReadStandardOutput.connect(self._listen)
        process.finished.connect(self._on_finished)
        process.start(self._server[0], [*self._server[1:], *pair])

    def _write(self, message: dict[str, Any]) -> None:
        if self._process is not None:
            self._process.write((json.dumps(message) + "\n").encode())

    def _listen(self) -> None:
        while self._process is not None and self._process.canReadLine():
            answer: dict[str, Any] = json.loads(bytes(self._process.readLine().data()))
            if "failed" in answer:
                self._over()
                self.failed.emit(answer["failed"])
            elif "alpha" in answer and self._asked is not None:
                raster, alpha = self._asked, _alpha(Path(answer["alpha"]))
                self._over()
                self.found.emit(raster, alpha)

    def _over(self) -> None:
        """The question is answered; ask what was wanted meanwhile."""
        self._asked = None
        wanted, self._next = self._next, None
        if wanted is not None and self._pair is not None:
            self.ask(self._pair, *wanted)

    def _on_finished(self) -> None:
        was_busy = self.is_busy
        self._listen()
        told = was_busy and not self.is_busy
        self._next = None
        process, self._process = self._process, None
        self._seen = self._asked = None
        if process is not None:
            process.deleteLater()
        if was_busy and not told:
            self.failed.emit("The segmentation model stopped. Choose another pair of files.")


def _alpha(path: Path) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(load_image(path).pixels[..., 0]).astype(np.uint8)
