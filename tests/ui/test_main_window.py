"""The window as a whole: actions, options, popovers, export, and that nothing stays behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QColor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow, variation

from collage_studio.app.actions import ACTIONS
from collage_studio.document.recipe import Start
from collage_studio.formats.collage_file import load_collage
from collage_studio.ui.file_commands import raster_of
from collage_studio.ui.panels.document_page import change_settings


def test_ui_never_imports_torch() -> None:
    code = "import sys, collage_studio.ui.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_action_of_the_table_does_something(opened: OpenWindow) -> None:
    table = opened.window.table
    submenus = {"file.recent", "file.samples"}
    missing = [a.id for a in ACTIONS if table.find(a.id) is None and a.id not in submenus]
    assert missing == []


def test_actions_that_need_a_selection_are_off_with_a_reason(opened: OpenWindow) -> None:
    action = opened.window.table.get("layer.flip_horizontal")
    assert isinstance(action, QAction)
    assert not action.isEnabled()
    assert action.toolTip() == "No layer is selected"
    opened.session.selection.select(["tent"])
    assert action.isEnabled()


def test_shortcuts_are_given_once(opened: OpenWindow) -> None:
    keys = [a.shortcut for a in ACTIONS if a.shortcut]
    assert len(keys) == len(set(keys))


def test_options_fields_move_the_selected_layer(qtbot: QtBot, opened: OpenWindow) -> None:
    opened.session.selection.select(["tent"])
    field = opened.window.options._x
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "25")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    placement = opened.session.editor.document.find("tent").placement  # type: ignore[union-attr]
    assert placement.as_tuple()[2] == 25


def test_noise_in_the_inspector_of_several_layers_shifts_all(opened: OpenWindow) -> None:
    editor = opened.session.editor
    opened.session.selection.select(["dog"])
    opened.window.table.run("layer.noise_20")
    opened.session.selection.select(["dog", "tent"])
    page = opened.window.inspector.layer_page
    assert page._noise.is_mixed
    page._noise.set_by_hand(70)
    assert editor.document.find("tent").noise == pytest.approx(0.7)  # type: ignore[union-attr]
    assert editor.document.find("dog").noise == pytest.approx(0.3)  # type: ignore[union-attr]


def test_keep_remembers_the_noise_it_had(opened: OpenWindow) -> None:
    editor = opened.session.editor
    opened.session.selection.select(["tent"])
    opened.window.table.run("layer.keep")
    assert editor.document.find("tent").effective_noise == 0  # type: ignore[union-attr]
    opened.window.table.run("layer.harmonise")
    assert editor.document.find("tent").effective_noise == pytest.approx(0.6)  # type: ignore[union-attr]


def test_reroll_now_starts_from_what_was_chosen(qtbot: QtBot, opened: OpenWindow) -> None:
    opened.session.selection.select(["tent"])
    page = opened.window.inspector.layer_page
    page._start.show_value("noise")
    qtbot.mouseClick(page._reroll_now, Qt.MouseButton.LeftButton)
    (job,) = opened.session.runs.board.jobs
    assert job.request.layer_ids == ("tent",)  # type: ignore[union-attr]
    assert job.request.start is Start.NOISE  # type: ignore[union-attr]


def test_settings_popover_shows_and_changes_the_settings(qtbot: QtBot, opened: OpenWindow) -> None:
    qtbot.mouseClick(opened.window.caption.settings, Qt.MouseButton.LeftButton)
    popover = opened.window.overlays._settings
    assert popover is not None
    assert popover.isVisible()
    popover._quality._take(0)
    assert opened.session.editor.document.settings.steps == 10
    qtbot.keyClick(popover, Qt.Key.Key_Escape)
    assert not popover.isVisible()


def test_find_runs_the_action_it_found(qtbot: QtBot, opened: OpenWindow) -> None:
    opened.window.table.run("edit.find")
    popover = opened.window.overlays._find
    assert popover is not None
    qtbot.keyClicks(popover._field, "noise map")
    qtbot.keyClick(popover._field, Qt.Key.Key_Return)
    assert opened.window.canvas.show_noise_map


@pytest.mark.parametrize("suffix", [".psd", ".png"])
def test_export_sheet_writes_and_says_that_it_was_checked(
    qtbot: QtBot, opened: OpenWindow, tmp_path: Path, suffix: str
) -> None:
    opened.window.table.run("file.export")
    sheet = opened.window.overlays._export
    assert sheet is not None
    sheet._formats.show_value(suffix)
    sheet._show_format(suffix)
    sheet._take_folder(str(tmp_path))
    sheet._name.setText("camp")
    qtbot.mouseClick(sheet._export, Qt.MouseButton.LeftButton)
    assert sheet._export.text() == "Exporting…"
    opened.session.writer.finish()
    assert (tmp_path / f"camp{suffix}").stat().st_size > 100
    assert "checked" in opened.window.notices.notices[-1].text
    assert not sheet.isVisible()


def test_two_exports_in_a_row_are_both_written(
    qtbot: QtBot, opened: OpenWindow, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        opened.window.table.run("file.export")
        sheet = opened.window.overlays._export
        assert sheet is not None
        sheet._take_folder(str(tmp_path))
        sheet._name.setText(name)
        qtbot.mouseClick(sheet._export, Qt.MouseButton.LeftButton)
    opened.session.writer.finish()
    assert sorted(path.stem for path in tmp_path.glob("*.psd")) == ["first", "second"]
    assert not sheet.isVisible()


def test_export_without_a_name_is_not_written(qtbot: QtBot, opened: OpenWindow) -> None:
    opened.window.table.run("file.export")
    sheet = opened.window.overlays._export
    assert sheet is not None
    sheet._name.setText("")
    qtbot.mouseClick(sheet._export, Qt.MouseButton.LeftButton)
    assert sheet.isVisible()
    assert sheet._trouble.text() == "The file needs a name."
    sheet.close_sheet()


def test_copied_layers_are_pasted_as_new_ones(opened: OpenWindow) -> None:
    opened.session.selection.select(["tent"])
    opened.window.table.run("edit.copy")
    opened.window.table.run("edit.paste")
    names = [layer.name for layer in opened.session.editor.document.walk()]
    assert names.count("Tent") == 2
    assert len({layer.id for layer in opened.session.editor.document.walk()}) == len(names)


def test_opening_another_document_offers_the_way_back(opened: OpenWindow) -> None:
    editor = opened.session.editor
    change_settings(editor, "Avoid", avoid="fog")
    edited = editor.document
    opened.window.table.run("file.new")
    assert editor.document is not edited
    opened.window.table.run(opened.window.notices.notices[-1].buttons[0][1])
    assert editor.document is edited


def test_a_pasted_picture_keeps_its_pixels(qtbot: QtBot) -> None:
    from PySide6.QtGui import QImage

    image = QImage(3, 2, QImage.Format.Format_ARGB32)
    image.fill(QColor(10, 20, 30, 40))
    pixels = raster_of(image).pixels
    assert pixels.shape == (2, 3, 4)
    assert tuple(int(v) for v in pixels[1, 2]) == (10, 20, 30, 40)


def test_theme_can_be_switched_while_the_window_is_open(opened: OpenWindow) -> None:
    opened.window.table.run("view.theme")
    assert opened.session.store.current.theme == "light"
    assert not opened.window.grab().isNull()
    opened.window.table.run("view.theme")


def test_closing_remembers_sizes(opened: OpenWindow) -> None:
    opened.close()
    assert {"geometry", "body", "dock"} <= set(opened.session.store.current.window)


def test_closing_waits_for_a_save_and_loses_nothing(opened: OpenWindow, tmp_path: Path) -> None:
    session, window = opened.session, opened.window
    change_settings(session.editor, "Avoid", avoid="fog")
    session.files.save_as(tmp_path / "camp.collage")
    assert window.status._saved.full_text == "Saving…"
    assert not window.close()
    assert window.isVisible()
    session.writer.finish()
    QTest.qWait(20)
    assert not window.isVisible()
    assert load_collage(tmp_path / "camp.collage").document == session.editor.document
    assert not session.editor.is_modified


def test_a_failed_save_keeps_the_window_open(opened: OpenWindow, tmp_path: Path) -> None:
    change_settings(opened.session.editor, "Avoid", avoid="fog")
    opened.session.files.save_as(tmp_path / "no folder" / "camp.collage")
    assert not opened.window.close()
    opened.session.writer.finish()
    QTest.qWait(20)
    assert opened.window.isVisible()
    assert opened.window.notices.notices[-1].level == "danger"
    assert opened.session.editor.is_modified


def test_f6_goes_round_the_regions_and_comes_back(opened: OpenWindow) -> None:
    window = opened.window
    window.top.views.setFocus()
    seen = []
    for _ in range(7):
        window.focus_round.move(1)
        seen.append(window.focusWidget())
    assert window.canvas in seen
    assert window.layers.tree in seen
    assert window.top.views in seen


def test_recipe_of_a_variation_can_be_taken_over(opened: OpenWindow) -> None:
    editor = opened.session.editor
    change_settings(editor, "Steps", steps=50)
    opened.window.tile_menu.use_recipe(variation(editor.document, 3))
    assert editor.document.settings.steps == 25


class _Bell(QObject):
    rung = Signal(bool, object)


def test_twenty_thousand_signals_are_survived(qtbot: QtBot) -> None:
    bell, heard = _Bell(), [0]

    def hear(_on: bool, _thing: object) -> None:
        heard[0] += 1

    bell.rung.connect(hear)
    for _ in range(20_000):
        bell.rung.emit(True, None)
    assert heard[0] == 20_000
