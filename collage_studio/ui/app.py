"""Start of the desktop program: window first, everything that can wait after it was painted.

Nothing is imported here that `run` can import once the interpreter is prepared for a quick start.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from collage_studio.ui.start import prepare_interpreter

SWITCH_SECONDS = 0.001
"""How long a thread that writes a file may hold Python while the window waits for it."""


def run(argv: Sequence[str]) -> int:
    """Run the desktop program; `argv` without the program's name may hold one file to open."""
    written = prepare_interpreter()
    sys.setswitchinterval(SWITCH_SECONDS)

    from PySide6.QtWidgets import QApplication

    app = QApplication([sys.argv[0], *argv])
    app.setApplicationName("Collage Studio")
    app.setDesktopFileName("collage-studio")

    from collage_studio.ui.program import start

    files = [argument for argument in argv if not argument.startswith("-")]
    program = start(app, Path(files[0]) if files else None)
    program.window.later.finished.connect(written.end)
    code = app.exec()
    del program
    return code
