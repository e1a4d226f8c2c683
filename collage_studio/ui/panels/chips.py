"""Chips: layers inside the caption's text, painted as objects the size of a word."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QFontMetrics,
    QPainter,
    QPen,
    QPyTextObject,
    QTextCharFormat,
    QTextDocument,
    QTextFormat,
)

from collage_studio.document.model import Document, Layer
from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.thumbs import layer_thumb

CHIP_TYPE = QTextFormat.ObjectTypes.UserObject.value + 1
LAYER_PROPERTY = QTextFormat.Property.UserProperty.value + 1
OBJECT = "\ufffc"
"""The character that stands for a chip in the text."""
HEIGHT, LARGEST = 22, 208


def chip_format(layer_id: str) -> QTextCharFormat:
    """The format of the one character that is layer `layer_id`'s chip."""
    made = QTextCharFormat()
    made.setObjectType(CHIP_TYPE)
    made.setProperty(LAYER_PROPERTY, layer_id)
    made.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignMiddle)
    return made


def layer_id_of(format_: QTextFormat) -> str:
    """The layer a character's format refers to; "" if it is no chip."""
    is_chip = format_.objectType() == CHIP_TYPE
    return str(format_.property(LAYER_PROPERTY)) if is_chip else ""


class ChipPainter(QPyTextObject):
    """Measures and paints chips; asks for the document and for what is lit when it paints."""

    def __init__(
        self,
        parent: QObject,
        document: Callable[[], Document],
        lit: Callable[[str], str],
    ) -> None:
        """Args: lit: "selected", "hovered" or "" for a layer id."""
        super().__init__(parent)
        self._document, self._lit = document, lit

    def words(self, layer_id: str) -> str:
        """What the chip says."""
        layer = self._document().find(layer_id)
        if layer is None:
            return "layer gone"
        return layer.text.strip() or layer.name

    def intrinsicSize(
        self,
        doc: QTextDocument,
        position: int,
        format: QTextFormat,  # noqa: A002  Qt's name
    ) -> QSizeF:
        layer_id = layer_id_of(format)
        width = QFontMetrics(font(13)).horizontalAdvance(self.words(layer_id)) + 8
        width += 27 if self._document().find(layer_id) is not None else 8
        return QSizeF(min(width, LARGEST) + 4, HEIGHT + 3)

    def drawObject(
        self,
        painter: QPainter,
        rect: QRectF | QRect,
        doc: QTextDocument,
        position: int,
        format: QTextFormat,  # noqa: A002  Qt's name
    ) -> None:
        layer_id = layer_id_of(format)
        layer = self._document().find(layer_id)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(rect).adjusted(2, 0, -2, -3)
        self._paint_ground(painter, box, layer_id, layer)
        left = box.left() + 6
        if layer is not None:
            thumb = layer_thumb(layer, 16, painter.device().devicePixelRatioF())
            painter.drawPixmap(int(box.left()) + 4, int(box.center().y()) - 7, thumb)
            left = box.left() + 25
        theme = tokens.current()
        painter.setFont(font(13))
        painter.setPen(theme.color("t1" if layer is not None else "danger"))
        room = box.adjusted(left - box.left(), -2, -4, 0)
        words = QFontMetrics(font(13)).elidedText(
            self.words(layer_id), Qt.TextElideMode.ElideRight, int(room.width()) + 1
        )
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, words)
        if layer is not None and not layer.text.strip():
            side = QRectF(box.right() - 16, box.center().y() - 6, 12, 12)
            paint_icon(painter, "warning", side, "warn")
        painter.restore()

    def _paint_ground(
        self, painter: QPainter, box: QRectF, layer_id: str, layer: Layer | None
    ) -> None:
        theme = tokens.current()
        lit = self._lit(layer_id)
        if layer is None:
            painter.setPen(QPen(theme.color("danger"), 1, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
        else:
            grounds = {"selected": "selected", "hovered": "hover", "marked": "selected"}
            resting = "hover" if theme.name == "dark" else "panel"
            painter.setBrush(theme.color(grounds.get(lit, resting)))
            painter.setPen(QPen(theme.color("accent" if lit else "control"), 1))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
