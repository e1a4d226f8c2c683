"""The program: one window with its engine, from start to close."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtWidgets import QApplication

from collage_studio.app.files import samples
from collage_studio.app.notices import Notice
from collage_studio.app.settings import PreferencesStore
from collage_studio.ui.engine_thread import EngineThread
from collage_studio.ui.engines import Engines
from collage_studio.ui.later import polish_pieces
from collage_studio.ui.main_window import MainWindow
from collage_studio.ui.session import Session
from collage_studio.ui.start import class_pieces, engine_pieces, module_pieces, settle_memory
from collage_studio.ui.style.theme import apply_theme, prepare_application
from collage_studio.ui.waiting import WaitingModules
from collage_studio.ui.widgets.cover import Cover

REPORT_VARIABLE = "COLLAGE_STUDIO_STARTUP_REPORT"
"""Names a file that gets, as JSON, when the window was painted and what it took to get there."""

SWITCH_SECONDS = 0.001
"""How long a thread beside the window may hold Python while the window waits for it."""


def start(app: QApplication, path: Path | None, waiting: WaitingModules) -> Program:
    """Show the window, then load what waits and open `path`, recovered work or a sample in it."""
    store = PreferencesStore()
    prepare_application(app, store.current.theme)
    program = Program(app, store)
    covers = _cover_empty_places(program.window)
    program.window.painted.connect(lambda: program.begin(path, waiting, covers))
    apply_theme(app, store.current.theme)
    program.window.show()
    return program


class Program:
    """One window with its engine, from start to close."""

    def __init__(self, app: QApplication, store: PreferencesStore) -> None:
        self._app = app
        sys.setswitchinterval(SWITCH_SECONDS)
        self.engine = EngineThread(device=store.current.device, precision=store.current.precision)
        self.engines = Engines(self.engine)
        self.session = Session.with_engine(self.engines, store)
        self.window = MainWindow(self.session)
        self.engines.arrived.connect(self.session.runs.handle)
        self.engine.state_changed.connect(self.window.status.show_engine)
        self.window.closing.connect(self.engines.stop)

    def begin(
        self, path: Path | None, waiting: WaitingModules, covers: Sequence[Cover] = ()
    ) -> None:
        """Follow the first paint: load what waited, open the first document, prepare the rest."""
        said = _clocks()
        waiting.load()
        self.open_first(path)
        for cover in covers:
            cover.deleteLater()
        self.window.later.add(lambda: self._report(said))
        self._get_ready()

    def open_first(self, path: Path | None) -> None:
        """Open the file named on the command line, recovered work, or the first sample."""
        if path is not None:
            self.window.files.open(path, failed=self._open_own)
        else:
            self._open_own()

    def _open_own(self) -> None:
        if not self._recover():
            self._open_sample()

    def _recover(self) -> bool:
        found = self.session.autosave.recover()
        if not found:
            return False
        newest = found[0]
        self.session.files.restore(newest.opened.document, newest.path)
        self.session.runs.put_back(self.session.autosave.jobs_of(newest))
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
            self.window.later.add(self.window.overlays.hints.show_for_sample)
            self.window.status.show_hint("Sample collage: everything here can be changed")

    def _report(self, painted: tuple[float, float]) -> None:
        """For measuring: when the window was painted, and when the picture was on its canvas."""
        report = os.environ.get(REPORT_VARIABLE)
        if report:
            has_picture = self.window.canvas.scene.shot(0) is not None
            said = {"painted": painted, "picture": _clocks() if has_picture else None}
            Path(report).write_text(json.dumps(said), encoding="utf-8")

    def _get_ready(self) -> None:
        window, later = self.window, self.window.later
        later.finished.connect(settle_memory)
        later.add(*engine_pieces(), self.engine.start, *class_pieces(), *module_pieces())
        later.add(window.options.make_ready, window.inspector.make_ready)
        for hidden in (window.options, window.inspector, window.strip):
            later.add(lambda part=hidden: later.add(*polish_pieces(part)))


def _cover_empty_places(window: MainWindow) -> tuple[Cover, ...]:
    """Nobody should see "No layers yet" for the moment until the first document is open."""
    layers = window.layers
    return (
        Cover(window.canvas, "paste"),
        Cover(layers.empty, "panel"),
        Cover(layers.tree, "panel"),
    )


def _clocks() -> tuple[float, float]:
    """Seconds since the epoch, and of processor time since the process began."""
    return time.time(), time.process_time()
