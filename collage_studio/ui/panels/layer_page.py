"""The inspector's page for one or several layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from collage_studio.app.actions import has_paint
from collage_studio.app.editor import Editor
from collage_studio.app.selection import Selection
from collage_studio.document.model import Layer, NextState
from collage_studio.document.recipe import Start
from collage_studio.ui import layer_edits
from collage_studio.ui.panels.layer_row import shown_state
from collage_studio.ui.panels.suggestion import SuggestionLine
from collage_studio.ui.widgets.basics import Button, Label, line, listen, on_click
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.fields import GrowingText
from collage_studio.ui.widgets.fold import Fold
from collage_studio.ui.widgets.segment import Choice, Segment
from collage_studio.ui.widgets.thumbs import layer_thumb
from collage_studio.ui.widgets.value_bar import ValueBar

STATES = (
    Choice("keep", "Keep", "keep", "Keep: These pixels stay exactly as they are."),
    Choice(
        "harmonise",
        "Harmonise",
        "harmonise",
        "Harmonise: The next run fits this layer to the rest.",
    ),
    Choice(
        "reroll",
        "Re-roll",
        "reroll",
        "Re-roll: The next run makes this layer anew, nothing else.",
    ),
)
_STARTS = (
    (str(Start.CURRENT), "current"),
    (str(Start.ORIGINAL), "original"),
    (str(Start.NOISE), "noise"),
)
_IN_HIGH, _OUT_HIGH = 2.0, 2.0


class LayerSection(Protocol):
    """A part of the page that a feature brings."""

    def widget(self) -> QWidget: ...

    def show_layers(self, layers: Sequence[Layer]) -> None: ...

    def close_subscriptions(self) -> None: ...


class LayerPage(QWidget):
    """Text, noise, next run and words of the selected layers."""

    def __init__(
        self,
        editor: Editor,
        selection: Selection,
        reroll: Callable[[tuple[str, ...], Start], None],
    ) -> None:
        super().__init__()
        self._editor, self._selection, self._reroll = editor, selection, reroll
        self._layers: tuple[Layer, ...] = ()
        self._thumb = QLabel()
        self._name = Label("", "title", elide=True)
        self._kind = Label("", "second")
        self._text = GrowingText("Text of the layer")
        self._noise = ValueBar("Noise", noise=True)
        self._paint = _PaintLine(lambda: layer_edits.clear_paint(self._editor, self._ids()))
        self._state = Segment(STATES)
        self._start = ChoiceButton(_STARTS, caption="From")
        self._reroll_now = Button(
            "Re-roll now",
            icon_name="reroll",
            tooltip="Re-roll now: New seeds for this layer. Every other pixel stays identical.",
        )
        self._suggestion = SuggestionLine(editor)
        self._words = Fold("Words")
        self._in = ValueBar("In place", 0, 100 * _IN_HIGH)
        self._out = ValueBar("Elsewhere", 0, 100 * _OUT_HIGH)
        self._sections: list[LayerSection] = []
        self._section_rows = QVBoxLayout()
        self._build()
        self._connect()

    def _build(self) -> None:
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(self._header())
        top, body = QVBoxLayout(), QVBoxLayout()
        top.setContentsMargins(12, 2, 12, 0)
        body.setContentsMargins(12, 6, 12, 8)
        for part in (top, body):
            part.setSpacing(6)
        self._text.setPlaceholderText("What this layer shows, in a few words")
        self._text.setToolTip("Text: What this layer shows, in a few words.")
        self._noise.setToolTip("Noise: 0 keeps every pixel, 100 lets the model repaint.")
        self._start.setToolTip(
            "Start from: The current pixels, the original cutout, or noise and the text alone."
        )
        top.addWidget(self._text)
        top.addWidget(self._noise)
        top.addLayout(_ends("0 keeps every pixel", "100 repaints"))
        body.addWidget(self._state)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._reroll_now, 1)
        row.addWidget(self._start, 1)
        self._reroll_now.setFixedHeight(28)
        body.addLayout(row)
        whole.addLayout(top)
        whole.addWidget(self._paint)
        whole.addLayout(body)
        whole.addLayout(self._section_rows)
        whole.addWidget(self._suggestion)
        whole.addWidget(line("h"))
        self._in.setToolTip("In place: How firmly these words draw the layer here.")
        self._out.setToolTip("Elsewhere: How firmly they are kept out of the rest.")
        self._words.body.addWidget(self._in)
        self._words.body.addWidget(self._out)
        whole.addWidget(self._words)
        whole.addStretch(1)

    def _header(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(12, 8, 12, 4)
        row.setSpacing(8)
        self._thumb.setFixedSize(QSize(20, 20))
        row.addWidget(self._thumb)
        row.addWidget(self._name, 1)
        row.addWidget(self._kind)
        return row

    def _connect(self) -> None:
        listen(
            self._text.edited, lambda text: layer_edits.set_text(self._editor, self._ids(), text)
        )
        self._text.finished.connect(self._editor.seal)
        self._noise.changed.connect(self._take_noise)
        listen(
            self._state.chosen,
            lambda value: layer_edits.set_state(self._editor, self._ids(), NextState(value)),
        )
        listen(self._in.changed, lambda value: self._take_words(attention_in=value / 100))
        listen(self._out.changed, lambda value: self._take_words(attention_out=value / 100))
        for bar in (self._noise, self._in, self._out):
            bar.finished.connect(self._editor.seal)
        on_click(self._reroll_now, lambda: self._reroll(self._ids(), Start(self._start.value)))

    def add_section(self, section: LayerSection) -> None:
        """Show `section` below the buttons of the next run."""
        self._sections.append(section)
        self._section_rows.addWidget(section.widget())

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        for section in self._sections:
            section.close_subscriptions()

    def edit_text(self) -> None:
        """Put the cursor into the text."""
        self._text.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._text.selectAll()

    def show_layers(self, layers: tuple[Layer, ...]) -> None:
        """Show these layers: common values, otherwise "mixed"."""
        self._suggestion.show_layers([layer.id for layer in layers])
        same = len(layers) == len(self._layers) and all(
            a is b for a, b in zip(layers, self._layers, strict=False)
        )
        if same:
            return
        self._layers = layers
        for section in self._sections:
            section.show_layers(layers)
        last = layers[-1]
        self._thumb.setPixmap(layer_thumb(last, 20, self.devicePixelRatioF()))
        self._name.show_text(last.name if len(layers) == 1 else f"{len(layers)} layers")
        self._kind.show_text(_kind_word(last) if len(layers) == 1 else "selected")
        texts = {layer.text for layer in layers}
        self._text.show_text(last.text if len(texts) == 1 else "")
        self._text.setPlaceholderText(
            "mixed" if len(texts) > 1 else "What this layer shows, in a few words"
        )
        self._show_noise(layers)
        self._paint.setVisible(has_paint(self._editor.document, self._ids()))
        states = {shown_state(layer) for layer in layers}
        self._state.show_value(str(shown_state(last)) if len(states) == 1 else "")
        self._show_words(layers)
        background = self._editor.document.background.id
        self._reroll_now.setEnabled(any(layer.id != background for layer in layers))

    def _show_noise(self, layers: tuple[Layer, ...]) -> None:
        values = {layer_edits.shown_noise(layer) for layer in layers}
        value = layer_edits.shown_noise(layers[-1])
        kept = values == {0.0} and not any(map(_runs, layers))
        self._noise.show_value(
            (value or 0.0) * 100,
            mixed=len(values) > 1 or value is None,
            note="0, kept" if kept else "",
        )

    def _show_words(self, layers: tuple[Layer, ...]) -> None:
        last = layers[-1]
        inside = {layer.attention_in for layer in layers}
        outside = {layer.attention_out for layer in layers}
        self._in.show_value(last.attention_in * 100, mixed=len(inside) > 1)
        self._out.show_value(last.attention_out * 100, mixed=len(outside) > 1)
        self._words.line.show_values(f"in place {self._in.text()} · elsewhere {self._out.text()}")

    def _ids(self) -> tuple[str, ...]:
        return tuple(layer.id for layer in self._layers)

    def _take_noise(self, value: float) -> None:
        ids = self._ids()
        before = layer_edits.shown_noise(self._layers[-1]) if self._layers else None
        if len(ids) > 1 and before is not None and self._several_values():
            layer_edits.shift_noise(self._editor, ids, value / 100 - before)
        else:
            layer_edits.set_noise(self._editor, ids, value / 100)

    def _several_values(self) -> bool:
        return len({layer_edits.shown_noise(layer) for layer in self._layers}) > 1

    def _take_words(self, **changes: float) -> None:
        layer_edits.change(
            self._editor,
            self._ids(),
            "Words",
            lambda layer: replace(layer, **changes),
            merge="words-" + "-".join(changes),
        )


class _PaintLine(QWidget):
    """Says that noise is painted, and takes it away."""

    def __init__(self, clear: Callable[[], object]) -> None:
        super().__init__()
        said = Label("Painted in places", "second")
        said.setToolTip("Painted: The noise differs by place. The noise brush shows where.")
        button = Button("Clear", kind="link")
        button.setFixedHeight(20)
        button.setAccessibleName("Clear painted noise")
        button.setToolTip("Clear: The layer has one noise everywhere again.")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 2, 7, 0)  # the button has 5 px of its own
        row.setSpacing(4)
        row.addWidget(said, 1)
        row.addWidget(button)
        on_click(button, clear)


def _ends(low: str, high: str) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 2)
    row.addWidget(Label(low, "small"))
    row.addStretch(1)
    row.addWidget(Label(high, "small"))
    return row


def _runs(layer: Layer) -> bool:
    """The next run may change it, if only where noise is painted."""
    return layer.state is not NextState.KEEP and any(inner.may_change for inner in layer.walk())


def _kind_word(layer: Layer) -> str:
    if layer.is_group:
        count = sum(1 for _ in layer.walk()) - 1
        return f"Group, {count} layer" + ("s" if count != 1 else "")
    return str(layer.kind).capitalize()
