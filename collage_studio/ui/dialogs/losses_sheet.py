"""The sheet before a foreign file opens: what a document cannot keep of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from collage_studio.ui.style.icons import icon
from collage_studio.ui.widgets.basics import Button, Label, line, on_click, tool_button
from collage_studio.ui.widgets.popover import Sheet

_WIDTH = 560
_FRAME, _ROW, _MOST = 208, 44, 420


class LossesSheet(Sheet):
    """Says what changes and opens the file on demand; closing it changes nothing."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, "What changes", _WIDTH, _MOST)
        self._open: Callable[[], None] = _nothing
        self._title = Label("", "sheet", elide=True)
        self._rows = QVBoxLayout()
        self._button = Button("Open", kind="primary")
        self._build()

    def _build(self) -> None:
        whole = QVBoxLayout(self.card)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(24, 16, 16, 4)
        head.addWidget(self._title, 1)
        cross = tool_button("close", "Close (Esc)")
        on_click(cross, self.close_sheet)
        head.addWidget(cross)
        whole.addLayout(head)
        quiet = Label(
            "Some of it becomes something else here. The file itself stays as it is.", "second"
        )
        quiet.setWordWrap(True)
        quiet.setContentsMargins(24, 0, 24, 8)
        whole.addWidget(quiet)
        whole.addWidget(self._list(), 1)
        whole.addWidget(line("h"))
        whole.addLayout(self._foot())

    def _list(self) -> QScrollArea:
        inside = QWidget()
        inside.setObjectName("plain")
        self._rows.setContentsMargins(24, 8, 24, 12)
        self._rows.setSpacing(10)
        inside.setLayout(self._rows)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)
        return area

    def _foot(self) -> QHBoxLayout:
        foot = QHBoxLayout()
        foot.setContentsMargins(24, 12, 24, 12)
        foot.setSpacing(8)
        foot.addStretch(1)
        cancel = Button("Cancel")
        on_click(cancel, self.close_sheet)
        on_click(self._button, self._run)
        for button in (cancel, self._button):
            button.setFixedHeight(36)
            button.setMinimumWidth(88)
            foot.addWidget(button)
        return foot

    def show_losses(self, name: str, losses: Sequence[str], then: Callable[[], None]) -> None:
        """List `losses` of the file `name`; `then` opens it."""
        self._open = then
        self._title.show_text(f"Open {name}")
        while (item := self._rows.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        for loss in losses:
            self._rows.addWidget(_LossLine(loss))
        self._rows.addStretch(1)
        self._size = (_WIDTH, min(_MOST, _FRAME + _ROW * len(losses)))
        self.open_sheet()
        self._button.setFocus(Qt.FocusReason.PopupFocusReason)

    def _run(self) -> None:
        self.close_sheet()
        then, self._open = self._open, _nothing
        then()


class _LossLine(QWidget):
    """One loss: a mark, what changes in bold, and where."""

    def __init__(self, loss: str) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        mark = QLabel()
        mark.setPixmap(icon("same", "t2").pixmap(QSize(18, 18), self.devicePixelRatioF()))
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(1)
        what, colon, where = loss.partition(": ")
        head = Label(what if colon else loss, "body")
        head.setWordWrap(True)
        words.addWidget(head)
        if colon:
            names = Label(where.rstrip("."), "second")
            names.setWordWrap(True)
            words.addWidget(names)
        row.addLayout(words, 1)


def _nothing() -> None:
    return None
