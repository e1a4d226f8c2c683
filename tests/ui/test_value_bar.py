"""The value bar and the segment: dragged, typed, stepped."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from collage_studio.ui.widgets.segment import Choice, Segment
from collage_studio.ui.widgets.value_bar import ValueBar


@pytest.fixture
def bar(qtbot: QtBot) -> ValueBar:
    made = ValueBar("Noise", noise=True)
    qtbot.addWidget(made)
    made.resize(200, 28)
    made.show_value(50)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_dragging_right_raises_the_value_by_the_share_of_the_width(
    qtbot: QtBot, bar: ValueBar
) -> None:
    heard: list[float] = []
    bar.changed.connect(heard.append)
    qtbot.mousePress(bar, Qt.MouseButton.LeftButton, pos=QPoint(100, 14))
    qtbot.mouseMove(bar, QPoint(120, 14))
    with qtbot.waitSignal(bar.finished):
        qtbot.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=QPoint(120, 14))
    assert bar.value == 60
    assert heard[-1] == 60


def test_a_click_without_a_drag_changes_nothing(qtbot: QtBot, bar: ValueBar) -> None:
    with qtbot.assertNotEmitted(bar.changed):
        qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=QPoint(20, 14))
    assert bar.value == 50


def test_arrows_step_by_one_and_with_shift_by_ten(qtbot: QtBot, bar: ValueBar) -> None:
    qtbot.keyClick(bar, Qt.Key.Key_Right)
    assert bar.value == 51
    qtbot.keyClick(bar, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert bar.value == 41


def test_value_stays_between_its_ends(qtbot: QtBot, bar: ValueBar) -> None:
    bar.set_by_hand(1000)
    assert bar.value == 100
    bar.set_by_hand(-3)
    assert bar.value == 0


def test_double_click_opens_a_field_and_return_takes_the_number(
    qtbot: QtBot, bar: ValueBar
) -> None:
    qtbot.mouseDClick(bar, Qt.MouseButton.LeftButton, pos=QPoint(20, 14))
    field = bar.focusProxy() or bar.findChild(type(bar._field))
    field.setText("62")
    with qtbot.waitSignal(bar.finished):
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert bar.value == 62
    assert not field.isVisible()


def test_shown_values_are_told_to_nobody(qtbot: QtBot, bar: ValueBar) -> None:
    with qtbot.assertNotEmitted(bar.changed):
        bar.show_value(12)
    assert bar.text() == "12"


def test_differing_layers_read_mixed_and_kept_ones_say_so(bar: ValueBar) -> None:
    bar.show_value(30, mixed=True)
    assert bar.text() == "mixed"
    bar.show_value(0, note="0, kept")
    assert bar.text() == "0, kept"


def test_segment_tells_what_was_chosen_but_not_what_is_off(qtbot: QtBot) -> None:
    segment = Segment([Choice("a", "A"), Choice("b", "B"), Choice("c", "C")])
    qtbot.addWidget(segment)
    segment.resize(302, 28)
    heard: list[str] = []
    segment.chosen.connect(heard.append)
    qtbot.mouseClick(segment, Qt.MouseButton.LeftButton, pos=QPoint(150, 14))
    segment.set_available("c", "Not yet")
    qtbot.mouseClick(segment, Qt.MouseButton.LeftButton, pos=QPoint(280, 14))
    assert heard == ["b"]
    assert segment.value == "b"


def test_the_icons_of_a_segment_give_way_to_its_words(qtbot: QtBot) -> None:
    choices = [Choice("keep", "Keep", "keep"), Choice("harmonise", "Harmonise", "harmonise")]
    segment, plain = Segment(choices), Segment([Choice("a", "Keep"), Choice("b", "Harmonise")])
    for one in (segment, plain):
        qtbot.addWidget(one)
        one.resize(one.minimumSizeHint())
    assert segment.minimumSizeHint() == plain.minimumSizeHint()
    segment.show_value("harmonise")
    plain.show_value("b")
    assert segment.grab().toImage() == plain.grab().toImage()
    segment.resize(segment.sizeHint())
    plain.resize(segment.sizeHint())
    assert segment.grab().toImage() != plain.grab().toImage()
