"""Preferences of the program: each takes effect at once, or says when."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from collage_studio.app.settings import Preferences, PreferencesStore
from collage_studio.ui.dialogs.identity_choice import IdentityChoice
from collage_studio.ui.dialogs.segmenter_choice import SegmenterChoice
from collage_studio.ui.widgets.basics import Button, Label, line, listen, on_click, tool_button
from collage_studio.ui.widgets.check_line import CheckLine
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.popover import Sheet
from collage_studio.ui.widgets.segment import Choice, Segment

_THEMES = (Choice("dark", "Dark"), Choice("light", "Light"))
_AUTOSAVES = (
    ("15", "every 15 s"),
    ("60", "every minute"),
    ("300", "every 5 minutes"),
    ("900", "every 15 minutes"),
)
_DEVICES = (("auto", "what fits best"), ("cuda", "graphics card"), ("cpu", "processor"))
_PRECISIONS = (
    ("auto", "what suits the device"),
    ("fp32", "full, 32 bits"),
    ("fp16", "half, 16 bits"),
    ("bf16", "half with wide range, bf16"),
)
_WORDS_WIDTH = 168


class PreferencesSheet(Sheet):
    """Shows and changes what the program remembers, never the document."""

    def __init__(
        self, window: QWidget, store: PreferencesStore, set_theme: Callable[[str], None]
    ) -> None:
        """Args: set_theme: puts "dark" or "light" on the whole program and remembers it."""
        super().__init__(window, "Preferences", 560, 560)
        self._store = store
        self._at_start = _computing(store.current)
        self._theme = Segment(_THEMES)
        self._bar = CheckLine("Bar under the selection")
        self._snap = CheckLine("Edges and centres catch")
        self._autosave = ChoiceButton(_AUTOSAVES, tooltip="Recovery copy: Of unsaved work.")
        self._device = ChoiceButton(_DEVICES, tooltip="Runs on: What computes the pictures.")
        self._precision = ChoiceButton(
            _PRECISIONS, tooltip="Precision: Half needs half the memory; not all devices can."
        )
        self._restart = Label("Takes effect when the program starts again.", "warn")
        self._identity = IdentityChoice(store)
        self._segmenter = SegmenterChoice(window, store)
        self._hints = Button("Show the first hints again")
        self._recent = Button("Clear the list of recent files")
        self._build()
        listen(self._theme.chosen, set_theme)
        listen(self._bar.toggled, lambda on: store.update(layer_bar=on))
        listen(self._snap.toggled, lambda on: store.update(snap=on))
        listen(self._autosave.chosen, lambda value: store.update(autosave_seconds=int(value)))
        listen(self._device.chosen, lambda value: store.update(device=value))
        listen(self._precision.chosen, lambda value: store.update(precision=value))
        on_click(self._hints, lambda: store.update(hints_seen=()))
        on_click(self._recent, lambda: store.update(recent=()))
        self._subscription = store.changed.subscribe(lambda _preferences: self._refresh())
        self._refresh()

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        self._subscription.close()

    def _build(self) -> None:
        whole = QVBoxLayout(self.card)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(24, 16, 16, 8)
        head.addWidget(Label("Preferences", "sheet"), 1)
        cross = tool_button("close", "Close (Esc)")
        on_click(cross, self.close_sheet)
        head.addWidget(cross)
        whole.addLayout(head)
        inside = QWidget()
        rows = QVBoxLayout(inside)
        rows.setContentsMargins(24, 8, 24, 16)
        rows.setSpacing(10)
        for part in self._rows():
            rows.addWidget(part)
        rows.addStretch(1)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        whole.addWidget(area, 1)

    def _rows(self) -> tuple[QWidget, ...]:
        self._restart.setWordWrap(True)
        return (
            _row("Colours", self._theme),
            line("h"),
            _row("Canvas", self._bar),
            _row("", self._snap),
            line("h"),
            _row("Recovery copy", self._autosave),
            _quiet("Unsaved work and the queue are written aside and offered after a crash."),
            line("h"),
            _row("Runs on", self._device),
            _row("Precision", self._precision),
            _row("", self._restart),
            line("h"),
            _row("Pick by clicks", self._segmenter),
            _quiet("An ONNX pair as exported from Segment Anything; it runs on this computer."),
            line("h"),
            _row("Identity", self._identity),
            _quiet("CLIP, DINO or ArcFace of your own: runs say if layers are still themselves."),
            line("h"),
            _row("Forget", self._hints),
            _row("", self._recent),
        )

    def _refresh(self) -> None:
        now = self._store.current
        self._theme.show_value("light" if now.theme == "light" else "dark")
        for box, on in ((self._bar, now.layer_bar), (self._snap, now.snap)):
            box.blockSignals(True)
            box.setChecked(on)
            box.blockSignals(False)
        seconds = str(now.autosave_seconds)
        known = dict(_AUTOSAVES)
        own = (seconds, f"every {seconds} s")
        self._autosave.set_options(_AUTOSAVES if seconds in known else (*_AUTOSAVES, own))
        self._autosave.show_value(seconds)
        self._device.show_value(now.device)
        self._precision.show_value(now.precision)
        self._restart.setVisible(_computing(now) != self._at_start)
        self._identity.refresh()
        self._segmenter.refresh()
        self._hints.setEnabled(bool(now.hints_seen))
        self._hints.setToolTip("" if now.hints_seen else "No hint was closed yet")
        self._recent.setEnabled(bool(now.recent))
        self._recent.setToolTip("" if now.recent else "The list is empty")


def _computing(preferences: Preferences) -> tuple[str, str]:
    """What the engine is started with."""
    return preferences.device, preferences.precision


def _row(words: str, control: QWidget) -> QWidget:
    made = QWidget()
    row = QHBoxLayout(made)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(12)
    label = Label(words, "label")
    label.setFixedWidth(_WORDS_WIDTH - 24)
    row.addWidget(label)
    row.addWidget(control, 1)
    if words and not control.accessibleName():
        control.setAccessibleName(words)
    return made


def _quiet(words: str) -> QWidget:
    label = Label(words, "hint")
    label.setWordWrap(True)
    return _row("", label)
