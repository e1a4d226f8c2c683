"""What floats over the window: popovers, sheets, the layer picker and the first hints.

Their modules are imported when they are first opened: the window stands sooner without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from collage_studio.app.actions import Action, reason_against, states_of
from collage_studio.app.models import CHECKPOINT_GUIDANCE, STARTER, usual_guidance
from collage_studio.app.notices import Notice
from collage_studio.app.settings import Preferences
from collage_studio.ui.action_table import ActionTable
from collage_studio.ui.panels.document_page import change_settings, choose_model
from collage_studio.ui.session import Session
from collage_studio.ui.widgets.basics import listen

if TYPE_CHECKING:
    from collage_studio.ui.dialogs.export_sheet import ExportSheet
    from collage_studio.ui.dialogs.find_popover import FindPopover
    from collage_studio.ui.dialogs.hub_sheet import HubSheet
    from collage_studio.ui.dialogs.model_popover import ModelPopover
    from collage_studio.ui.dialogs.preferences_sheet import PreferencesSheet
    from collage_studio.ui.dialogs.queue_popover import QueuePopover
    from collage_studio.ui.dialogs.settings_popover import SettingsPopover
    from collage_studio.ui.main_window import MainWindow
    from collage_studio.ui.panels.layer_picker import LayerPicker
    from collage_studio.ui.widgets.hints import Callout, SampleLine

HARMONISE_HINT, SAMPLE_HINT = "harmonise", "sample"


class OverlayCommands:
    """Builds popovers when they are first needed and binds the actions that open them."""

    def __init__(
        self, window: MainWindow, session: Session, notice: Callable[[Notice], None]
    ) -> None:
        self._window, self._session, self._notice = window, session, notice
        self._table: ActionTable | None = None
        self._find: FindPopover | None = None
        self._settings: SettingsPopover | None = None
        self._queue: QueuePopover | None = None
        self._models: ModelPopover | None = None
        self._hub: HubSheet | None = None
        self._export: ExportSheet | None = None
        self._preferences_sheet: PreferencesSheet | None = None
        self._picker: LayerPicker | None = None
        self.hints = Hints(window, session)
        self._subscription = session.editor.changed.subscribe(lambda change: self._show_model())
        window.caption.caption.picker_requested.connect(self.open_picker)
        listen(
            window.caption.variations.chosen,
            lambda value: session.store.update(variations=int(value)),
        )
        self._preferences = session.store.changed.subscribe(self._on_preferences)
        self._fetched = session.runs.fetched.subscribe(self._on_fetched)
        self._models_known: tuple[str, ...] = ()
        self._model_shown = STARTER  # as its button begins; whether it is there is looked up later
        self._show_variations()
        window.later.add(lambda: self._show_model(again=True))

    def close(self) -> None:
        """Stop listening; called when the window closes."""
        self._subscription.close()
        self._preferences.close()
        self._fetched.close()
        for popover in (self._settings, self._queue, self._preferences_sheet):
            if popover is not None:
                popover.close_subscriptions()

    def bind(self, table: ActionTable) -> None:
        """Give the table its functions."""
        self._table = table
        table.bind("file.export", self.open_export)
        table.bind("edit.find", self.open_find)
        table.bind("edit.preferences", self.open_preferences)
        table.bind("help.shortcuts", lambda: self.open_find(only_keys=True))
        table.bind("harmonise.settings", self.open_settings)
        table.bind("harmonise.queue", self.open_queue)
        table.bind("harmonise.model", self.open_models)
        table.bind_command("harmonise.choose_model", lambda _argument: self.ask_model())
        table.bind_command(
            "harmonise.fetch_model",
            lambda _argument: self.ask_hub(session_model(self._session)),
        )

    def open_find(self, *, only_keys: bool = False) -> None:
        """Open Find at its button."""
        if self._find is None and self._table is not None:
            from collage_studio.ui.dialogs.find_popover import FindPopover

            self._find = FindPopover(self._window, self._table.find, self._reason)
        if self._find is not None:
            self._find.open_all(self._window.top.find_button, only_keys=only_keys)

    def _reason(self, action: Action) -> str:
        editor = self._session.editor
        states = states_of(
            editor.document,
            self._session.selection.ids,
            undo=bool(editor.undo_label),
            redo=bool(editor.redo_label),
            running=self._session.runs.board.running is not None,
            shown_variation=self._window.run_view.shown,
            modified=editor.is_modified,
        )
        return reason_against(action, states)

    def open_preferences(self) -> None:
        """Open the preferences of the program."""
        if self._preferences_sheet is None:
            from collage_studio.ui.dialogs.preferences_sheet import PreferencesSheet

            self._preferences_sheet = PreferencesSheet(
                self._window, self._session.store, self._window.set_theme
            )
        self._preferences_sheet.open_sheet()

    def open_settings(self) -> None:
        """Open the settings above their button."""
        if self._settings is None:
            from collage_studio.ui.dialogs.settings_popover import SettingsPopover

            self._settings = SettingsPopover(
                self._window, self._session.editor, self._session.store, self._session.library
            )
        self._settings.toggle_at(self._window.caption.settings, above=True)

    def open_queue(self) -> None:
        """Open the queue below its button."""
        if self._queue is None:
            from collage_studio.ui.dialogs.queue_popover import QueuePopover

            self._queue = QueuePopover(self._window, self._session.runs)
        self._queue.toggle_at(self._window.top.queue)

    def open_models(self) -> None:
        """Open the models above their button."""
        self._model_popover().toggle_at(self._window.caption.model, above=True)

    def ask_model(self) -> None:
        """Ask for a model's file at once."""
        self._model_popover().ask(folder=False)

    def ask_hub(self, name: str) -> None:
        """Fetch a model by its hub id; the person is asked the first time."""
        if self._session.library.has_agreed(name):
            self._fetch(name)
            return
        if self._hub is None:
            from collage_studio.ui.dialogs.hub_sheet import HubSheet

            self._hub = HubSheet(self._window, self._fetch)
        self._hub.ask(name)

    def _fetch(self, name: str) -> None:
        """The person has agreed: list the model, take it, and fetch what is missing."""
        model = self._session.library.agree(name)
        if session_model(self._session) != name:
            choose_model(self._session.editor, model.name, name)
        if model.is_remote:
            self._session.runs.fetch(name)

    def _on_fetched(self, name: str) -> None:
        """Only now its family is known, and with it the guidance that it is usually run with."""
        self._show_model(again=True)
        settings, usual = self._session.editor.document.settings, usual_guidance(name)
        if settings.model == name and settings.guidance == CHECKPOINT_GUIDANCE != usual:
            change_settings(self._session.editor, "Guidance", guidance=usual)

    def _model_popover(self) -> ModelPopover:
        if self._models is None:
            from collage_studio.ui.dialogs.model_popover import ModelPopover

            self._models = ModelPopover(
                self._window,
                self._session.editor,
                self._session.library,
                lambda words: self._notice(Notice(words, "danger", key="model")),
                self.ask_hub,
            )
        return self._models

    def open_export(self) -> None:
        """Open the export sheet."""
        files = self._session.files
        if self._export is None:
            from collage_studio.ui.dialogs.export_sheet import ExportSheet

            self._export = ExportSheet(
                self._window,
                self._session.editor,
                files.export,
                lambda: files.folder("export"),
                lambda: files.title,
                self._window.canvas.background,
            )
        self._export.open_sheet()

    def open_picker(self, place: object) -> None:
        """Open the list of layers over the caption's cursor."""
        if self._picker is None:
            from collage_studio.ui.panels.layer_picker import LayerPicker

            self._picker = LayerPicker(self._window, self._session.editor)
            self._picker.picked.connect(self._take_layer)
            self._picker.closed.connect(self._window.caption.caption.setFocus)
        self._picker.open_over(self._window.caption.caption, place)  # pyright: ignore[reportArgumentType]  a QPoint

    def _take_layer(self, layer_id: str) -> None:
        self._window.caption.caption.insert_chip(layer_id)
        self._window.caption.caption.setFocus()

    def _on_preferences(self, preferences: Preferences) -> None:
        self._show_variations()
        if preferences.models != self._models_known:
            self._models_known = preferences.models
            self._show_model(again=True)

    def _show_model(self, *, again: bool = False) -> None:
        """Show the document's model; its files are read where it is another, or `again`."""
        wanted = self._session.editor.document.settings.model
        if wanted == self._model_shown and not again:
            return
        self._model_shown = wanted
        model = self._session.library.find(wanted)
        note = "built in" if model.id == "starter" else model.size
        missing = "not fetched yet" if model.is_remote else "not found"
        self._window.caption.model.show_model(
            model.name, note if model.is_available else missing, warn=not model.is_available
        )

    def _show_variations(self) -> None:
        button, count = self._window.caption.variations, self._session.store.current.variations
        numbers = sorted({1, 2, 4, 6, 8, 12, 16, count})
        button.set_options([(str(n), f"×{n}") for n in numbers])
        button.show_value(str(count))


