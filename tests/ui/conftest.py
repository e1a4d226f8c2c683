"""Fixtures for windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow, camp, open_window


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Iterator[OpenWindow]:
    """A shown main window with the camp document; nobody listens once it is closed."""
    made = open_window(tmp_path, camp())
    made.window.resize(1280, 800)  # wide enough for the dock not to be a drawer
    made.window.show()
    qtbot.waitExposed(made.window)
    yield made
    made.close()
    made.window.deleteLater()
    assert len(made.session.editor.changed) == 0
    assert len(made.session.selection.changed) == 0
