"""The badge that says layers changed since the last run and offers to harmonise them."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from collage_studio.app.stale import NEW, Stale
from collage_studio.document.model import Document, Variation
from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.basics import Button


def stale_words(document: Document, stale: Mapping[str, Stale]) -> str:
    """ "Tent moved since the last run"; empty if nothing did."""
    if len(stale) > 1:
        return f"{len(stale)} layers changed since the last run"
    for layer_id, found in stale.items():
        layer = document.find(layer_id)
        if layer is not None:
            verb = "is new" if found.word == NEW else found.word
            return f"{layer.name} {verb} since the last run"
    return ""


def variation_words(document: Document, variation: Variation | None) -> str:
    """What the canvas says about the variation it shows; empty for the accepted one."""
    if variation is None:
        return ""
    if document.accepted is not None and document.accepted.id == variation.id:
        return ""
    run = [v.id for v in document.variations if v.run == variation.run]
    if variation.id not in run:
        return "Variation, not accepted yet"
    return f"Variation {run.index(variation.id) + 1}, not accepted yet"


class StaleBadge(QWidget):
    """A floating line with one button; hidden while there is nothing to say."""

    harmonise_clicked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._words = QLabel(self)
        self._words.setFont(font(12, 600))
        self._button = Button("Harmonise it", icon_name="harmonise", kind="tinted", parent=self)
        self._button.clicked.connect(self.harmonise_clicked)
        row = QHBoxLayout(self)
        row.setContentsMargins(36, 4, 4, 4)
        row.setSpacing(12)
        row.addWidget(self._words)
        row.addWidget(self._button)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)
        self.hide()

    def show_words(self, words: str, *, several: bool) -> None:
        """Say `words`; empty hides the badge."""
        self._words.setText(words)
        self._button.setText("Harmonise them" if several else "Harmonise it")
        self.setAccessibleName(words)
        self.adjustSize()
        self.setVisible(bool(words))

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = tokens.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("control"), 1))
        painter.setBrush(theme.color("popover"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        paint_icon(painter, "stale", QRectF(12, self.height() / 2 - 8, 16, 16), "warn")
        painter.end()
