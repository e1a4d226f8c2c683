"""The preferences: every control changes what it names."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow

from collage_studio.ui.dialogs.preferences_sheet import PreferencesSheet
from collage_studio.ui.style import tokens


def _sheet(opened: OpenWindow) -> PreferencesSheet:
    opened.window.table.run("edit.preferences")
    sheet = opened.window.overlays._preferences_sheet
    assert sheet is not None
    assert sheet.isVisible()
    return sheet


def test_the_theme_changes_at_once(opened: OpenWindow) -> None:
    sheet, before = _sheet(opened), tokens.current().name
    other = "light" if before == "dark" else "dark"
    sheet._theme.chosen.emit(other)
    assert tokens.current().name == other
    assert opened.session.store.current.theme == other
    assert sheet._theme.value == other
    sheet._theme.chosen.emit(before)


def test_the_bar_under_the_selection_can_be_left_out(opened: OpenWindow) -> None:
    sheet, canvas = _sheet(opened), opened.window.canvas
    opened.session.selection.select(["tent"])
    assert canvas.layer_bar.isVisible()
    sheet._bar.click()
    assert not canvas.layer_bar.isVisible()
    assert not opened.session.store.current.layer_bar
    sheet._bar.click()
    assert canvas.layer_bar.isVisible()


def test_snapping_is_the_same_switch_as_in_the_options(opened: OpenWindow) -> None:
    sheet, window = _sheet(opened), opened.window
    on = window.canvas.snap
    sheet._snap.click()
    assert window.canvas.snap is not on
    assert window.options.snap.isChecked() is not on
    window.options.snap.click()
    assert sheet._snap.isChecked() is on


def test_the_recovery_copy_is_written_as_often_as_chosen(opened: OpenWindow) -> None:
    sheet = _sheet(opened)
    sheet._autosave.chosen.emit("15")
    opened.window._autosave()
    assert opened.session.autosave.interval_seconds == 15
    assert sheet._autosave.value == "15"


def test_another_device_says_when_it_is_used(opened: OpenWindow) -> None:
    sheet = _sheet(opened)
    assert sheet._restart.isHidden()
    sheet._device.chosen.emit("cpu")
    assert opened.session.store.current.device == "cpu"
    assert not sheet._restart.isHidden()


def test_another_precision_is_kept_and_said_when_it_is_used(opened: OpenWindow) -> None:
    sheet = _sheet(opened)
    sheet._precision.chosen.emit("fp16")
    assert opened.session.store.current.precision == "fp16"
    assert sheet._precision.value == "fp16"
    assert not sheet._restart.isHidden()


def test_an_identity_model_is_an_encoder_or_none(opened: OpenWindow, tmp_path: Path) -> None:
    sheet, store = _sheet(opened), opened.session.store
    identity = sheet._identity
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["BertModel"]}))
    identity.choose(tmp_path)
    assert store.current.identity_model == ""
    assert "holds no image encoder" in identity.trouble.text()
    assert not identity.trouble.isHidden()
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["Dinov2Model"]}))
    (tmp_path / "model.safetensors").touch()
    identity.choose(tmp_path)
    assert store.current.identity_model == str(tmp_path) == identity.choice.value
    assert identity.trouble.isHidden()
    identity.choice.chosen.emit("")
    assert store.current.identity_model == "" == identity.choice.value


def test_hints_and_recent_files_can_be_forgotten(qtbot: QtBot, opened: OpenWindow) -> None:
    store = opened.session.store
    store.update(hints_seen=("sample",), recent=("/nowhere/one.collage",))
    sheet = _sheet(opened)
    sheet._hints.click()
    sheet._recent.click()
    assert store.current.hints_seen == ()
    assert store.current.recent == ()
    assert not sheet._hints.isEnabled()
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
