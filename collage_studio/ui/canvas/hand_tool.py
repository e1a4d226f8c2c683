"""What the canvas asks of a tool that draws: brush, eraser, lasso, pick."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter

from collage_studio.ui.canvas.viewport import Viewport


class HandTool(Protocol):
    """Positions are logical px of the canvas widget."""

    @property
    def is_drawing(self) -> bool:
        """The button is down and a stroke runs."""
        ...

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """The main button went down."""
        ...

    def move(self, at: QPointF) -> None:
        """The pointer moved with the button down."""
        ...

    def release(self, at: QPointF) -> None:
        """The button went up."""
        ...

    def cancel(self) -> bool:
        """Give up what is in progress; True if there was something."""
        ...

    def finish(self) -> bool:
        """Return was pressed: do what the tool has prepared; False if there is nothing."""
        ...

    def cursor(self) -> Qt.CursorShape:
        """The pointer's shape while nothing else asks for one."""
        ...

    def hint(self) -> str:
        """One line for the status bar."""
        ...

    def paint(self, painter: QPainter, view: Viewport) -> None:
        """Paint over the picture."""
        ...


@runtime_checkable
class HasReach(Protocol):
    """A tool whose mark around the pointer is large: the pointer's note stays clear of it."""

    def reach(self) -> float:
        """Radius in logical px; 0 where no mark is shown."""
        ...
