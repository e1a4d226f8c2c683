"""Start of the desktop program: window first, everything that can wait after it was painted.

Nothing is imported here that `run` can import once the interpreter is prepared for a quick start.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from collage_studio.ui.start import prepare_interpreter


def run(argv: Sequence[str]) -> int:
    """Run the desktop program; `argv` without the program's name may hold one file to open."""
    written, waiting = prepare_interpreter()

    from PySide6.QtWidgets import QApplication

    from collage_studio.ui.style.fonts import load_fonts
    from collage_studio.ui.style.theme import STYLE_ARGUMENTS

    app = QApplication([sys.argv[0], *STYLE_ARGUMENTS, *argv])
    app.setApplicationName("Collage Studio")
    app.setDesktopFileName("collage-studio")

    # Qt looks through the fonts of this computer now, beside what Python imports.
    fonts = Thread(target=load_fonts)
    fonts.start()

    from collage_studio.ui.program import start

    fonts.join()
    files = [argument for argument in argv if not argument.startswith("-")]
    program = start(app, Path(files[0]) if files else None, waiting)
    program.window.later.finished.connect(written.end)
    code = app.exec()
    del program
    return code
