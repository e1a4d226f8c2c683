"""What makes the program start quickly: habits of the interpreter that cost half of it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from importlib import import_module

from collage_studio.ui.qt_import import import_qt
from collage_studio.ui.waiting import WaitingModules
from collage_studio.ui.written_code import WrittenCode, code_of_this_program

_LATER_CLASSES = (
    "QMenu", "QTabBar", "QTabWidget", "QWizard", "QFileDialog", "QMessageBox", "QInputDialog",
    "QFontDialog", "QColorDialog", "QDialogButtonBox", "QCalendarWidget", "QComboBox",
    "QFontComboBox", "QDateTimeEdit", "QSpinBox", "QGraphicsView", "QMdiArea", "QMdiSubWindow",
    "QListWidget", "QTableWidget", "QTreeWidget", "QColumnView", "QHeaderView", "QToolBox",
    "QToolBar", "QDockWidget", "QLCDNumber", "QSlider", "QDial", "QScrollBar", "QRubberBand",
    "QToolButton", "QKeySequenceEdit", "QProgressBar",
)  # fmt: skip
_ENGINE_MODULES = (
    "socket", "subprocess", "tempfile", "multiprocessing.context", "multiprocessing.util",
    "multiprocessing.connection", "multiprocessing.shared_memory", "collage_studio.jobs.wire",
    "collage_studio.jobs.worker", "collage_studio.jobs.supervisor",
)  # fmt: skip
_LATER_MODULES = (
    "PIL.ExifTags", "PIL.Image", "PIL.ImageOps", "PIL.ImageCms", "collage_studio.formats.images",
    "collage_studio.ui.panels.layer_page", "collage_studio.ui.panels.extras_section",
    "collage_studio.ui.panels.look_section", "collage_studio.ui.proofs",
    "collage_studio.ui.widgets.hints", "collage_studio.ui.canvas.noise_overlay",
    "collage_studio.ui.dialogs.settings_popover", "collage_studio.ui.dialogs.queue_popover",
    "collage_studio.ui.dialogs.find_popover", "collage_studio.ui.dialogs.export_sheet",
)  # fmt: skip


def prepare_interpreter() -> tuple[WrittenCode, WaitingModules]:
    """Import Qt, with what was compiled before; collect no garbage meanwhile.

    Returns:
        What writes compiled code for the next start, and the modules that wait for the first paint.

    The objects made while modules are imported all stay, so looking through them for garbage,
    again and again, finds nothing.
    """
    gc.disable()
    written = code_of_this_program()
    written.begin()
    import_qt(written)
    return written, WaitingModules()


def class_pieces() -> tuple[Callable[[], object], ...]:
    """Ready the classes of widgets one by one.

    Where PySide meets a widget that Qt has made, it readies all of them at once, for 20 ms.
    """
    import PySide6.QtWidgets

    return tuple(partial(getattr, PySide6.QtWidgets, name) for name in _LATER_CLASSES)


def engine_pieces() -> tuple[Callable[[], object], ...]:
    """Load what the engine's thread needs, in small pieces."""
    return tuple(partial(import_module, name) for name in _ENGINE_MODULES)


def module_pieces() -> tuple[Callable[[], object], ...]:
    """Load what the first run, popover or overlay needs, so that none of them waits for it."""
    return tuple(partial(import_module, name) for name in _LATER_MODULES)


def settle_memory() -> None:
    """What the start has made stays: leave it out of every later collection, and collect again.

    A full collection looks at all that is not frozen and stops the window for as long.
    """
    gc.freeze()
    gc.enable()
