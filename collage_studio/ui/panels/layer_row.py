"""How one row of the layer list is laid out and painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from collage_studio.document.model import Layer, NextState
from collage_studio.ui.layer_edits import shown_noise
from collage_studio.ui.panels.layers_model import BADGE_ROLE, DEPTH_ROLE, LAYER_ROLE, Badge
from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.thumbs import layer_thumb
from collage_studio.ui.widgets.value_bar import paint_bar

ROW_HEIGHT = 44
_KEPT_ROWS = 200
_BADGES = {
    "stale": ("stale", "warn"),
    "warning": ("warning", "warn"),
    "same": ("same", "ok"),
    "changed": ("changed", "t2"),
}
"""Icon and colour of each kind of badge."""
INDENT = 18
STATE_ICONS = {
    NextState.KEEP: "keep",
    NextState.HARMONISE: "harmonise",
    NextState.REROLL: "reroll",
}


def shown_state(layer: Layer) -> NextState:
    """What the next run does with a layer: without noise, painted or not, it keeps it."""
    if layer.state is NextState.HARMONISE and not layer.is_group and not layer.may_change:
        return NextState.KEEP
    return layer.state


Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class RowParts:
    """Where the parts of a row lie, in the view's coordinates."""

    eye: QRect
    fold: QRect
    thumb: QRect
    words: QRect
    bar: QRect
    state: QRect


def row_parts(row: QRect, depth: int, *, is_group: bool) -> RowParts:
    """Lay out a row; narrow rows get a narrow noise bar."""
    middle, right = row.center().y() + 1, row.right() + 1
    bar_width = 68 if row.width() >= 320 else 56
    state = QRect(right - 32, middle - 12, 24, 24)
    bar = QRect(state.left() - 4 - bar_width, middle - 10, bar_width, 20)
    left = row.left() + 32 + depth * INDENT
    fold = QRect(left, middle - 12, 12, 24)
    thumb_left = left + 12 if is_group else left
    thumb = QRect(thumb_left, middle - 16, 32, 32)
    words_left = thumb.right() + 9
    words = QRect(words_left, row.top(), bar.left() - 8 - words_left, row.height())
    return RowParts(QRect(row.left() + 5, middle - 12, 24, 24), fold, thumb, words, bar, state)


class _Look(NamedTuple):
    """All that a painted row shows."""

    layer: Layer
    badge: Badge | None
    depth: int
    width: int
    ratio: float
    theme: str
    selected: bool
    focused: bool
    hovered: bool
    folded: bool
    only_rerolls: bool

    def is_as(self, other: _Look) -> bool:
        """Layers are values that never change: the same one looks the same."""
        return self.layer is other.layer and self[1:] == other[1:]


