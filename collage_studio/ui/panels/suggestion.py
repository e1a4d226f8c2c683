"""One line of the inspector: suggested values for the selected layers, to take or take back."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.app.suggestions import Offer, Suggestions
from collage_studio.document.suggesting import Suggestion
from collage_studio.ui.widgets.basics import Button, Label, on_click

_TIP = "Suggestion: What suits the layer's size, role and place in the stack. {values}."


class SuggestionLine(QWidget):
    """What is suggested and one button; hidden where nothing is."""

    def __init__(self, editor: Editor) -> None:
        super().__init__()
        self._suggestions = Suggestions(editor)
        self._ids: tuple[str, ...] = ()
        self._offer = Offer.NONE
        self._said = Label("", "second", elide=True)
        self._button = Button("Use", kind="link")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 6, 2)
        row.setSpacing(4)
        row.addWidget(self._said, 1)
        row.addWidget(self._button)
        on_click(self._button, self._press)

    def show_layers(self, ids: Sequence[str]) -> None:
        """Show what the program suggests for these layers now."""
        self._ids = tuple(ids)
        self._offer, suggestion = self._suggestions.offer(self._ids)
        self.setVisible(suggestion is not None)
        if suggestion is None:
            return
        is_taken = self._offer is Offer.TAKE_BACK
        self._said.show_text(_sentence(suggestion, is_taken, several=len(self._ids) > 1))
        self.setToolTip(_TIP.format(values=_values(suggestion)))
        self._button.setText("Take back" if is_taken else "Use")
        self._button.setAccessibleName(
            "Take back suggested values" if is_taken else "Use suggested values"
        )
        self._button.setToolTip(
            "Take back: Gives the values from before the suggestion."
            if is_taken
            else "Use: Sets noise and words as suggested. Undo takes it back as well."
        )

    def _press(self) -> None:
        if self._offer is Offer.TAKE_BACK:
            self._suggestions.take_back(self._ids)
        else:
            self._suggestions.take(self._ids)


def _sentence(suggestion: Suggestion, is_taken: bool, *, several: bool) -> str:
    if is_taken:
        return "Noise and words as suggested"
    if several:
        return "Suggested values for each"
    noise, words = round(100 * suggestion.noise), round(100 * suggestion.attention_in)
    return f"Suggested: noise {noise}, words {words}"


def _values(suggestion: Suggestion) -> str:
    return (
        f"Noise {suggestion.noise:.0%}, in place {suggestion.attention_in:.0%}, elsewhere "
        f"{suggestion.attention_out:.0%}, control {suggestion.control:.0%}"
    ).replace("%", "")
