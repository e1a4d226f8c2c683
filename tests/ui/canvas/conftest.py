"""A canvas on screen for the tests beside this file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from canvas_stage import Stage
from pytestqt.qtbot import QtBot

from collage_studio.app.editor import Editor
from collage_studio.app.selection import Selection
from collage_studio.document.model import Document
from collage_studio.ui.canvas.canvas import Canvas


@pytest.fixture
def stage(qtbot: QtBot) -> Iterator[Callable[..., Stage]]:
    """Shows a document on a canvas of 900 x 700 px at 100 %."""
    made: list[Stage] = []

    def show(document: Document, *, scale: float = 1.0) -> Stage:
        editor, selection = Editor(document), Selection()
        canvas = Canvas(editor, selection)
        qtbot.addWidget(canvas)
        canvas.resize(900, 700)
        canvas.show()
        canvas.zoom_to(scale)
        made.append(Stage(canvas, editor, selection))
        return made[-1]

    yield show
    for one in made:
        one.canvas.close()
        assert len(one.editor.changed) == 0
        assert len(one.selection.changed) == 0
        assert len(one.selection.hover_changed) == 0