class LayerRow(QStyledItemDelegate):
    """Paints rows; which row is hovered and whether only re-rolls run is told from outside."""

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._view = view
        self.hovered_id = ""
        self.only_rerolls = False
        self.focus_ring = False
        self.folded: set[str] = set()
        self._pictures: dict[str, tuple[_Look, QPixmap]] = {}

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(200, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        layer: Layer | None = index.data(LAYER_ROLE)
        if layer is None:
            return
        rect: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]  missing in the stubs
        # `option.state` knows both too, but makes PySide ready QStyle, which takes 12 ms.
        selected = self._view.selectionModel().isSelected(index)
        is_current = self._view.hasFocus() and index == self._view.currentIndex()
        look = _Look(
            layer,
            index.data(BADGE_ROLE),
            index.data(DEPTH_ROLE),
            rect.width(),
            painter.device().devicePixelRatioF(),
            tokens.current().name,
            selected,
            is_current and self.focus_ring,
            self.hovered_id == layer.id,
            layer.id in self.folded,
            self.only_rerolls,
        )
        painter.drawPixmap(rect.topLeft(), self._picture_of(look))

    def _picture_of(self, look: _Look) -> QPixmap:
        """The painted row, kept while it looks the same: lists are painted far oftener."""
        layer_id = look.layer.id
        known = self._pictures.pop(layer_id, None)
        if known is None or not known[0].is_as(look):
            known = (look, self._painted(look))
        self._pictures[layer_id] = known
        while len(self._pictures) > _KEPT_ROWS:
            del self._pictures[next(iter(self._pictures))]
        return known[1]

    def _painted(self, look: _Look) -> QPixmap:
        rect = QRect(0, 0, look.width, ROW_HEIGHT)
        made = QPixmap(rect.size() * look.ratio)
        made.setDevicePixelRatio(look.ratio)
        made.fill(tokens.current().color("panel"))
        painter = QPainter(made)
        self._paint_row(painter, rect, look)
        painter.end()
        return made

    def _paint_row(self, painter: QPainter, rect: QRect, look: _Look) -> None:
        layer = look.layer
        parts = row_parts(rect, look.depth, is_group=layer.is_group)
        self._paint_ground(painter, rect, look)
        dimmed = not layer.visible or layer.locked
        self._paint_eye(painter, parts, layer)
        painter.setOpacity(0.5 if dimmed else 1.0)
        if layer.is_group:
            name = "chevron" if look.folded else "chevron-down"
            box = QRectF(parts.fold.left() - 2, parts.fold.center().y() - 6, 13, 13)
            paint_icon(painter, name, box, "t2")
        if layer.clipped:
            left = parts.fold.left() if layer.is_group else parts.thumb.left()
            mark = QRectF(left - 17, parts.thumb.center().y() - 7, 14, 14)
            paint_icon(painter, "clip", mark, "t2")
        painter.drawPixmap(parts.thumb, layer_thumb(layer, 32, look.ratio))
        strong = look.selected or look.hovered
        self._paint_words(painter, parts, layer, look.badge, strong=strong)
        self._paint_noise(painter, parts, layer)
        self._paint_state(painter, parts, layer)

    def _paint_ground(self, painter: QPainter, rect: QRect, look: _Look) -> None:
        theme = tokens.current()
        if look.selected:
            painter.fillRect(rect, theme.color("selected"))
            painter.fillRect(
                QRect(rect.left(), rect.top(), 2, rect.height()), theme.color("accent")
            )
        elif look.hovered:
            painter.fillRect(rect, theme.color("hover"))
        if not look.selected:
            line = QRect(rect.left() + 36, rect.bottom(), rect.width() - 36, 1)
            painter.fillRect(line, theme.color("line"))
        if look.focused:
            painter.setPen(QPen(theme.color("focus"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(rect.adjusted(1, 1, -1, -1))

    def _paint_eye(self, painter: QPainter, parts: RowParts, layer: Layer) -> None:
        box = QRectF(parts.eye).adjusted(3, 3, -3, -3)
        paint_icon(painter, "eye" if layer.visible else "eye-off", box, "t2")

    def _paint_words(
        self, painter: QPainter, parts: RowParts, layer: Layer, badge: Badge | None, *, strong: bool
    ) -> None:
        theme = tokens.current()
        words = parts.words
        middle = words.center().y() + 1
        name_face, text_face = font(13, 500), font(12)
        room = words.width()
        if badge is not None:
            spare = words.width() - QFontMetrics(name_face).horizontalAdvance(layer.name)
            room -= self._paint_badge(painter, words, badge, spare)
        if layer.locked:
            room -= 18
        elide = Qt.TextElideMode.ElideRight
        name = QFontMetrics(name_face).elidedText(layer.name, elide, room)
        painter.setFont(name_face)
        painter.setPen(theme.color("t1"))
        left = Qt.AlignmentFlag.AlignLeft
        top = QRect(words.left(), middle - 17, words.width(), 18)
        painter.drawText(top, left | Qt.AlignmentFlag.AlignVCenter, name)
        if layer.locked:
            beside = words.left() + QFontMetrics(name_face).horizontalAdvance(name) + 4
            paint_icon(painter, "lock", QRectF(beside, middle - 15, 14, 14), "t2")
        painter.setFont(text_face)
        painter.setPen(theme.color("t2" if strong else "t3"))
        text = layer.text or ("group" if layer.is_group else "no text")
        second = QFontMetrics(text_face).elidedText(text, elide, words.width())
        below = QRect(words.left(), middle, words.width(), 16)
        painter.drawText(below, left | Qt.AlignmentFlag.AlignVCenter, second)

    def _paint_badge(self, painter: QPainter, words: QRect, badge: Badge, spare: int) -> int:
        """Paint "moved", "22" and the like at the right; returns the width it takes.

        Where less than `spare` px are left beside the name, the icon alone has to do.
        """
        face = font(11, 600)
        icon_name, token = _BADGES[badge.kind]
        width = QFontMetrics(face).horizontalAdvance(badge.words)
        narrow = spare < width + 21
        taken = 14 if narrow else width + 17
        right, top = words.right() + 1, words.center().y() - 14
        paint_icon(painter, icon_name, QRectF(right - taken, top, 13, 13), token)
        if not narrow:
            painter.setFont(face)
            painter.setPen(tokens.current().color(token))
            place = QRect(right - width, top - 1, width, 15)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, badge.words)
        return taken + 4

    def _paint_noise(self, painter: QPainter, parts: RowParts, layer: Layer) -> None:
        shown = shown_noise(layer)
        noise = shown or 0.0
        paint_bar(painter, QRectF(parts.bar), noise, noise=True, radius=3)
        painter.setFont(font(12, 600))
        painter.setPen(tokens.current().color("t1" if noise > 0 else "t2"))
        place = parts.bar.adjusted(0, 0, -6, 0)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(place, right, "mixed" if shown is None else str(round(noise * 100)))

    def _paint_state(self, painter: QPainter, parts: RowParts, layer: Layer) -> None:
        token = "accent" if layer.state is NextState.REROLL else "t2"
        if self.only_rerolls and layer.state is not NextState.REROLL:
            token = "disabled"
        box = QRectF(parts.state).adjusted(3, 3, -3, -3)
        paint_icon(painter, STATE_ICONS[shown_state(layer)], box, token)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        field = QLineEdit(parent)
        field.setAccessibleName("Layer name")
        return field

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        layer: Layer | None = index.data(LAYER_ROLE)
        if layer is None:
            return
        rect: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        words = row_parts(rect, index.data(DEPTH_ROLE), is_group=layer.is_group).words
        editor.setGeometry(words.left() - 6, words.top() + 2, words.width() + 8, 24)
