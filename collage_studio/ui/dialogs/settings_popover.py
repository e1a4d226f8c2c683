"""Harmonise settings: four on top, the rest under More."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.app.extras_library import ExtrasLibrary
from collage_studio.app.models import ModelLibrary, usual_guidance
from collage_studio.app.settings import PreferencesStore
from collage_studio.document.recipe import RunSettings
from collage_studio.ui.dialogs.extras_part import RunExtrasPart, summary
from collage_studio.ui.panels.document_page import change_settings
from collage_studio.ui.panels.methods import METHODS, QUALITIES, SAMPLERS
from collage_studio.ui.widgets.basics import Button, Label, line, listen, on_click
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.fold import Fold
from collage_studio.ui.widgets.popover import Popover
from collage_studio.ui.widgets.segment import Choice, Segment
from collage_studio.ui.widgets.value_bar import ValueBar

_SEEDS = (("new", "new each run"), ("fixed", "fixed"))
_SIZES = (
    ("0", "native"),
    ("256", "256 px"),
    ("512", "512 px"),
    ("768", "768 px"),
    ("1024", "1024 px"),
)


class SettingsPopover(Popover):
    """Changes the document's run settings and the number and choice of seeds."""

    def __init__(
        self,
        window: QWidget,
        editor: Editor,
        store: PreferencesStore,
        models: ModelLibrary,
    ) -> None:
        super().__init__(window, "Harmonise settings", 272)
        self._editor, self._store = editor, store
        self._quality = Segment([Choice(steps, name) for steps, name in QUALITIES])
        self._variations = ValueBar("Variations", 1, 16)
        self._seeds = ChoiceButton(_SEEDS, caption="Seeds")
        self._first = ValueBar("First seed", 0, 99999)
        self._scale = ValueBar("Scale all noise", 0, 200, unit=" %")
        self._extras = Fold("Edges and style")
        self._run_extras = RunExtrasPart(editor, models, ExtrasLibrary(store))
        self._more = Fold("More")
        self._method = ChoiceButton(METHODS, caption="Method")
        self._sampler = ChoiceButton(SAMPLERS, caption="Sampler")
        self._size = ChoiceButton(_SIZES, caption="Size")
        self._steps = ValueBar("Steps", 1, 100)
        self._guide = ValueBar("Guide", 1, 20, step=0.1)
        self._foot = Label("", "second")
        self._build()
        self._connect()
        self._subscriptions = [
            editor.changed.subscribe(lambda change: self.prepare()),
            store.changed.subscribe(lambda preferences: self.prepare()),
        ]

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        for subscription in self._subscriptions:
            subscription.close()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(12, 8, 8, 4)
        head.addWidget(Label("Harmonise settings", "title"))
        head.addStretch(1)
        reset = Button("Reset", kind="link", tooltip="Reset: Back to the defaults.")
        on_click(reset, self._reset)
        head.addWidget(reset)
        self.body.addLayout(head)
        top = QVBoxLayout()
        top.setContentsMargins(12, 2, 12, 12)
        top.setSpacing(8)
        for part in (self._quality, self._variations, self._seeds, self._first, self._scale):
            top.addWidget(part)
        self.body.addLayout(top)
        self.body.addWidget(line("h"))
        self._extras.body.addWidget(self._run_extras)
        self.body.addWidget(self._extras)
        self.body.addWidget(line("h"))
        self._more.body.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._steps)
        row.addWidget(self._guide)
        self._more.body.addWidget(self._method)
        self._more.body.addLayout(row)
        self._more.body.addWidget(self._sampler)
        self._more.body.addWidget(self._size)
        self.body.addWidget(self._more)
        self.body.addWidget(line("h"))
        self._foot.setWordWrap(True)
        self._foot.setContentsMargins(12, 8, 12, 10)
        self.body.addWidget(self._foot)
        for fold in (self._extras, self._more):
            listen(fold.line.toggled, lambda _on: self._grow())

    def _grow(self) -> None:
        self.body.activate()
        self.place()

    def _connect(self) -> None:
        editor = self._editor
        listen(
            self._quality.chosen, lambda value: change_settings(editor, "Quality", steps=int(value))
        )
        listen(self._variations.changed, lambda v: self._store.update(variations=int(v)))
        listen(self._seeds.chosen, lambda value: self._store.update(seeds=value))
        listen(self._first.changed, lambda v: self._store.update(first_seed=int(v)))
        listen(
            self._scale.changed,
            lambda v: change_settings(editor, "Noise scale", merge="scale", noise_scale=v / 100),
        )
        listen(self._method.chosen, lambda v: change_settings(editor, "Method", method=v))
        listen(self._sampler.chosen, lambda v: change_settings(editor, "Sampler", sampler=v))
        listen(
            self._size.chosen, lambda v: change_settings(editor, "Working size", resolution=int(v))
        )
        listen(
            self._steps.changed,
            lambda v: change_settings(editor, "Steps", merge="steps", steps=int(v)),
        )
        listen(
            self._guide.changed,
            lambda v: change_settings(editor, "Guide", merge="guide", guidance=round(v, 1)),
        )
        for bar in (self._scale, self._steps, self._guide):
            bar.finished.connect(editor.seal)

    def prepare(self) -> None:
        """Show the document's settings and the preferences."""
        settings, preferences = self._editor.document.settings, self._store.current
        steps = str(settings.steps)
        self._quality.show_value(steps if steps in dict(QUALITIES) else "")
        self._variations.show_value(preferences.variations)
        self._seeds.show_value(preferences.seeds)
        self._first.setVisible(preferences.seeds == "fixed")
        self._first.show_value(preferences.first_seed)
        self._scale.show_value(settings.noise_scale * 100)
        self._method.show_value(settings.method)
        self._sampler.show_value(settings.sampler)
        sizes = dict(_SIZES)
        size = str(settings.resolution)
        self._size.set_options(_SIZES if size in sizes else (*_SIZES, (size, f"{size} px")))
        self._size.show_value(size)
        self._steps.show_value(settings.steps)
        self._guide.show_value(settings.guidance)
        self._more.line.show_values(
            f"{dict(METHODS).get(settings.method, settings.method)} · {settings.steps} steps"
        )
        self._run_extras.show_extras(settings.extras)
        self._extras.line.show_values(summary(settings.extras))
        self._foot.show_text(_foot(settings, preferences.variations))
        self._grow()

    def _reset(self) -> None:
        plain = RunSettings()
        change_settings(
            self._editor,
            "Reset settings",
            method=plain.method,
            sampler=plain.sampler,
            steps=plain.steps,
            guidance=usual_guidance(self._editor.document.settings.model),
            noise_scale=plain.noise_scale,
            resolution=plain.resolution,
        )
        self._store.update(variations=4, seeds="new")


def _foot(settings: RunSettings, variations: int) -> str:
    pictures = "1 picture" if variations == 1 else f"{variations} pictures"
    return f"{pictures} of {settings.steps} steps each, at noise 100."
