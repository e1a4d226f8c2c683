"""Pick by clicks in the window: there only with a model, answered by a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow, open_window

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, Raster
from collage_studio.ui.cutout.click_strip import PickPage
from collage_studio.ui.dialogs.preferences_sheet import PreferencesSheet

ROOT = Path(__file__).parents[2]
SERVER = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from test_segment_server import ByColour
from collage_studio.commands.segment_server import serve
def say(answer):
    import json
    print(json.dumps(answer), flush=True)
serve(ByColour(), sys.stdin, say)
"""


def photo() -> Document:
    """A red disc on blue, 80 x 80 px, laid on a canvas of 160 x 120 at (20, 10)."""
    y, x = np.mgrid[:80, :80] + 0.5
    disc = np.hypot(x - 40, y - 40) < 22
    rgb = np.where(disc[..., None], (220, 40, 30), (30, 60, 200)).astype(np.uint8)
    there = Affine.translation(20, 10)
    layer = Layer("photo", "Photo", raster=Raster.from_rgb(rgb), placement=there)
    return Document(Size(160, 120), (layer,))


@pytest.fixture
def photographed(qtbot: QtBot, tmp_path: Path) -> Iterator[OpenWindow]:
    opened = open_window(tmp_path, photo())
    opened.window.show()
    qtbot.waitExposed(opened.window)
    opened.session.selection.select(["photo"])
    opened.window.table.run("tool.pick")
    yield opened
    opened.close()
    opened.window.deleteLater()
    assert len(opened.session.editor.changed) == 0


def page(opened: OpenWindow) -> PickPage:
    found = opened.window._cutouts.kit.strips["pick"]
    assert isinstance(found, PickPage)
    return found


def clicking(opened: OpenWindow, tmp_path: Path) -> None:
    """Choose a pair, answered by the colour-finding process, and the way Clicks."""
    script = tmp_path / "server.py"
    script.write_text(SERVER.format(root=str(ROOT), tests=str(ROOT / "tests" / "cli")))
    opened.window._cutouts.kit.process._server = (sys.executable, str(script))
    opened.session.store.update(segmenter=("encoder.onnx", "decoder.onnx"))
    page(opened).ways.chosen.emit("clicks")


def click(opened: OpenWindow, x: float, y: float, *, takes_away: bool = False) -> None:
    canvas = opened.window.canvas
    at: QPointF = canvas.viewport.to_widget(x, y)
    keys = Qt.KeyboardModifier.AltModifier if takes_away else Qt.KeyboardModifier.NoModifier
    left = Qt.MouseButton.LeftButton
    kind = QEvent.Type.MouseButtonPress
    event = QMouseEvent(kind, at, canvas.mapToGlobal(at), left, left, keys)
    QApplication.sendEvent(canvas, event)


def test_clicks_are_offered_only_with_a_model(photographed: OpenWindow):
    ways = page(photographed).ways
    assert not ways.isVisibleTo(photographed.window)
    photographed.session.store.update(segmenter=("encoder.onnx", ""))
    assert not ways.isVisibleTo(photographed.window)
    photographed.session.store.update(segmenter=("encoder.onnx", "decoder.onnx"))
    assert ways.isVisibleTo(photographed.window)
    ways.chosen.emit("clicks")
    kit = photographed.window._cutouts.kit
    assert photographed.window.canvas.hand_tool is kit.clicks
    photographed.session.store.update(segmenter=())
    assert not ways.isVisibleTo(photographed.window)
    assert photographed.window.canvas.hand_tool is kit.pick


def test_a_click_finds_the_object_and_return_cuts_it_out(
    photographed: OpenWindow, tmp_path: Path, qtbot: QtBot
):
    clicking(photographed, tmp_path)
    tool = photographed.window._cutouts.kit.clicks
    click(photographed, 60, 50)
    assert tool.is_busy
    qtbot.waitUntil(lambda: tool.can_cut, timeout=20_000)
    photographed.window.canvas.grab()
    click(photographed, 25, 15, takes_away=True)
    qtbot.waitUntil(lambda: tool.can_cut, timeout=20_000)
    before = photographed.session.editor.document
    QTest.keyClick(photographed.window.canvas, Qt.Key.Key_Return)
    layer = photographed.session.editor.document.find("photo")
    assert layer is not None
    assert layer.mask is not None
    assert layer.mask.values[40, 40] == 255
    assert layer.mask.values[5, 5] == 0
    assert photographed.session.editor.undo_label == "Cut out Photo"
    photographed.session.editor.undo()
    assert photographed.session.editor.document is before
    assert tool.click_count == 0


def test_a_model_that_cannot_be_opened_is_told(photographed: OpenWindow, qtbot: QtBot):
    photographed.session.store.update(segmenter=("no-encoder.onnx", "no-decoder.onnx"))
    page(photographed).ways.chosen.emit("clicks")
    tool = photographed.window._cutouts.kit.clicks
    with qtbot.waitSignal(tool.failed, timeout=20_000) as told:
        click(photographed, 60, 50)
    assert "no-encoder.onnx" in told.args[0]
    assert not tool.can_cut
    QTest.keyClick(photographed.window.canvas, Qt.Key.Key_Escape)
    assert tool.click_count == 0


def test_the_preferences_choose_and_clear_both_files(photographed: OpenWindow):
    photographed.window.table.run("edit.preferences")
    sheet = photographed.window.overlays._preferences_sheet
    assert isinstance(sheet, PreferencesSheet)
    choice = sheet._segmenter
    assert not choice.clear.isEnabled()
    choice.choose(0, "/models/sam-encoder.onnx")
    choice.choose(1, "/models/sam-decoder.onnx")
    kept = photographed.session.store.current.segmenter
    assert kept == ("/models/sam-encoder.onnx", "/models/sam-decoder.onnx")
    assert [button.text()[-7:] for button in choice.files] == ["encoder", "decoder"]
    assert "/models/sam-decoder.onnx" in choice.files[1].toolTip()
    choice.clear.click()
    assert photographed.session.store.current.segmenter == ()
