"""Notices on the canvas: a sentence, what is safe, what can be done. They never block."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from collage_studio.app.notices import Notice
from collage_studio.ui.style import tokens
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.basics import Button, Label, on_click, tool_button
from collage_studio.ui.widgets.popover import SHADOW, paint_card

_ICONS = {"info": ("info", "t2"), "ok": ("check", "ok"), "warn": ("warning", "warn"),
          "danger": ("warning", "danger"), "busy": ("info", "accent")}  # fmt: skip
_SECONDS = {"ok": 8, "info": 10}
_MOST = 4


class NoticeCard(QWidget):
    """One notice with its buttons and a cross."""

    def __init__(
        self,
        notice: Notice,
        run_action: Callable[[str], None],
        close: Callable[[], object],
        changed: Callable[[], object],
    ) -> None:
        super().__init__()
        self.notice, self._changed = notice, changed
        self.setAccessibleName(notice.text)
        self.setFixedWidth(380 + 2 * SHADOW)
        self._text = Label(notice.text)
        self._text.setWordWrap(True)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(SHADOW + 38, SHADOW + 8, SHADOW + 6, SHADOW + 8)
        whole.setSpacing(6)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._text, 1)
        beside = len(notice.buttons) == 1 and not notice.details and len(notice.text) < 34
        if beside:
            head.addLayout(self._buttons(run_action, close))
        cross = tool_button("close", "Close: Puts this notice away.", size=24)
        on_click(cross, close)
        head.addWidget(cross)
        whole.addLayout(head)
        self._details = Label(notice.details, "small")
        self._details.setWordWrap(True)
        self._details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._details.hide()
        whole.addWidget(self._details)
        if (notice.buttons or notice.details) and not beside:
            whole.addLayout(self._buttons(run_action, close))

    def _buttons(
        self, run_action: Callable[[str], None], close: Callable[[], object]
    ) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addStretch(1)
        if self.notice.details:
            details = Button("Details", tooltip="Details: The technical text behind this.")
            on_click(details, self._toggle_details)
            row.addWidget(details)
        for place, (label, action) in enumerate(self.notice.buttons):
            button = Button(label, kind="tinted" if place == 0 else "")
            button.setFixedHeight(28)
            on_click(button, lambda action=action: (close(), run_action(action)))
            row.addWidget(button)
        return row

    def fit(self) -> None:
        """Take the height the words need at the card's width."""
        layout = self.layout()
        if layout is not None:
            layout.activate()
            self.setFixedHeight(layout.totalHeightForWidth(self.width()))

    def _toggle_details(self) -> None:
        self._details.setVisible(self._details.isHidden())
        self._changed()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect()).adjusted(SHADOW, SHADOW, -SHADOW, -SHADOW)
        paint_card(painter, box, radius=6, edge="control")
        name, token = _ICONS[self.notice.level]
        painter.fillRect(
            QRectF(box.left() + 1, box.top() + 5, 3, box.height() - 10),
            tokens.current().color(token),
        )
        paint_icon(painter, name, QRectF(box.left() + 13, box.top() + 11, 18, 18), token)
        painter.end()


class NoticeStack(QWidget):
    """The notices over one corner of the canvas, newest below; good news leaves by itself."""

    def __init__(self, canvas: QWidget, run_action: Callable[[str], None]) -> None:
        super().__init__(canvas)
        self._canvas, self._run_action = canvas, run_action
        self._cards: list[NoticeCard] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8 - 2 * SHADOW + 4)
        canvas.installEventFilter(self)
        self.hide()

    @property
    def notices(self) -> tuple[Notice, ...]:
        return tuple(card.notice for card in self._cards)

    def show_notice(self, notice: Notice) -> None:
        """Add a notice; one with the same key makes way."""
        for card in list(self._cards):
            if notice.key and card.notice.key == notice.key:
                self._drop(card)
        card = NoticeCard(notice, self._run_action, lambda: self._drop(card), self._place)
        self._cards.append(card)
        self._column.addWidget(card)
        card.show()
        while len(self._cards) > _MOST:
            self._drop(self._cards[0])
        seconds = _SECONDS.get(notice.level, 0)
        if seconds:
            timer = QTimer(card, singleShot=True, interval=seconds * 1000)
            timer.timeout.connect(lambda: self._drop(card))
            timer.start()
        self.show()
        self._place()

    def _drop(self, card: NoticeCard) -> None:
        if card in self._cards:
            self._cards.remove(card)
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
            self._place()

    def drop(self, key: str) -> None:
        """Put the notice with this key away, if it is there."""
        for card in [card for card in self._cards if card.notice.key == key]:
            self._drop(card)

    def clear(self) -> None:
        """Put all notices away."""
        for card in list(self._cards):
            self._drop(card)

    def _place(self) -> None:
        if not self._cards:
            self.hide()
            return
        for card in self._cards:
            card.fit()
        self._column.activate()
        self.adjustSize()
        self.move(
            self._canvas.width() - self.width() - 12 + SHADOW,
            12 - SHADOW,
        )
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Resize:
            self._place()
        return False
