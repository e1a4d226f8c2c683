"""F6 and Shift+F6: the focus goes round the regions of a window."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QWidget


class FocusRound:
    """Moves the focus from region to region; hidden ones are left out."""

    def __init__(self, window: QWidget, regions: Sequence[QWidget]) -> None:
        self._regions = regions
        QShortcut(QKeySequence("F6"), window, lambda: self.move(1))
        QShortcut(QKeySequence("Shift+F6"), window, lambda: self.move(-1))

    def move(self, by: int) -> None:
        """Focus the region `by` places on; the first one where none has the focus."""
        there = [region for region in self._regions if region.isVisible()]
        now = QApplication.focusWidget()
        holds = [now is not None and (r is now or r.isAncestorOf(now)) for r in there]
        place = (holds.index(True) + by) % len(there) if True in holds else 0
        _take_focus(there[place])


def _take_focus(region: QWidget) -> None:
    """Focus a region, or the first widget in it that takes the focus."""
    inside = (w for w in region.findChildren(QWidget) if w.isVisible() and w.isEnabled())
    takes = [w for w in (region, *inside) if w.focusPolicy() & Qt.FocusPolicy.TabFocus]
    if takes:
        takes[0].setFocus(Qt.FocusReason.TabFocusReason)
