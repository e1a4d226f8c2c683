"""The export sheet: its check boxes end to end, and what it says the file will hold."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from psd_tools import PSDImage
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow, camp, variation

from collage_studio.document.edits import accept_variation, add_variations
from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document
from collage_studio.document.noise_paint import over, set_paint
from collage_studio.formats.export import ExportOptions
from collage_studio.formats.psd_kept import kept_of_layer
from collage_studio.formats.psd_reading import read_psd
from collage_studio.formats.psd_text import TextStyle, type_block
from collage_studio.ui.dialogs.export_facts import LAYERS, MORE, TURNS, facts
from collage_studio.ui.dialogs.export_sheet import ExportSheet, FactLine
from collage_studio.ui.widgets.check_line import CheckLine

ORIGINALS, RECIPE, TEXT = "Original cutouts, hidden", "Recipe", "Editable text (experimental)"


def with_text(document: Document) -> Document:
    """`document` with a text layer that was moved since it was opened."""
    tent, *others = document.layers
    block = type_block("Lakeside camp", TextStyle(), tent.placement)
    kept = kept_of_layer({"TySh": block}, tent, "Lakeside camp")
    moved = replace(kept, placement=Affine.translation(7, 3).after(kept.placement))
    return replace(document, layers=(moved, *others))


def accepted(document: Document) -> Document:
    made = variation(document, 4187)
    return accept_variation(add_variations(document, [made]), made.id)


def opened_sheet(opened: OpenWindow, document: Document, kind: str = ".psd") -> ExportSheet:
    """The sheet over a window on `document`, at a kind of file."""
    opened.session.editor.replace(document, saved=True)
    opened.window.table.run("file.export")
    sheet = opened.window.overlays._export
    assert sheet is not None
    is_first = kind in (".psd", ".png", ".ora", ".collage")
    sheet._formats.show_value(kind if is_first else MORE)
    sheet._more.show_value(kind)
    sheet._show_format(kind)
    return sheet


def shown(sheet: ExportSheet) -> list[str]:
    return [box.text() for box in sheet.findChildren(CheckLine) if box.isVisible()]


def box(sheet: ExportSheet, name: str) -> CheckLine:
    return next(box for box in sheet.findChildren(CheckLine) if box.text() == name)


def press(qtbot: QtBot, sheet: ExportSheet, name: str) -> None:
    """Press at the far end of the line, where nothing is painted."""
    line = box(sheet, name)
    at = line.rect().center()
    at.setX(line.width() - 4)
    qtbot.mouseClick(line, Qt.MouseButton.LeftButton, pos=at)


def held(sheet: ExportSheet) -> list[str]:
    """What the left side says."""
    items = [sheet._facts.itemAt(index) for index in range(sheet._facts.count())]
    lines = [item.widget() for item in items if item is not None]
    return [line.what for line in lines if isinstance(line, FactLine)]


def export(qtbot: QtBot, opened: OpenWindow, sheet: ExportSheet, folder: Path) -> Path:
    sheet._take_folder(str(folder))
    target = sheet.path()
    qtbot.mouseClick(sheet._export, Qt.MouseButton.LeftButton)
    opened.session.writer.finish()
    assert not sheet.isVisible()
    return target


@pytest.mark.parametrize(
    ("kind", "boxes"),
    [
        (".psd", [ORIGINALS, RECIPE, TEXT]), (".psb", [ORIGINALS, RECIPE, TEXT]),
        (".png", [RECIPE]), (".tif", [RECIPE]), (".jpg", [RECIPE]), (".ora", [RECIPE]),
        (".collage", []), (".gif", []), (LAYERS, []), (TURNS, []),
    ],
)  # fmt: skip
def test_a_kind_of_file_shows_the_boxes_that_change_it(
    opened: OpenWindow, kind: str, boxes: list[str]
) -> None:
    assert shown(opened_sheet(opened, accepted(with_text(camp())), kind)) == boxes


def test_boxes_without_effect_are_left_out(opened: OpenWindow) -> None:
    assert shown(opened_sheet(opened, camp())) == [RECIPE]
    assert shown(opened_sheet(opened, with_text(camp()))) == [RECIPE, TEXT]
    assert shown(opened_sheet(opened, accepted(camp()))) == [ORIGINALS, RECIPE]


def test_text_layers_are_pixels_unless_asked_for(qtbot: QtBot, opened: OpenWindow, tmp_path: Path):
    sheet = opened_sheet(opened, with_text(camp()))
    assert not sheet.options().editable_text
    press(qtbot, sheet, TEXT)
    assert "1 text" in held(sheet)
    target = export(qtbot, opened, sheet, tmp_path)
    texts = [item.text for item in PSDImage.open(target).descendants() if item.kind == "type"]
    assert texts == ["Lakeside camp"]


def test_a_psd_without_originals_and_recipe(qtbot: QtBot, opened: OpenWindow, tmp_path: Path):
    sheet = opened_sheet(opened, accepted(camp()))
    assert {"Originals", "Recipe", "Harmonised pixels"} <= set(held(sheet))
    press(qtbot, sheet, ORIGINALS)
    assert box(sheet, RECIPE).purpose == "Opens here again with texts and noise"
    press(qtbot, sheet, RECIPE)
    assert not {"Originals", "Recipe"} & set(held(sheet))
    target = export(qtbot, opened, sheet, tmp_path)
    assert [item.name for item in PSDImage.open(target)] == ["Harmonised", "Result"]
    assert not any(layer.text for layer in read_psd(target).document.walk())


def test_text_needs_the_originals_it_lies_among(qtbot: QtBot, opened: OpenWindow):
    sheet = opened_sheet(opened, accepted(with_text(camp())))
    press(qtbot, sheet, TEXT)
    assert sheet.options().editable_text
    press(qtbot, sheet, ORIGINALS)
    assert not box(sheet, TEXT).isEnabled()
    assert "original cutouts" in box(sheet, TEXT).toolTip()
    assert not sheet.options().editable_text
    press(qtbot, sheet, ORIGINALS)
    assert sheet.options().editable_text


def test_a_box_says_its_name_and_purpose_and_takes_the_space_key(
    qtbot: QtBot, opened: OpenWindow
) -> None:
    sheet = opened_sheet(opened, accepted(camp()))
    line = box(sheet, ORIGINALS)
    assert line.accessibleName() == ORIGINALS
    assert line.accessibleDescription() == "Lets you go on working from the PSD"
    qtbot.keyClick(line, Qt.Key.Key_Space)
    assert not sheet.options().originals


def test_facts_tell_where_painted_noise_is_lost() -> None:
    document = camp()
    layer = next(layer for layer in document.walk() if layer.raster is not None)
    assert layer.raster is not None
    size = layer.raster.size
    paint = over(None, size, 0.8, np.ones(size.shape, np.float32))
    painted = set_paint(document, layer.id, paint)
    whole = {what: (icon, rest) for icon, what, rest in facts(painted, ".collage")}
    assert whole["Painted noise"] == ("noise-brush", "1 layer")
    least = ExportOptions(originals=False, recipe=False)
    poor = {what: (icon, rest) for icon, what, rest in facts(painted, ".psd", least)}
    assert poor["Painted noise"][0] == "warning"
    assert "Painted noise" not in {what for _, what, _ in facts(document, ".psd", least)}


def test_facts_follow_the_options() -> None:
    document = accepted(with_text(camp()))
    full = facts(document, ".psd", ExportOptions(editable_text=True))
    assert [what for _, what, _ in full] == [
        "4 layers, 1 group", "Harmonised pixels", "Originals", "1 text", "Recipe",
    ]  # fmt: skip
    least = ExportOptions(originals=False, recipe=False, editable_text=True)
    assert [what for _, what, _ in facts(document, ".psd", least)] == [
        "4 layers, 1 group", "Harmonised pixels",
    ]  # fmt: skip
    assert [what for _, what, _ in facts(document, ".png", least)] == ["Harmonised picture"]
    assert "Recipe" in [what for _, what, _ in facts(document, ".collage", least)]


def test_the_foot_tells_about_how_large_the_file_will_be(opened: OpenWindow) -> None:
    sheet = opened_sheet(opened, camp())
    opened.window.canvas.background.finish()
    small = sheet._foot_line.full_text
    assert re.fullmatch(r"About \d+ KB\. Checked by reading it back\.", small)
    sheet._factors.show_value("4")
    sheet._factors.chosen.emit("4")
    opened.window.canvas.background.finish()
    assert sheet._foot_line.full_text == "Checked by reading it back."
