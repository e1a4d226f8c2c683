"""The layer list: rename, visibility, order and selection through a real editor."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow

from collage_studio.document.model import NextState
from collage_studio.ui.panels.layer_row import RowParts, row_parts
from collage_studio.ui.panels.layers_model import DEPTH_ROLE
from collage_studio.ui.panels.layers_tree import LayersTree
from collage_studio.ui.panels.reorder import Landing, land, landing_at


def _parts(tree: LayersTree, layer_id: str) -> RowParts:
    index = tree.layers_model.index_of(layer_id)
    layer = tree.layers_model.layer(index)
    assert layer is not None
    return row_parts(tree.visualRect(index), index.data(DEPTH_ROLE), is_group=layer.is_group)


def _names(opened: OpenWindow) -> list[str]:
    return [layer.name for layer in opened.session.editor.document.layers]


def test_rows_are_topmost_first_and_the_background_is_last(opened: OpenWindow) -> None:
    model = opened.window.layers.tree.layers_model
    names = [model.layer(model.index(row, 0)).name for row in range(model.rowCount())]  # type: ignore[union-attr]
    assert names == ["Trees", "Dog", "Tent", "Background"]
    group = model.index(0, 0)
    assert [model.layer(model.index(r, 0, group)).id for r in range(2)] == ["right", "left"]  # type: ignore[union-attr]


def test_the_eye_hides_a_layer_and_undo_shows_it_again(qtbot: QtBot, opened: OpenWindow) -> None:
    tree, editor = opened.window.layers.tree, opened.session.editor
    eye = _parts(tree, "tent").eye.center()
    qtbot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=eye)
    assert not editor.document.find("tent").visible  # type: ignore[union-attr]
    editor.undo()
    assert editor.document.find("tent").visible  # type: ignore[union-attr]


def test_a_name_typed_in_the_row_becomes_an_edit(qtbot: QtBot, opened: OpenWindow) -> None:
    opened.session.selection.select(["dog"])
    opened.window.table.run("layer.rename")
    field = opened.window.layers.tree.viewport().findChild(QLineEdit)
    assert field is not None
    field.setText("Spotted dog")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    editor = opened.session.editor
    qtbot.waitUntil(lambda: editor.document.find("dog").name == "Spotted dog")  # type: ignore[union-attr]


def test_dragging_the_noise_bar_of_a_row_is_one_undo(qtbot: QtBot, opened: OpenWindow) -> None:
    tree, editor = opened.window.layers.tree, opened.session.editor
    bar = _parts(tree, "tent").bar
    port = tree.viewport()
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=bar.center())
    for x in range(4, 18, 2):
        qtbot.mouseMove(port, bar.center() + QPoint(x, 0))
    qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=bar.center() + QPoint(17, 0))
    assert editor.document.find("tent").noise > 0.7  # type: ignore[union-attr]
    editor.undo()
    assert editor.document.find("tent").noise == 0.6  # type: ignore[union-attr]
    assert not editor.undo_label


def test_dragging_a_row_between_two_others_moves_it_there(qtbot: QtBot, opened: OpenWindow) -> None:
    tree = opened.window.layers.tree
    port = tree.viewport()
    start = _parts(tree, "tent").words.center()
    target = tree.visualRect(tree.layers_model.index_of("dog"))
    above = QPoint(start.x(), target.top() + 4)
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(port, start - QPoint(0, 12))
    qtbot.mouseMove(port, above)
    qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=above)
    assert _names(opened) == ["Dog", "Tent", "Trees"]


def test_a_row_dropped_onto_a_group_goes_into_it(opened: OpenWindow) -> None:
    tree, editor = opened.window.layers.tree, opened.session.editor
    row = tree.visualRect(tree.layers_model.index_of("trees"))
    landing = landing_at(tree, tree.layers_model, "tent", row.center())
    assert isinstance(landing, Landing)
    land(editor, "tent", landing)
    assert [c.id for c in editor.document.find("trees").children] == ["left", "right", "tent"]  # type: ignore[union-attr]


def test_a_group_cannot_be_dropped_into_itself(opened: OpenWindow) -> None:
    tree = opened.window.layers.tree
    row = tree.visualRect(tree.layers_model.index_of("left"))
    assert landing_at(tree, tree.layers_model, "trees", row.center()) is None


def test_clicking_a_row_selects_it_everywhere(qtbot: QtBot, opened: OpenWindow) -> None:
    tree = opened.window.layers.tree
    middle = _parts(tree, "dog").words.center()
    qtbot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    assert opened.session.selection.ids == ("dog",)
    opened.session.selection.select(["tent"])
    chosen = [tree.layers_model.layer(index).id for index in tree.selectedIndexes()]  # type: ignore[union-attr]
    assert chosen == ["tent"]


def test_filter_shows_only_what_matches_and_the_groups_around_it(opened: OpenWindow) -> None:
    tree = opened.window.layers.tree
    tree.set_filter("left")
    model = tree.layers_model
    assert [model.layer(model.index(r, 0)).id for r in range(model.rowCount())] == ["trees"]  # type: ignore[union-attr]
    assert model.rowCount(model.index(0, 0)) == 1
    tree.set_filter("")
    assert model.rowCount() == 4


def test_reroll_mark_names_the_big_button(opened: OpenWindow) -> None:
    opened.session.selection.select(["tent"])
    opened.window.table.run("layer.reroll")
    assert opened.session.editor.document.find("tent").state is NextState.REROLL  # type: ignore[union-attr]
    assert opened.window.caption.harmonise.text() == "Re-roll Tent"


def test_delete_offers_undo_in_a_notice(opened: OpenWindow) -> None:
    opened.session.selection.select(["dog"])
    opened.window.table.run("edit.delete")
    assert opened.session.editor.document.find("dog") is None
    notice = opened.window.notices.notices[-1]
    assert notice.text == "Deleted Dog."
    opened.window.table.run(notice.buttons[0][1])
    assert opened.session.editor.document.find("dog") is not None


def test_a_clipped_layer_stands_in_and_is_spoken_of(opened: OpenWindow) -> None:
    editor, table = opened.session.editor, opened.window.table
    model = opened.window.layers.tree.layers_model
    opened.session.selection.select(["dog"])
    before = model.data(model.index_of("dog"), DEPTH_ROLE)
    table.run("layer.clip")
    dog = editor.document.find("dog")
    assert dog is not None
    assert dog.clipped
    assert editor.undo_label == "Clip Dog"
    index = model.index_of("dog")
    assert model.data(index, DEPTH_ROLE) == before + 1
    spoken = str(model.data(index, Qt.ItemDataRole.AccessibleTextRole))
    assert "clipped to the layer below" in spoken
    table.run("layer.clip")
    assert editor.undo_label == "Release Dog"
    opened.session.selection.select(["tent"])
    table.run("layer.clip")
    assert editor.undo_label == "Release Dog"
