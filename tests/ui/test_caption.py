"""The caption field: chips stand for layers and survive typing, undo and lost layers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow, camp

from collage_studio.document import edits
from collage_studio.document.model import Caption, LayerRef
from collage_studio.resources_dir import resources_path
from collage_studio.ui.panels.caption_edit import CaptionEdit
from collage_studio.ui.panels.caption_limit import position_in
from collage_studio.ui.panels.caption_words import unsaid


def _edit(opened: OpenWindow) -> CaptionEdit:
    return opened.window.caption.caption


def test_caption_reads_back_what_the_document_holds(opened: OpenWindow) -> None:
    assert _edit(opened).caption() == opened.session.editor.document.caption


def test_typing_becomes_one_edit_and_keeps_the_chips(qtbot: QtBot, opened: OpenWindow) -> None:
    field, editor = _edit(opened), opened.session.editor
    before = editor.document.caption
    field.setFocus()
    field.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClicks(field, ", warm")
    assert editor.document.caption == Caption((*before.parts[:-1], " at dusk, warm"))
    editor.undo()
    assert editor.document.caption == before
    assert field.caption() == before


def test_a_chip_inserted_at_the_cursor_refers_to_its_layer(opened: OpenWindow) -> None:
    field = _edit(opened)
    field.moveCursor(QTextCursor.MoveOperation.End)
    field.insert_chip("left")
    parts = opened.session.editor.document.caption.parts
    assert parts[-2:] == (LayerRef("left"), " ")
    assert "a left tree" in opened.session.editor.document.written_caption()[0]


def test_two_chips_side_by_side_stay_two(opened: OpenWindow) -> None:
    editor = opened.session.editor
    caption = Caption((LayerRef("tent"), LayerRef("dog"), LayerRef("tent")))
    editor.apply(lambda d: edits.set_caption(d, caption), "Caption")
    assert _edit(opened).caption() == caption


def test_backspace_first_marks_a_chip_then_removes_it(qtbot: QtBot, opened: OpenWindow) -> None:
    editor, field = opened.session.editor, _edit(opened)
    editor.apply(lambda d: edits.set_caption(d, Caption((LayerRef("tent"),))), "Caption")
    field.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClick(field, Qt.Key.Key_Backspace)
    assert editor.document.caption.layer_ids == ("tent",)
    qtbot.keyClick(field, Qt.Key.Key_Backspace)
    assert editor.document.caption == Caption(())


def test_typed_text_after_a_chip_is_no_chip(qtbot: QtBot, opened: OpenWindow) -> None:
    editor, field = opened.session.editor, _edit(opened)
    editor.apply(lambda d: edits.set_caption(d, Caption((LayerRef("tent"),))), "Caption")
    field.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClicks(field, " here")
    assert editor.document.caption == Caption((LayerRef("tent"), " here"))


def test_a_lost_layer_keeps_its_chip_and_can_be_painted(opened: OpenWindow) -> None:
    editor, field = opened.session.editor, _edit(opened)
    editor.apply(lambda d: edits.remove_layers(d, ["tent"]), "Delete")
    assert "tent" in field.caption().layer_ids
    assert not field.grab().isNull()


def test_clicking_a_chip_selects_its_layer(qtbot: QtBot, opened: OpenWindow) -> None:
    field = _edit(opened)
    place = field.cursorRect(field.cursorForPosition(field.viewport().rect().topLeft()))
    inside = place.center()
    inside.setX(inside.x() + 20)
    assert field.chip_at(inside)[0] == "tent"
    qtbot.mouseClick(field.viewport(), Qt.MouseButton.LeftButton, pos=inside)
    assert opened.session.selection.ids == ("tent",)


def test_picker_puts_the_chosen_layer_in(qtbot: QtBot, opened: OpenWindow) -> None:
    field = _edit(opened)
    field.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClicks(field, "@")
    picker = opened.window.overlays._picker
    assert picker is not None
    assert picker.isVisible()
    qtbot.keyClicks(picker._field, "right")
    qtbot.keyClick(picker._field, Qt.Key.Key_Return)
    assert "right" in opened.session.editor.document.caption.layer_ids
    assert not picker.isVisible()


def test_words_past_the_models_limit_are_underlined_and_named(opened: OpenWindow) -> None:
    pytest.importorskip("tokenizers", reason="counting words needs the tokenizer")
    editor, edit = opened.session.editor, opened.window.caption.caption
    long = Caption((LayerRef("tent"), " and " + "dog " * 90 + "lighthouse"))
    editor.apply(lambda d: edits.set_caption(d, long), "Caption")
    opened.window._limit._count()
    opened.window.canvas.background.finish()
    if not resources_path("starter", "model", "tokenizer", "tokenizer.json").is_file():
        pytest.skip("the built-in model is not there")
    (marked,) = edit.extraSelections()
    assert marked.cursor.selectedText().endswith("dog lighthouse")
    assert 10 < marked.cursor.selectionStart() < 90 * 4
    assert "lighthouse" in edit.toolTip()
    short = Caption((LayerRef("tent"), " and a dog"))
    editor.apply(lambda d: edits.set_caption(d, short), "Caption")
    opened.window._limit._count()
    opened.window.canvas.background.finish()
    assert edit.extraSelections() == []
    assert "lighthouse" not in edit.toolTip()


def test_a_chip_counts_as_one_place_in_the_field() -> None:
    document = camp()
    caption = document.caption
    whole = len(document.written_caption()[0])
    assert position_in(caption, document, whole) == 1 + len(" and ") + 1 + len(" at dusk")
    assert position_in(caption, document, len("a tent and")) == 1 + len(" and")
    assert position_in(caption, document, 3) == 1


def test_a_row_warns_of_words_the_model_does_not_read(opened: OpenWindow) -> None:
    pytest.importorskip("tokenizers", reason="counting words needs the tokenizer")
    if not resources_path("starter", "model", "tokenizer", "tokenizer.json").is_file():
        pytest.skip("the built-in model is not there")
    editor, model = opened.session.editor, opened.window.layers.tree.layers_model
    long = Caption((LayerRef("dog"), " and " + "grass " * 90, LayerRef("tent")))
    editor.apply(lambda d: edits.set_caption(d, long), "Caption")
    opened.window._limit._count()
    opened.window.canvas.background.finish()
    badge = model.badge(editor.document.find("tent"))  # type: ignore[arg-type]
    assert badge is not None
    assert (badge.kind, badge.words) == ("warning", "unread")
    assert "a tent" in badge.sentence
    assert model.badge(editor.document.find("dog")) is None  # type: ignore[arg-type]


def test_layers_the_caption_leaves_out_are_told(opened: OpenWindow) -> None:
    document = opened.session.editor.document
    assert "dog" not in unsaid(edits.set_caption(document, Caption((LayerRef("dog"),))))
    left_out = edits.set_caption(document, Caption((LayerRef("dog"), " at dusk")))
    assert "tent" in unsaid(left_out)
    assert unsaid(edits.set_caption(document, Caption(("a dog and a tent",)))) == frozenset()
    assert "tent" not in unsaid(
        edits.change_layers(left_out, ["tent"], lambda one: replace(one, visible=False))
    )
    opened.session.editor.apply(lambda _document: left_out, "Caption")
    badge = opened.window.layers.tree.layers_model.badge(left_out.find("tent"))  # type: ignore[arg-type]
    assert badge is not None
    assert badge.kind == "warning"
