"""The main window: puts the regions together and connects them. No logic of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QByteArray, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMainWindow,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from collage_studio.app.actions import states_of
from collage_studio.app.notices import Notice
from collage_studio.app.writing_back import WriteBack
from collage_studio.ui.action_table import ActionTable
from collage_studio.ui.background import Background
from collage_studio.ui.canvas.canvas import Canvas
from collage_studio.ui.crop_commands import CropCommands
from collage_studio.ui.cutout.cutout_commands import CutoutCommands
from collage_studio.ui.dock import Dock
from collage_studio.ui.extras_commands import extras_section
from collage_studio.ui.file_commands import FileCommands
from collage_studio.ui.focus_round import FocusRound
from collage_studio.ui.later import Later
from collage_studio.ui.layer_commands import LAYER_MENU, LayerCommands
from collage_studio.ui.layout_commands import LayoutCommands
from collage_studio.ui.look_commands import keep_finished, look_section
from collage_studio.ui.overlay_commands import OverlayCommands
from collage_studio.ui.panels.caption_bar import CaptionBar
from collage_studio.ui.panels.caption_limit import CaptionLimit
from collage_studio.ui.panels.inspector import Inspector
from collage_studio.ui.panels.layers_panel import LayersPanel
from collage_studio.ui.panels.options_bar import OptionsBar
from collage_studio.ui.panels.rail import ToolRail
from collage_studio.ui.panels.status_bar import StatusBar
from collage_studio.ui.panels.strip import Strip
from collage_studio.ui.panels.top_bar import TopBar
from collage_studio.ui.run_commands import RunCommands
from collage_studio.ui.run_view import RunView
from collage_studio.ui.session import Session
from collage_studio.ui.tile_menu import TileMenu
from collage_studio.ui.view_commands import ViewCommands
from collage_studio.ui.widgets.basics import line, listen
from collage_studio.ui.widgets.notices import NoticeStack

SAVE_PATIENCE_MS = 20_000
"""A window that is closed waits at most this long for a file that is being written."""
SMALLEST = (900, 600)
STATE_MENU = ("layer.keep", "layer.harmonise", "layer.reroll")


class MainWindow(QMainWindow):
    """One window, one document. `painted` is sent once, after the first paint."""

    painted = Signal()
    closing = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._was_painted = self._is_leaving = self._leaves_anyway = False
        self.setMinimumSize(*SMALLEST)
        self.later = Later(self)
        self.painted.connect(self.later.begin)
        self.table = ActionTable(self)
        run = self.table.run
        self.top = TopBar(run)
        self.rail = ToolRail()
        self.canvas = Canvas(session.editor, session.selection)
        self.options = OptionsBar(session.editor, session.selection, run, self.table.get)
        self.strip = Strip(session.editor, self.canvas.background)
        self.caption = CaptionBar(session.editor, session.selection, run)
        self._limit = CaptionLimit(self.caption.caption, session.editor, self.canvas.background)
        self.status = StatusBar()
        self.layers = LayersPanel(session.editor, session.selection, run)
        self.notices = NoticeStack(self.canvas, run)
        self.run_view = RunView(
            session,
            self.canvas,
            self.strip,
            self.caption,
            self.top,
            self.layers.tree,
            self.refresh_actions,
        )
        self.inspector = Inspector(
            session.editor,
            session.selection,
            run,
            lambda ids, start: self._runs.reroll(ids, start),
            (lambda: look_section(session), lambda: extras_section(session)),
        )
        self.slow_work = Background(self)
        self._assemble()
        self._bind()
        self._listen()
        self._restore_geometry()
        self.run_view.start()
        self._write_back = WriteBack(session.editor, self.slow_work.submit)
        self.later.add(self._write_back.refresh)
        self._show_title()

    # Put together

    def _assemble(self) -> None:
        left = QWidget()
        column = _column(left)
        for part in (self.options, line("H")):
            column.addWidget(part)
        column.addWidget(self.canvas, 1)
        for part in (line("H"), self.strip, line("h"), self.caption):
            column.addWidget(part)
        self.dock = Dock(self.layers, self.inspector)
        middle = QWidget()
        row = QHBoxLayout(middle)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addWidget(line("V"))
        row.addWidget(left, 1)
        self.body = QSplitter(Qt.Orientation.Horizontal)
        self.body.addWidget(middle)
        self.dock.put_into(self.body, self.canvas, self.options.panels)
        self.body.setStretchFactor(0, 1)
        self.body.setStretchFactor(1, 0)
        self.body.setChildrenCollapsible(False)
        self.body.setHandleWidth(1)
        whole = QWidget()
        rows = _column(whole)
        rows.addWidget(self.top)
        rows.addWidget(line("H"))
        rows.addWidget(self.body, 1)
        rows.addWidget(line("H"))
        rows.addWidget(self.status)
        self.setCentralWidget(whole)

    def _bind(self) -> None:
        session = self.session
        self._views = ViewCommands(
            self.canvas, self.rail, self.options, self.run_view, session.store
        )
        self._views.bind(self.table, (self.dock, self.strip, self.caption), self.show_notice)
        self.overlays = OverlayCommands(self, session, self.show_notice)
        self._runs = RunCommands(
            session, self.run_view, self.overlays.hints.run_used, self.slow_work.submit
        )
        self._runs.bind(self.table)
        self.files = FileCommands(
            self,
            session.editor,
            session.selection,
            session.files,
            self.show_notice,
            self.notices.drop,
        )
        self.files.bind(self.table)
        self._layers = LayerCommands(
            session.editor, session.selection, self.show_notice, self.canvas.paste
        )
        self._layers.bind(self.table)
        self.overlays.bind(self.table)
        self._cutouts = CutoutCommands(
            self,
            self.canvas,
            self.options,
            session.editor,
            session.selection,
            self.show_notice,
            self._views.set_tool,
            session.store,
        )
        self._cutouts.bind(self.table)
        self._layouts = LayoutCommands(
            session.editor, session.selection, self.canvas, self._views.set_tool
        )
        self._layouts.bind(self.table)
        self._crop = CropCommands(session.editor, self.canvas, self.options, self.show_notice)
        self._crop.bind(self.table, self._views.set_tool)
        self.table.bind("layer.rename", self._rename)
        self.table.bind("layer.text", self.inspector.edit_text)
        self.table.fill_menus(self.top.menus)
        self.table.give_keys((self.canvas, self.strip, self.layers.tree))

    def _listen(self) -> None:
        session, canvas = self.session, self.canvas
        self._subscriptions = [
            session.editor.changed.subscribe(lambda change: self._on_changed()),
            session.selection.changed.subscribe(lambda ids: self.refresh_actions()),
            session.runs.notice.subscribe(self.show_notice),
            session.runs.learned.subscribe(lambda look: keep_finished(session, look)),
            session.files.notice.subscribe(self.show_notice),
            session.files.path_changed.subscribe(lambda path: self._show_title()),
            session.files.activity.subscribe(self._on_writing),
        ]
        self.tile_menu = TileMenu(session, self.strip, self.run_view, self._runs)
        self.focus_round = FocusRound(
            self,
            (
                self.top.views,
                self.rail,
                self.options,
                canvas,
                self.strip,
                self.caption.caption,
                self.layers.tree,
                self.inspector,
            ),
        )
        canvas.zoom_changed.connect(self.status.show_zoom)
        canvas.status_hint.connect(self.status.show_hint)
        canvas.pointer_info.connect(self.status.show_hint)
        canvas.files_dropped.connect(self.files.drop)
        canvas.image_pasted.connect(self.files.add_image)
        canvas.text_edit_requested.connect(self._edit_text_of)
        listen(canvas.reroll_requested, lambda layer_id: self._runs.reroll((layer_id,)))
        canvas.harmonise_requested.connect(self._runs.harmonise_stale)
        canvas.layer_menu_requested.connect(partial(self._open_menu, LAYER_MENU))
        tree = self.layers.tree
        tree.menu_requested.connect(partial(self._open_menu, LAYER_MENU))
        tree.state_menu_requested.connect(partial(self._open_menu, STATE_MENU))
        tree.text_edit_requested.connect(self._edit_text_of)
        tree.dragged_out.connect(self._drop_on_caption)
        self._limit.unread_found.connect(tree.show_unread)
        self.layers.more.clicked.connect(self._open_more)
        self._autosave_timer = QTimer(self, interval=5000)
        self._autosave_timer.timeout.connect(self._autosave)
        self._autosave_timer.start()
        self._patience = QTimer(self, singleShot=True, interval=SAVE_PATIENCE_MS)
        self._patience.timeout.connect(self._leave_anyway)
        self.status.show_size(session.editor.document.size)

    # Show

    def set_theme(self, theme: str) -> None:
        """Put "dark" or "light" on the whole program."""
        self._views.set_theme(theme)

    def show_notice(self, notice: Notice) -> None:
        """Put a notice on the canvas; one of a failure keeps a closing window open."""
        if notice.level == "danger":
            self._is_leaving = False
        self.notices.show_notice(notice)

    def refresh_actions(self) -> None:
        """Switch actions on and off after what holds now."""
        session, editor = self.session, self.session.editor
        self.table.refresh(
            states_of(
                editor.document,
                session.selection.ids,
                undo=bool(editor.undo_label),
                redo=bool(editor.redo_label),
                running=session.runs.board.running is not None,
                shown_variation=self.run_view.shown,
                modified=editor.is_modified,
            )
        )
        self.top.set_history(editor.undo_label, editor.redo_label)

    def _on_changed(self) -> None:
        document = self.session.editor.document
        ids = {layer.id for layer in document.walk()} | {document.background.id}
        self.session.selection.keep_only(ids)
        self.status.show_size(document.size)
        self.refresh_actions()
        self._show_title()

    def _show_title(self) -> None:
        files, modified = self.session.files, self.session.editor.is_modified
        self.setWindowTitle(f"{files.title}[*] — Collage Studio")
        self.setWindowModified(modified)
        self.status.show_saved(modified=modified, named=files.path is not None)
        self.top.show_title(files.title, files.path)

    # Ask

    def _rename(self) -> None:
        self.layers.tree.start_rename(self.session.selection.active)

    def _edit_text_of(self, layer_id: str) -> None:
        self.session.selection.select((layer_id,))
        self.inspector.edit_text()

    def _open_menu(self, entries: tuple[str, ...], layer_id: str, at: QPoint) -> None:
        if layer_id and layer_id not in self.session.selection.ids:
            self.session.selection.select((layer_id,))
        self.table.context_menu(entries, self).popup(at)

    def _open_more(self) -> None:
        corner = self.layers.more.rect().bottomLeft()
        self.table.context_menu(LAYER_MENU, self).popup(self.layers.more.mapToGlobal(corner))

    def _drop_on_caption(self, layer_id: str, at: QPoint) -> None:
        edit = self.caption.caption
        if edit.rect().contains(edit.mapFromGlobal(at)):
            edit.setTextCursor(edit.cursorForPosition(edit.viewport().mapFromGlobal(at)))
            edit.insert_chip(layer_id)

    # Window

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.rail.setFixedWidth(40 if self.width() < 1400 else 44)
        self.dock.fit(self.width())

    def _restore_geometry(self) -> None:
        kept = self.session.store.current.window
        room = self.screen().availableGeometry()
        self.resize(min(1440, room.width()), min(900, room.height()))
        if "geometry" in kept:
            self.restoreGeometry(QByteArray.fromBase64(kept["geometry"].encode()))
        self.dock.restore(kept, self.width(), self.height())
        self.strip.set_folded(kept.get("strip", "open") == "folded")

    def _keep_geometry(self) -> None:
        kept = dict(self.session.store.current.window) | self.dock.states()
        kept["geometry"] = bytes(self.saveGeometry().toBase64().data()).decode()
        kept["strip"] = "folded" if self.strip.is_folded else "open"
        self.session.store.update(window=kept)

    def _autosave(self) -> None:
        self.session.autosave.interval_seconds = self.session.store.current.autosave_seconds
        self.session.autosave.drop_if_saved()
        if self.session.autosave.due():
            self.session.autosave.write_soon(self.session.files.path)

    def _on_writing(self, doing: str) -> None:
        self.status.show_doing(doing)
        if not doing and self._is_leaving:
            QTimer.singleShot(0, self, self.close)

    def _leave_anyway(self) -> None:
        """The file takes too long: it goes on being written while the window is gone."""
        if self._is_leaving:
            self._leaves_anyway = True
            self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        session = self.session
        if session.files.is_writing and not self._leaves_anyway:
            if not self._is_leaving:
                self._is_leaving = True
                self._patience.start()
            self.status.show_hint("The window closes when the file is written")
            event.ignore()
            return
        self.later.close()
        self._autosave_timer.stop()
        self._patience.stop()
        self._keep_geometry()
        self.hide()
        if session.autosave.is_needed:
            session.autosave.write(session.files.path)
            session.autosave.leave()
        else:
            session.autosave.close()
        self.close_subscriptions()
        if not session.files.is_writing:
            session.writer.close()
        self.closing.emit()
        super().closeEvent(event)

    def close_subscriptions(self) -> None:
        """Stop listening everywhere; safe to call twice."""
        closers: tuple[Callable[[], None], ...] = (
            self.run_view.close,
            self._write_back.close,
            self._runs.close,
            self.slow_work.close,
            self._cutouts.close,
            self._crop.close,
            self.canvas.release,
            self.overlays.close,
            self._layers.release,
            self._limit.close,
            self.files.close,
            self._views.close,
            self.session.runs.close,
        )
        for close in closers:
            close()
        for part in (self.options, self.strip, self.caption, self.layers, self.inspector):
            part.close_subscriptions()
        for subscription in self._subscriptions:
            subscription.close()


def _column(parent: QWidget) -> QVBoxLayout:
    column = QVBoxLayout(parent)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    return column
