"""Start of the desktop program: window first, engine after it has been painted."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from collage_studio.app.files import samples
from collage_studio.app.notices import Notice
from collage_studio.app.settings import PreferencesStore
from collage_studio.ui.engine_thread import EngineThread
from collage_studio.ui.main_window import MainWindow
from collage_studio.ui.session import Session
from collage_studio.ui.style.theme import apply_theme, prepare_application

SWITCH_SECONDS = 0.001
"""How long a thread that writes a file may hold Python while the window waits for it."""
REPORT_VARIABLE = "COLLAGE_STUDIO_STARTUP_REPORT"
"""Names a file that gets the time of the first paint, in seconds since the epoch."""


class Program:
    """One window with its engine, from start to close."""

    def __init__(self, app: QApplication, store: PreferencesStore) -> None:
        self._app = app
        self.engine = EngineThread(device=store.current.device)
        self.session = Session.with_engine(self.engine, store)
        self.window = MainWindow(self.session)
        self.engine.arrived.connect(self.session.runs.handle)
        self.engine.state_changed.connect(self.window.status.show_engine)
        self.window.painted.connect(self._on_painted)
        self.window.closing.connect(self.engine.stop)

    def open_first(self, path: Path | None) -> None:
        """Open the file named on the command line, recovered work, or the first sample."""
        if path is not None and self.window.files.open(path):
            return
        if not self._recover():
            self._open_sample()

    def _recover(self) -> bool:
        found = self.session.autosave.recover()
        if not found:
            return False
        newest = found[0]
        self.session.files.restore(newest.opened.document, newest.path)
        self.session.autosave.write(newest.path)
        self.session.autosave.forget(newest)
        table = self.window.table
        table.bind_command("app.show_saved", lambda _argument: self._show_saved(newest.path))
        table.bind_command("app.keep", lambda _argument: None)
        buttons = (("Keep", "app.keep"), ("Show saved version", "app.show_saved"))
        self.window.show_notice(Notice(newest.notice, "ok", buttons, key="recovered"))
        return True

    def _show_saved(self, path: Path | None) -> None:
        if path is not None and path.is_file():
            self.window.files.open(path)
        else:
            self.window.files.new()

    def _open_sample(self) -> None:
        known = samples()
        named = next((one for one in known if one.name.lower().startswith("lakeside")), None)
        sample = named or (known[0] if known else None)
        if sample is not None and self.session.files.open_sample(sample):
            self.window.overlays.hints.show_for_sample()
            self.window.status.show_hint("Sample collage: everything here can be changed")

    def _on_painted(self) -> None:
        report = os.environ.get(REPORT_VARIABLE)
        if report:
            Path(report).write_text(repr(time.time()), encoding="utf-8")
        QTimer.singleShot(0, self.engine.start)


def run(argv: Sequence[str]) -> int:
    """Run the desktop program; `argv` without the program's name may hold one file to open."""
    sys.setswitchinterval(SWITCH_SECONDS)
    app = QApplication([sys.argv[0], *argv])
    app.setApplicationName("Collage Studio")
    app.setDesktopFileName("collage-studio")
    store = PreferencesStore()
    prepare_application(app, store.current.theme)
    program = Program(app, store)
    files = [argument for argument in argv if not argument.startswith("-")]
    program.open_first(Path(files[0]) if files else None)
    apply_theme(app, store.current.theme)
    program.window.show()
    return app.exec()
