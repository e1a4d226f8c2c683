"""The inspector's line of suggested values: one click takes them, one takes them back."""

from __future__ import annotations

from pytestqt.qtbot import QtBot
from ui_documents import camp

from collage_studio.app.editor import Editor
from collage_studio.app.selection import Selection
from collage_studio.ui.panels.layer_page import LayerPage
from collage_studio.ui.panels.suggestion import SuggestionLine
from collage_studio.ui.widgets.basics import Button, Label


def _page(qtbot: QtBot) -> tuple[Editor, LayerPage, SuggestionLine]:
    editor = Editor(camp())
    page = LayerPage(editor, Selection(), lambda ids, start: None)
    qtbot.addWidget(page)
    (line,) = page.findChildren(SuggestionLine)
    return editor, page, line


def _show(editor: Editor, page: LayerPage, *ids: str) -> None:
    found = (editor.document.find(layer_id) for layer_id in ids)
    page.show_layers(tuple(layer for layer in found if layer is not None))


def _button(line: SuggestionLine) -> Button:
    (button,) = line.findChildren(Button)
    return button


def test_one_click_takes_the_suggestion_and_one_takes_it_back(qtbot: QtBot) -> None:
    editor, page, line = _page(qtbot)
    before = editor.document
    _show(editor, page, "tent")
    assert _button(line).text() == "Use"
    (said,) = line.findChildren(Label)
    assert said.full_text.startswith("Suggested: noise ")
    _button(line).click()
    assert editor.document != before
    _show(editor, page, "tent")
    assert _button(line).text() == "Take back"
    _button(line).click()
    assert editor.document == before


def test_background_and_groups_have_no_suggestion(qtbot: QtBot) -> None:
    editor, page, line = _page(qtbot)
    _show(editor, page, "trees")
    assert line.isHidden()
    _show(editor, page, "tent", "dog")
    assert not line.isHidden()
