"""The bar under the canvas: caption, model, variations, settings, and the next step."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.app.selection import Selection
from collage_studio.document.model import Document, NextState
from collage_studio.formats.errors import size_text
from collage_studio.jobs.board import Job
from collage_studio.ui.panels.caption_edit import CaptionEdit
from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.basics import Button, Label, on_click, tool_button
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.progress import ProgressLine

HARMONISE_TIP = (
    "Harmonise (Ctrl+Return): Fits light, colour and shadow of all layers. Objects stay in place."
)


class ModelButton(Button):
    """Two lines: what paints, and where it comes from."""

    def __init__(self) -> None:
        super().__init__(tooltip="Model: What paints, and whether it fits this computer.")
        self._name, self._note, self._warn = "Starter", "built in", False
        self.setAccessibleName("Model")
        self.setFixedSize(112, 36)

    def show_model(self, name: str, note: str, *, warn: bool = False) -> None:
        """Show a model; `warn` in amber where its file is gone."""
        self._name, self._note, self._warn = name, note, warn
        self.setAccessibleDescription(f"{name}, {note}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        theme = tokens.current()
        painter = QPainter(self)
        token = "warn" if self._warn else "t2"
        paint_icon(painter, "model", QRectF(8, self.height() / 2 - 9, 18, 18), token)
        elide = Qt.TextElideMode.ElideRight
        painter.setFont(font(12, 600))
        painter.setPen(theme.color("t1"))
        room = self.width() - 40
        metrics = painter.fontMetrics()
        left = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(32, 3, room, 16, left, metrics.elidedText(self._name, elide, room))
        painter.setFont(font(11))
        painter.setPen(theme.color(token))
        metrics = painter.fontMetrics()
        painter.drawText(32, 18, room, 14, left, metrics.elidedText(self._note, elide, room))
        painter.end()


class RunningView(QWidget):
    """Stands in place of the buttons while a job runs: what, how far, how long, Cancel."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        super().__init__()
        self._title = Label("", "title", elide=True)
        self._line = Label("", "second", elide=True)
        self._bar = ProgressLine("Progress of the run")
        words = QVBoxLayout()
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(5)
        words.addStretch(1)
        for part in (self._title, self._bar, self._line):
            words.addWidget(part)
        words.addStretch(1)
        self._cancel = Button(
            "Cancel", icon_name="close", tooltip="Cancel (Ctrl+.): Stops the run within a step."
        )
        self._cancel.setFixedHeight(36)
        on_click(self._cancel, cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addLayout(words, 1)
        row.addWidget(self._cancel)
        self.setFixedWidth(322)

    def show_job(self, job: Job) -> None:
        """Show where a running job is."""
        many = len(job.seeds)
        which = f" {job.current_number} of {many}" if many > 1 else ""
        self._title.show_text(f"{_doing(job.title)}{which}")
        self._bar.show_share(job.progress)
        left = f"about {time_words(job.seconds_left)} left" if job.seconds_left is not None else ""
        self._line.show_text(" · ".join(word for word in (left, where_words(job)) if word))


def where_words(job: Job) -> str:
    """How far a running job is: its step, or how much of its model has arrived."""
    if job.is_fetching:
        return f"{size_text(job.fetched[0])} of {size_text(job.fetched[1])}"
    return f"step {job.step} of {job.steps}" if job.steps else "getting ready"


def time_words(seconds: float) -> str:
    """ "14 s" or "3 min"."""
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"


_DOING = (
    ("Harmonise", "Harmonising"),
    ("Re-roll", "Re-rolling"),
    ("Learn", "Learning"),
    ("Fill", "Filling"),
    ("Fetch", "Fetching"),
)


def _doing(title: str) -> str:
    """What a job is called while it runs."""
    for name, doing in _DOING:
        if title.startswith(name):
            short = title.split(",")[0]
            return doing + short[len(name) :]
    return title


def run_label(document: Document) -> tuple[str, str]:
    """Words and icon of the big button: "Harmonise", "Re-roll Tent", "Re-roll 3 layers"."""
    marked = [layer for layer in document.walk() if layer.state is NextState.REROLL]
    if not marked:
        return "Harmonise", "harmonise"
    name = marked[0].name if len(marked) == 1 else f"{len(marked)} layers"
    return f"Re-roll {name}", "reroll"


class CaptionBar(QWidget):
    """80 px high; the one filled button is here unless variations wait."""

    def __init__(
        self,
        editor: Editor,
        selection: Selection,
        run_action: Callable[[str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._editor = editor
        self.setProperty("region", "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(79)
        self.caption = CaptionEdit(editor, selection)
        self.model = ModelButton()
        self.variations = ChoiceButton(
            [(str(n), f"×{n}") for n in (1, 2, 4, 6, 8, 12, 16)],
            tooltip="×4: Seeds tried in one run.",
        )
        self.settings = tool_button(
            "settings", "Settings: Quality, seeds, method. The defaults suit most pictures."
        )
        self.harmonise = Button(
            "Harmonise", icon_name="harmonise", kind="primary", tooltip=HARMONISE_TIP
        )
        self._running = RunningView(lambda: run_action("harmonise.cancel"))
        self._buttons = QWidget()
        self._build(run_action)
        self._subscription = editor.changed.subscribe(lambda change: self._refresh())
        self._refresh()

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        self.caption.close_subscriptions()
        self._subscription.close()

    def _build(self, run_action: Callable[[str], None]) -> None:
        self.caption.setFixedHeight(56)
        self.variations.setFixedSize(56, 36)
        self.variations.setAccessibleName("Variations")
        self.settings.setProperty("kind", "")
        self.settings.setFixedSize(36, 36)
        self.harmonise.setFixedHeight(40)
        self.harmonise.setMinimumWidth(148)
        self.harmonise.setIconSize(QSize(26, 20))
        policy = QSizePolicy.Policy
        self.harmonise.setSizePolicy(policy.Minimum, policy.Fixed)
        buttons = QHBoxLayout(self._buttons)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(8)
        for part in (self.model, self.variations, self.settings, self.harmonise):
            buttons.addWidget(part)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(12)
        row.addWidget(self.caption, 1)
        row.addWidget(self._buttons)
        row.addWidget(self._running)
        self._running.hide()
        on_click(self.harmonise, lambda: run_action("harmonise.run"))
        on_click(self.model, lambda: run_action("harmonise.model"))
        on_click(self.settings, lambda: run_action("harmonise.settings"))

    def show_job(self, job: Job | None) -> None:
        """Show the running job, or the buttons if there is none."""
        self._buttons.setVisible(job is None)
        self._running.setVisible(job is not None)
        if job is not None:
            self._running.show_job(job)

    def set_next_step(self, is_harmonise: bool) -> None:
        """Whether the big button is the filled one; while variations wait, Accept is."""
        self.harmonise.set_kind("primary" if is_harmonise else "tinted")

    def _refresh(self) -> None:
        label, icon_name = run_label(self._editor.document)
        shown = self.harmonise.fontMetrics().elidedText(label, Qt.TextElideMode.ElideRight, 200)
        if self.harmonise.text() != shown:
            self.harmonise.setText(shown)
            self.harmonise.setAccessibleName(label)
        self.harmonise.set_icon_name(icon_name)
