"""One thing in each turn of the event loop."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from collage_studio.ui.turns import Turns


class _Paints(QLabel):
    """Writes down when it was painted."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__()
        self._notes = notes

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Paint:
            self._notes.append("paint")
        return super().event(event)


def test_what_one_turn_changed_is_painted_before_the_next(qtbot: QtBot) -> None:
    notes: list[str] = []
    label = _Paints(notes)
    qtbot.addWidget(label)
    label.resize(80, 20)
    label.show()
    qtbot.waitExposed(label)
    qtbot.wait(30)
    notes.clear()
    turns = Turns(label)
    for number in range(3):
        turns.add(lambda number=number: (notes.append(str(number)), label.update()))
    assert not notes
    qtbot.waitUntil(lambda: len(notes) >= 6)
    assert notes == ["0", "paint", "1", "paint", "2", "paint"]


def test_a_turn_may_add_another_and_the_rest_can_be_dropped(qtbot: QtBot) -> None:
    owner, notes = QObject(), list[str]()
    turns = Turns(owner)
    turns.add(lambda: (notes.append("a"), turns.add(lambda: notes.append("b"))))
    qtbot.waitUntil(lambda: notes == ["a", "b"])
    turns.add(lambda: notes.append("c"))
    turns.drop()
    qtbot.wait(20)
    assert notes == ["a", "b"]
