"""The variations strip: outcomes of the runs, the one shown, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPixmap, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QMenu, QScrollArea, QVBoxLayout, QWidget

from collage_studio.app.editor import Changed, Editor
from collage_studio.document.compositing import flatten
from collage_studio.document.geometry import Size
from collage_studio.document.model import Document, Variation
from collage_studio.engine.api import Picture
from collage_studio.ui.background import Background
from collage_studio.ui.panels.strip_looks import (
    ACCEPTED,
    COLLAGE,
    MORE,
    Pending,
    StripState,
    looks,
    runs_of,
    title_of_run,
)
from collage_studio.ui.widgets.basics import Button, Label, line, on_click, tool_button
from collage_studio.ui.widgets.thumbs import eight_bit, fresh_thumb, picture_thumb
from collage_studio.ui.widgets.tile import PICTURE, Tile, TileLook

HEIGHT, FOLDED = 111, 31
NARROW = 1000
"""Below this width tiles close up, so that four variations and More seeds fit."""


@dataclass(slots=True)
class _Passing:
    """Previews of tiles that are still being made, as thumbnails."""

    pictures: dict[str, QPixmap]


class Strip(QWidget):
    """Shows one run at a time. Tiles only show; accepting is an edit made by the window.

    Signals:
        show_requested(key): "collage", "accepted" or a variation's id.
    """

    show_requested = Signal(str)
    accept_requested = Signal(str)
    drop_requested = Signal(str)
    drag_requested = Signal(str)
    menu_requested = Signal(str, QPointF)
    more_requested = Signal()
    compare_requested = Signal()
    clear_requested = Signal(int)
    retry_requested = Signal(str)
    has_content = Signal(bool)

    def __init__(
        self, editor: Editor, background: Background, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._editor, self._background = editor, background
        self._drawn: Document | None = None
        self._state = StripState()
        self._passing = _Passing({})
        self._tiles: list[Tile] = []
        self._collage: QPixmap | None = None
        self.setProperty("region", "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Variations")
        self._title = Button(
            "Variations", kind="heading", tooltip="Runs: Older ones are in this menu."
        )
        self._line = Label("", "second", elide=True)
        self._hint = Label("", "small")
        self.accept = Button(
            "Accept",
            icon_name="check",
            kind="primary",
            tooltip="Accept (Return): Puts this variation into the layers. Undo brings it back.",
        )
        self._compare = tool_button("compare", "Compare (Y): Wipe between two versions.")
        self._bin = tool_button("bin", "Clear: Takes this run off the strip. Undo brings it back.")
        self._fold = tool_button("chevron-down", "Fold or open the strip")
        self._row = QHBoxLayout()
        self._build()
        self._refresh_collage = QTimer(self)
        self._refresh_collage.setSingleShot(True)
        self._refresh_collage.setInterval(300)
        self._refresh_collage.timeout.connect(self._draw_collage)
        self._subscription = editor.changed.subscribe(self._on_changed)
        self._refresh()

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        self._subscription.close()
        self._refresh_collage.stop()

    # Build

    def _build(self) -> None:
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self._left())
        self._rule = line("v")
        whole.addWidget(self._rule)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inner = QWidget()
        self._row = QHBoxLayout(inner)
        self._row.setContentsMargins(8, 8, 8, 4)
        self._row.setSpacing(4)
        self._row.addStretch(1)
        area.setWidget(inner)
        self._area = area
        whole.addWidget(area, 1)
        corner = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._corner = corner
        corner.setContentsMargins(4, 4, 8, 4)
        corner.setSpacing(2)
        corner.addWidget(self._bin)
        corner.addWidget(self._fold)
        right = QVBoxLayout()
        right.addLayout(corner)
        right.addStretch(1)
        whole.addLayout(right)
        on_click(self.accept, lambda: self.accept_requested.emit(self._state.shown))
        on_click(self._compare, self.compare_requested.emit)
        on_click(self._bin, lambda: self.clear_requested.emit(self._state.run))
        on_click(self._fold, lambda: self.set_folded(not self._state.folded))
        on_click(self._title, self._choose_run)

    def _left(self) -> QWidget:
        left = QWidget()
        left.setFixedWidth(156)
        whole = QVBoxLayout(left)
        whole.setContentsMargins(12, 8, 8, 8)
        whole.setSpacing(1)
        self._title.setFixedHeight(20)
        whole.addWidget(self._title, 0, Qt.AlignmentFlag.AlignLeft)
        whole.addWidget(self._line)
        self._hint.setWordWrap(True)
        whole.addWidget(self._hint)
        row = QHBoxLayout()
        row.setContentsMargins(0, 6, 0, 0)
        row.setSpacing(4)
        self.accept.setFixedHeight(28)
        row.addWidget(self.accept)
        row.addWidget(self._compare)
        row.addStretch(1)
        self._buttons = QWidget()
        self._buttons.setLayout(row)
        whole.addWidget(self._buttons)
        whole.addStretch(1)
        return left

    def resizeEvent(self, event: QResizeEvent) -> None:
        narrow = self.width() < NARROW and not self._state.folded
        way = QBoxLayout.Direction
        self._corner.setDirection(way.TopToBottom if narrow else way.LeftToRight)
        self._row.setSpacing(0 if narrow else 4)

    # State

    @property
    def shown(self) -> str:
        """Key of the tile on the canvas."""
        return self._state.shown

    def show_key(self, key: str) -> None:
        """Mark the tile that is on the canvas."""
        self._state.shown = key
        variation = _variation(self._editor.document, key)
        if variation is not None:
            self._state.run = variation.run
        self._refresh()

    def set_pending(self, pending: tuple[Pending, ...], run: int) -> None:
        """Seeds of the running job that have no variation yet."""
        known = {item.key.split(":")[0] for item in self._state.pending}
        if pending and not known & {item.key.split(":")[0] for item in pending}:
            self._state.run = run
        self._state.pending, self._state.pending_run = pending, run
        kept = {item.key for item in pending}
        self._passing.pictures = {k: p for k, p in self._passing.pictures.items() if k in kept}
        self._refresh()

    def mark_streaming(self, key: str) -> None:
        """Mark the tile whose preview is on the canvas; "" when none is."""
        if key != self._state.streaming:
            self._state.streaming = key
            self._refresh()

    def show_preview(self, key: str, picture: Picture, progress: float) -> None:
        """A newer preview of the tile "job:seed"."""
        thumb = fresh_thumb(picture, PICTURE, self.devicePixelRatioF())
        self._passing.pictures[key] = thumb
        self._state.progress[key] = progress
        tile = next((tile for tile in self._tiles if tile.look.key == key), None)
        if tile is not None:
            look = TileLook(
                key, tile.look.title, tile.look.note, "running", progress, tile.look.shown
            )
            tile.show_look(look, thumb)

    def set_folded(self, folded: bool) -> None:
        """Fold the strip to one line or open it."""
        self._state.folded = folded
        self._fold.set_icon_name("chevron-up" if folded else "chevron-down")
        self._refresh()

    @property
    def is_folded(self) -> bool:
        return self._state.folded

    def step(self, by: int) -> str:
        """Key of the next or previous finished tile, round the ends."""
        ready = [tile.look.key for tile in self._tiles if tile.look.state == "ready"]
        if not ready:
            return ""
        place = ready.index(self._state.shown) if self._state.shown in ready else -by
        return ready[(place + by) % len(ready)]

    # Show

    def _on_changed(self, change: Changed) -> None:
        before, after = change.before, change.after
        if before.layers is not after.layers or before.background is not after.background:
            self._refresh_collage.start()
        parts = ("variations", "accepted", "size")
        if any(getattr(before, part) is not getattr(after, part) for part in parts):
            self._refresh()

    def _refresh(self) -> None:
        document = self._editor.document
        runs = runs_of(document, self._state)
        if self._state.run not in runs and runs:
            self._state.run = runs[-1]
        wanted = looks(document, self._state)
        visible = len(wanted) > 0
        self._show_tiles(wanted)
        self._show_words(document)
        self.setFixedHeight(FOLDED if self._state.folded else HEIGHT)
        self._area.setVisible(not self._state.folded)
        self._rule.setVisible(not self._state.folded)
        if self.isHidden() == visible:
            self.setVisible(visible)
            self.has_content.emit(visible)
        if visible and self._collage is None and not self._refresh_collage.isActive():
            self._refresh_collage.start(0)

    def _show_tiles(self, wanted: list[TileLook]) -> None:
        keys = [look.key for look in wanted]
        if keys != [tile.look.key for tile in self._tiles]:
            there = {tile.look.key: tile for tile in self._tiles}
            for tile in self._tiles:
                self._row.removeWidget(tile)
                if tile.look.key not in keys:
                    tile.hide()
                    tile.deleteLater()
            self._tiles = [there.get(look.key) or self._make_tile(look) for look in wanted]
            for place, tile in enumerate(self._tiles):
                self._row.insertWidget(place, tile)
        for tile, look in zip(self._tiles, wanted, strict=True):
            tile.show_look(look, self._picture(look))

    def _make_tile(self, look: TileLook) -> Tile:
        tile = Tile(look)
        tile.pressed.connect(self._on_pressed)
        tile.accepted.connect(self.accept_requested)
        tile.dropped.connect(self.drop_requested)
        tile.menu_requested.connect(self.menu_requested)
        tile.drag_requested.connect(self.drag_requested)
        return tile

    def _on_pressed(self, key: str) -> None:
        state = next((t.look.state for t in self._tiles if t.look.key == key), "")
        if key == MORE:
            self.more_requested.emit()
        elif state == "failed":
            self.retry_requested.emit(key.split(":")[0])
        elif state == "ready":
            self.show_requested.emit(key)

    def tile(self, key: str) -> Tile | None:
        """The tile that stands for `key`."""
        return next((tile for tile in self._tiles if tile.look.key == key), None)

    def _picture(self, look: TileLook) -> QPixmap | None:
        ratio = self.devicePixelRatioF()
        if look.key == COLLAGE:
            return self._collage
        if look.key in self._passing.pictures:
            return self._passing.pictures[look.key]
        document = self._editor.document
        variation = document.accepted if look.key == ACCEPTED else _variation(document, look.key)
        if variation is None:
            return None
        pixels = eight_bit(variation.picture)
        return picture_thumb(pixels, variation.picture, PICTURE, ratio, self._part(document))

    def _part(self, document: Document) -> QRect | None:
        """Where all tiles look: of a re-roll at the layer, otherwise everywhere."""
        boxes = [
            v.box for v in document.variations if v.run == self._state.run and v.recipe.layer_ids
        ]
        box = next((box for box in boxes if box is not None), None)
        if box is None:
            return None
        grown = box.grown(round(max(box.width, box.height) * 0.1))
        return QRect(grown.left, grown.top, grown.width, grown.height)

    def state_of(self, key: str) -> str:
        """State of the tile `key`: "ready", "waiting", "running", "failed", or "" without one."""
        tile = self.tile(key)
        return tile.look.state if tile else ""

    def _draw_collage(self) -> None:
        document = self._editor.document
        if self.isHidden():
            self._collage = self._drawn = None
            return
        if document is self._drawn:
            return
        self._drawn = document
        size = _thumb_size(document.size, self.devicePixelRatioF())
        self._background.submit(
            lambda: (document, np.ascontiguousarray(flatten(document, size=size))),
            self._take_collage,
        )

    def _take_collage(self, drawn: tuple[Document, npt.NDArray[np.uint8]]) -> None:
        document, pixels = drawn
        if document is not self._drawn:
            return
        self._collage = fresh_thumb(pixels, QSize(PICTURE), self.devicePixelRatioF())
        tile = self.tile(COLLAGE)
        if tile is not None:
            tile.show_look(tile.look, self._collage)

    def _show_words(self, document: Document) -> None:
        title, words, hint = title_of_run(document, self._state)
        folded = self._state.folded
        self._title.setText(title)
        self._line.show_text(words)
        self._hint.show_text(hint)
        variation = _variation(document, self._state.shown)
        can_accept = variation is not None and variation is not document.accepted
        self._buttons.setVisible(can_accept and not folded)
        self._hint.setVisible(bool(hint) and not can_accept and not folded)
        self._line.setVisible(not folded)

    def _choose_run(self) -> None:
        runs = runs_of(self._editor.document, self._state)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for run in reversed(runs):
            entry = menu.addAction(f"Run {run}")
            entry.setCheckable(True)
            entry.setChecked(run == self._state.run)
            entry.triggered.connect(lambda _on=False, run=run: self._show_run(run))
        menu.popup(self._title.mapToGlobal(self._title.rect().bottomLeft()))

    def _show_run(self, run: int) -> None:
        self._state.run = run
        self._refresh()


def _thumb_size(canvas: Size, ratio: float) -> Size:
    """Device px of a thumbnail that fills a tile."""
    scale = max(PICTURE.width() / canvas.width, PICTURE.height() / canvas.height) * ratio
    return Size(max(1, round(canvas.width * scale)), max(1, round(canvas.height * scale)))


def _variation(document: Document, key: str) -> Variation | None:
    if document.accepted is not None and key in {ACCEPTED, document.accepted.id}:
        return document.accepted
    return next((one for one in document.variations if one.id == key), None)
