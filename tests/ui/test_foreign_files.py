"""Opening Photoshop files: what is lost is said before, and exports of many kinds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from psd_tools import PSDImage
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow, camp

from collage_studio.document.geometry import Size
from collage_studio.formats.psd import PsdOptions, write_psd
from collage_studio.ui.dialogs.export_facts import LAYERS, MORE, more_names
from collage_studio.ui.dialogs.losses_sheet import LossesSheet

WAIT_MS = 30_000


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    """A file whose colours cannot be kept."""
    path = tmp_path / "grey.psd"
    PSDImage.frompil(Image.new("L", (80, 60), 90)).save(path)
    return path


def told(opened: OpenWindow, path: Path, qtbot: QtBot) -> LossesSheet:
    """Open `path` and wait until it is said what will be lost."""
    opened.window.files.open(path)

    def is_told() -> bool:
        sheet = opened.window.files._losses
        return sheet is not None and sheet.isVisible()

    qtbot.waitUntil(is_told, timeout=WAIT_MS)
    sheet = opened.window.files._losses
    assert sheet is not None
    return sheet


def test_a_file_that_loses_something_opens_only_on_demand(
    qtbot: QtBot, opened: OpenWindow, grey: Path
) -> None:
    before = opened.session.editor.document
    sheet = told(opened, grey, qtbot)
    assert opened.session.editor.document is before
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    assert opened.session.editor.document is before
    told(opened, grey, qtbot)
    qtbot.mouseClick(sheet._button, Qt.MouseButton.LeftButton)
    assert not sheet.isVisible()
    assert opened.session.editor.document.size == Size(80, 60)
    assert opened.session.files.needs_path


def test_a_file_that_loses_nothing_opens_at_once(
    qtbot: QtBot, opened: OpenWindow, tmp_path: Path
) -> None:
    path = tmp_path / "camp.psd"
    document = replace(camp(), size=Size(150, 110))
    write_psd(document, path)
    editor = opened.session.editor
    opened.window.files.open(path)
    qtbot.waitUntil(lambda: editor.document.size == document.size, timeout=WAIT_MS)
    assert editor.document == document
    write_psd(document, path, PsdOptions(whole=False))
    opened.window.files.open(path)
    qtbot.waitUntil(lambda: not editor.document.background.visible, timeout=WAIT_MS)
    assert [layer.name for layer in opened.session.editor.document.layers][1:] == [
        layer.name for layer in document.layers
    ]


@pytest.mark.parametrize("kind", [".jpg", ".tif", LAYERS])
def test_more_formats_are_written_from_the_sheet(
    qtbot: QtBot, opened: OpenWindow, tmp_path: Path, kind: str
) -> None:
    opened.window.table.run("file.export")
    sheet = opened.window.overlays._export
    assert sheet is not None
    sheet._formats.show_value(MORE)
    sheet._more.show_value(kind)
    sheet._show_format(kind)
    assert kind in more_names()
    assert sheet._ground.isVisible() == (kind == ".jpg")
    assert sheet._depth.isVisible() == (kind == ".tif")
    sheet._take_folder(str(tmp_path))
    target = sheet.path()
    qtbot.mouseClick(sheet._export, Qt.MouseButton.LeftButton)
    opened.session.writer.finish()
    assert target.is_dir() if kind == LAYERS else target.stat().st_size > 100
    assert not sheet.isVisible()
