"""The View and Help menus: tools, zoom, overlays, theme, and what the program is."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QApplication, QWidget

from collage_studio import __version__
from collage_studio.app.notices import Notice
from collage_studio.app.settings import Preferences, PreferencesStore
from collage_studio.ui.action_table import ActionTable
from collage_studio.ui.canvas.canvas import Canvas
from collage_studio.ui.panels.options_bar import OptionsBar
from collage_studio.ui.panels.rail import ToolRail
from collage_studio.ui.run_view import RunView
from collage_studio.ui.style.theme import apply_theme


class ViewCommands:
    """Binds what changes how things are seen, never the document."""

    def __init__(
        self,
        canvas: Canvas,
        rail: ToolRail,
        options: OptionsBar,
        runs: RunView,
        store: PreferencesStore,
    ) -> None:
        self._canvas, self._rail, self._options = canvas, rail, options
        self._runs, self._store = runs, store
        canvas.snap = store.current.snap
        self._map_before: bool | None = None
        options.show_toggles(snap=canvas.snap, noise_map=False)
        rail.chosen.connect(self.set_tool)
        options.snap_toggled.connect(self.set_snap)
        options.noise_map_toggled.connect(self.show_noise_map)
        options.compare_kind_chosen.connect(self._set_compare_kind)
        canvas.view_changed.connect(options.show_view)
        canvas.tool_changed.connect(self._on_tool)
        self._take_preferences(store.current)
        self._subscription = store.changed.subscribe(self._take_preferences)

    def close(self) -> None:
        """Stop listening; called when the window closes."""
        self._subscription.close()

    def _take_preferences(self, preferences: Preferences) -> None:
        self._canvas.has_layer_bar = preferences.layer_bar
        if preferences.snap != self._canvas.snap:
            self._canvas.snap = preferences.snap
            self._options.show_toggles(snap=preferences.snap, noise_map=self._canvas.show_noise_map)

    def bind(
        self, table: ActionTable, panels: tuple[QWidget, ...], notice: Callable[[Notice], None]
    ) -> None:
        """Give the table its functions; `panels` are what "Canvas only" hides."""
        self._panels, self._notice = panels, notice
        for tool in ("move", "hand", "zoom"):
            table.bind(f"tool.{tool}", lambda tool=tool: self.set_tool(tool))
        table.bind("view.collage", lambda: self._runs.show_view("collage"))
        table.bind("view.harmonised", lambda: self._runs.show_view("result"))
        table.bind("view.compare", self._runs.toggle_compare)
        table.bind("view.fit", self._canvas.zoom_fit)
        table.bind("view.actual", lambda: self._canvas.zoom_to(1.0))
        table.bind("view.zoom_in", self._canvas.zoom_in)
        table.bind("view.zoom_out", self._canvas.zoom_out)
        table.bind("view.noise_map", lambda: self.show_noise_map(not self._canvas.show_noise_map))
        table.bind("view.overlays", self._toggle_overlays)
        table.bind("view.canvas_only", self._toggle_panels)
        table.bind("view.theme", self.toggle_theme)
        table.bind("help.about", self._about)

    def set_tool(self, tool: str) -> None:
        """Take the tool of this name."""
        self._rail.show_tool(tool)
        self._canvas.tool = tool  # pyright: ignore[reportAttributeAccessIssue]  one of its names

    def set_snap(self, on: bool) -> None:
        """Let edges catch or not."""
        self._canvas.snap = on
        self._store.update(snap=on)

    def show_noise_map(self, on: bool) -> None:
        """Show the sampler's noise map over the picture or not, also when the tool changes."""
        if self._map_before is not None:
            self._map_before = on
        self._put_noise_map(on)

    def _on_tool(self, tool: str) -> None:
        """The noise brush shows the map; without it the map is as it was before."""
        before = self._map_before
        if tool == "noise" and before is None:
            self._map_before = self._canvas.show_noise_map
            self._put_noise_map(True)
        elif tool != "noise" and before is not None:
            self._map_before = None
            self._put_noise_map(before)

    def _put_noise_map(self, on: bool) -> None:
        self._canvas.show_noise_map = on
        self._options.show_toggles(snap=self._canvas.snap, noise_map=on)

    def toggle_theme(self) -> None:
        """From dark to light or back."""
        self.set_theme("dark" if self._store.current.theme == "light" else "light")

    def set_theme(self, theme: str) -> None:
        """Put "dark" or "light" on the whole program."""
        self._store.update(theme=theme)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply_theme(app, theme)

    def _set_compare_kind(self, kind: str) -> None:
        self._canvas.compare_kind = kind  # pyright: ignore[reportAttributeAccessIssue]  one of its names

    def _toggle_overlays(self) -> None:
        self._canvas.overlays_on = not self._canvas.overlays_on
        self._canvas.update()

    def _toggle_panels(self) -> None:
        hidden = any(not panel.isHidden() for panel in self._panels)
        for panel in self._panels:
            panel.setVisible(not hidden)

    def _about(self) -> None:
        self._notice(
            Notice(
                f"Collage Studio {__version__}, Apache-2.0. Typeface Inter, OFL.",
                "info",
                key="about",
            )
        )
