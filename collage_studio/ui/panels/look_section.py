"""The inspector's lines for learned looks: learn, watch, stop, go on, take another, take off."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.app.looks import (
    LookLibrary,
    is_of_this_picture,
    reason_against_learning,
    with_looks,
)
from collage_studio.app.runs import RunController
from collage_studio.document.looks import Look
from collage_studio.document.model import Document, Layer
from collage_studio.engine.api import LearnRequest, LearnSettings
from collage_studio.jobs.board import Job, JobState
from collage_studio.ui import layer_edits
from collage_studio.ui.panels.caption_bar import time_words
from collage_studio.ui.widgets.basics import Button, Label, listen, on_click
from collage_studio.ui.widgets.choice import ChoiceButton

TIP = "Learn look: Teaches the model this cutout, so it stays itself at higher noise."
_NONE = ""
_SHELF = 12
"""Looks of the library that the menu offers, newest first."""


class LookSection(QWidget):
    """One row of three buttons and a line that says how things stand; a bar while a job learns."""

    def __init__(self, editor: Editor, runs: RunController, library: LookLibrary) -> None:
        super().__init__()
        self._editor, self._runs, self._library = editor, runs, library
        self._layers: tuple[Layer, ...] = ()
        self._job = ""
        self._learn = Button("Learn look", icon_name="learn", tooltip=TIP)
        self._vectors = ChoiceButton(
            [(str(n), f"×{n}") for n in (1, 2, 3, 4)],
            tooltip="×4: Words the look is kept in. More hold more detail.",
        )
        self._look = ChoiceButton(
            [(_NONE, "no look")], tooltip="Look: The one this layer has, and those learned before."
        )
        self._said = Label("", "small")
        self._bar = QProgressBar()
        self._step = Label("", "second", elide=True)
        self._stop = Button(
            "Stop", icon_name="close", tooltip="Stop: Ends learning; what was learned is kept."
        )
        self._idle, self._busy = QWidget(), QWidget()
        self._build()
        on_click(self._learn, self._start)
        on_click(self._stop, lambda: runs.cancel(self._job))
        listen(self._look.chosen, self._take)
        self._subscription = runs.job_changed.subscribe(self._on_job)

    def widget(self) -> QWidget:
        """The section itself."""
        return self

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        self._subscription.close()

    def _build(self) -> None:
        row = QHBoxLayout(self._idle)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self._vectors.setFixedWidth(56)
        self._vectors.setAccessibleName("Words of the look")
        self._look.setAccessibleName("Look")
        self._vectors.show_value(str(LearnSettings().vectors))
        row.addWidget(self._learn)
        row.addWidget(self._vectors)
        row.addWidget(self._look, 1)
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of learning")
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._step)
        words.addWidget(self._bar)
        running = QHBoxLayout(self._busy)
        running.setContentsMargins(0, 0, 0, 0)
        running.setSpacing(8)
        running.addLayout(words, 1)
        running.addWidget(self._stop)
        self._said.setWordWrap(True)
        self._said.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(12, 0, 12, 8)
        whole.setSpacing(4)
        for part in (self._idle, self._busy, self._said):
            whole.addWidget(part)
        self._busy.hide()

    def show_layers(self, layers: Sequence[Layer]) -> None:
        """Show what these layers have learned."""
        self._layers = tuple(layers)
        reason = reason_against_learning(self._layers)
        has_pictures = any(layer.raster is not None for layer in self._layers)
        self.setVisible(has_pictures)
        self._learn.setEnabled(not reason)
        self._learn.setToolTip(f"Learn look: {reason}" if reason else TIP)
        self._show_job()
        self._show_look()

    # What there is

    def _show_look(self) -> None:
        looks = {layer.look for layer in self._layers}
        look = looks.pop() if len(looks) == 1 else None
        several = len(self._layers) > 1
        goes_on = look is not None and not look.recipe.finished and not several
        self._learn.setText("Go on" if goes_on else "Learn looks" if several else "Learn look")
        self._learn.setAccessibleName(self._learn.text())
        self._vectors.setEnabled(not goes_on)
        self._show_choices(look, is_mixed=bool(looks))
        self._said.show_text(self._sentence(look))
        self._said.setVisible(bool(self._said.full_text))

    def _show_choices(self, look: Look | None, *, is_mixed: bool) -> None:
        options = [(_NONE, "mixed" if is_mixed else "no look")]
        if look is not None:
            options.append((look.key, _label(look)))
        shelf = [item for item in self._library.looks() if look is None or item.look != look]
        options += [(item.look.key, _label(item.look)) for item in shelf[:_SHELF]]
        self._look.set_options(options)
        self._look.show_value(look.key if look is not None else _NONE)

    def _sentence(self, look: Look | None) -> str:
        """How the look came about, and what is wrong with it if something is."""
        if look is None or len(self._layers) != 1:
            return ""
        recipe, layer = look.recipe, self._layers[0]
        if not recipe.picture:
            return f"{look.count} words from another program."
        if recipe.model != self._editor.document.settings.model:
            return "Learned with another model; it may not be used. Learn again with this one."
        if not is_of_this_picture(look, layer):
            return f"Learned from another picture, {recipe.steps} steps."
        gain = f", error {_gain(look)} % lower" if _gain(look) > 0 else ""
        if not recipe.finished:
            return f"Stopped at step {recipe.steps} of {recipe.planned}, usable already."
        return f"Learned in {recipe.steps} steps{gain}."

    # Jobs

    def _on_job(self, job: Job) -> None:
        if job.is_learning:
            self._show_job()
            if job.is_over:
                self._show_look()

    def _show_job(self) -> None:
        job = _job_of(self._runs.board.jobs, self._ids())
        self._job = job.id if job else ""
        self._idle.setVisible(job is None)
        self._busy.setVisible(job is not None)
        if job is None:
            return
        self._bar.setValue(round(job.progress * 1000))
        if job.state is JobState.WAITING:
            self._step.show_text("Waits to learn")
        elif not job.steps:
            self._step.show_text("Getting ready to learn")
        else:
            left = "" if job.seconds_left is None else f", {time_words(job.seconds_left)} left"
            self._step.show_text(f"Step {job.step} of {job.steps}{left}")

    # What a person does

    def _ids(self) -> tuple[str, ...]:
        return tuple(layer.id for layer in self._layers)

    def _start(self) -> None:
        looks = [layer.look for layer in self._layers]
        if len(looks) == 1 and looks[0] is not None and not looks[0].recipe.finished:
            self._runs.learn_on(self._ids())
            return
        self._runs.learn(self._ids(), LearnSettings(vectors=int(self._vectors.value)))

    def _take(self, key: str) -> None:
        """Give the layers a look of the library, or none; Undo brings the former back."""
        worn = (layer.look for layer in self._layers if layer.look and layer.look.key == key)
        look = next(worn, None) or self._library.find(key)
        ids = self._ids()
        if key and look is None:
            self._show_look()
            return
        label = f"Look of {layer_edits.names_of(self._editor.document, ids)}"
        self._editor.apply(_wearing(ids, look), label)


def _wearing(ids: Sequence[str], look: Look | None) -> Callable[[Document], Document]:
    looks: dict[str, Look | None] = dict.fromkeys(ids, look)
    return lambda document: with_looks(document, looks)


def _job_of(jobs: Sequence[Job], ids: Sequence[str]) -> Job | None:
    """The job that learns, or will learn, one of these layers."""
    for job in jobs:
        request = job.request
        if not isinstance(request, LearnRequest) or job.is_over:
            continue
        if set(ids) & set(request.layer_ids):
            return job
    return None


def _label(look: Look) -> str:
    """What the menu calls a look: its layer's name."""
    return look.recipe.name or look.recipe.text or "Look"


def _gain(look: Look) -> int:
    """Percent by which the loss fell."""
    recipe = look.recipe
    return round(100 * (1 - recipe.loss / recipe.first_loss)) if recipe.first_loss > 0 else 0