def session_model(session: Session) -> str:
    """The model that the document is run with."""
    return session.editor.document.settings.model


class Hints:
    """The hints of the first start; each goes for good once it was used or closed."""

    def __init__(self, window: MainWindow, session: Session) -> None:
        self._window, self._session = window, session
        self._callout: Callout | None = None
        self._line: SampleLine | None = None

    def show_for_sample(self) -> None:
        """Show what was not used or closed before."""
        from collage_studio.ui.widgets.hints import Callout, SampleLine

        seen = self._session.store.current.hints_seen
        if HARMONISE_HINT not in seen and self._callout is None:
            self._callout = Callout(
                self._window,
                self._window.caption.harmonise,
                "Press Harmonise",
                "Light, colour and shadow will fit the whole picture. Every object stays "
                "where it is.",
                "Runs on this computer, offline.",
                self.harmonise_used,
            )
            self._callout.place()
        if SAMPLE_HINT not in seen and self._line is None:
            self._line = SampleLine(self._window.canvas, self._start_empty, self.sample_used)
            self._line.show()

    def _start_empty(self) -> None:
        self.sample_used()
        self.harmonise_used()
        self._window.table.run("file.new")

    def run_used(self) -> None:
        """The person has started a run: neither hint is needed any more."""
        self.harmonise_used()
        self.sample_used()

    def harmonise_used(self) -> None:
        """The person has pressed Harmonise or closed the hint."""
        if self._callout is not None:
            self._callout.dismiss()
            self._callout = None
        self._remember(HARMONISE_HINT)

    def sample_used(self) -> None:
        """The person has begun with something of their own or closed the hint."""
        if self._line is not None:
            self._line.dismiss()
            self._line = None
        self._remember(SAMPLE_HINT)

    def _remember(self, key: str) -> None:
        store = self._session.store
        if key not in store.current.hints_seen:
            store.update(hints_seen=(*store.current.hints_seen, key))
