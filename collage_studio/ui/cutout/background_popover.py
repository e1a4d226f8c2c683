"""Remove background: by strokes at once, or by a model whose licence and size are shown first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from collage_studio.app.settings import config_dir
from collage_studio.cutout.rembg_models import MODELS, CutoutModel, is_there, models_folder
from collage_studio.cutout.removal import has_runtime
from collage_studio.ui.cutout.model_process import ModelProcess
from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font
from collage_studio.ui.style.icons import paint_icon
from collage_studio.ui.widgets.basics import Button, Label, line, on_click
from collage_studio.ui.widgets.popover import Popover

WIDTH = 372


class CutoutModelRow(Button):
    """One model: title and purpose; licence, size and whether it is here."""

    def __init__(self, model: CutoutModel, *, is_here: bool) -> None:
        super().__init__(kind="row", tooltip=f"{model.title}: {model.purpose}.")
        self.model, self._is_here = model, is_here
        self.setFixedHeight(44)
        here = "downloaded" if is_here else "not downloaded"
        self.setAccessibleName(f"{model.title}, {model.purpose}, {model.terms}, {here}")

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        theme = tokens.current()
        painter = QPainter(self)
        name, colour = ("check", "ok") if self._is_here else ("model", "t2")
        paint_icon(painter, name, QRectF(14, 13, 18, 18), colour)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(font(13, 600))
        painter.setPen(theme.color("t1"))
        painter.drawText(44, 4, 180, 20, middle, self.model.title)
        painter.setFont(font(12))
        painter.setPen(theme.color("t2"))
        painter.drawText(44, 22, 230, 18, middle, self.model.purpose)
        right = middle | Qt.AlignmentFlag.AlignRight
        painter.drawText(self.width() - 172, 4, 160, 20, right, self.model.terms)
        state = "on this computer" if self._is_here else "download"
        painter.setPen(theme.color("ok" if self._is_here else "accent"))
        painter.drawText(self.width() - 172, 22, 160, 18, right, state)
        painter.end()


class BackgroundPopover(Popover):
    """Chooses a way; nothing is downloaded before its own button was pressed."""

    def __init__(
        self,
        window: QWidget,
        process: ModelProcess,
        by_strokes: Callable[[], object],
        by_model: Callable[[CutoutModel], object],
    ) -> None:
        super().__init__(window, "Remove background", WIDTH)
        self._process, self._by_strokes, self._by_model = process, by_strokes, by_model
        self._rows: list[CutoutModelRow] = []
        self._asked: CutoutModel | None = None
        self._build()
        process.progressed.connect(self._on_progress)
        process.done.connect(self._on_done)
        process.failed.connect(self._on_failed)

    @property
    def rows(self) -> tuple[CutoutModelRow, ...]:
        """The models shown."""
        return tuple(self._rows)

    def _build(self) -> None:
        head = QVBoxLayout()
        head.setContentsMargins(12, 10, 12, 10)
        head.setSpacing(6)
        head.addWidget(Label("Remove background", "title"))
        self.strokes = Button("Draw two strokes", icon_name="pick", kind="tinted")
        self.strokes.setToolTip("Draw two strokes: One on the object, one around it.")
        on_click(self.strokes, self._take_strokes)
        row = QHBoxLayout()
        row.addWidget(self.strokes)
        row.addSpacing(4)
        row.addWidget(Label("Works at once, offline", "second"), 1)
        head.addLayout(row)
        self.body.addLayout(head)
        self.body.addWidget(line("h"))
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 4, 0, 4)
        self._list.setSpacing(0)
        self.body.addLayout(self._list)
        self.body.addWidget(line("h"))
        foot = QVBoxLayout()
        foot.setContentsMargins(12, 8, 12, 12)
        foot.setSpacing(6)
        self.says = Label("", "second")
        self.says.setWordWrap(True)
        foot.addWidget(self.says)
        self.agree = Button("Download", icon_name="export", kind="tinted")
        self.leave = Button("Not now")
        self._buttons = QWidget()
        buttons = QHBoxLayout(self._buttons)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.addWidget(self.agree)
        buttons.addWidget(self.leave)
        buttons.addStretch(1)
        foot.addWidget(self._buttons)
        on_click(self.agree, self._download)
        on_click(self.leave, lambda: self._ask(None))
        self.body.addLayout(foot)

    def prepare(self) -> None:
        """Show which models are here."""
        self._show_rows()
        self._ask(None)

    def _show_rows(self) -> None:
        for row in self._rows:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._rows = []
        for model in MODELS:
            row = CutoutModelRow(model, is_here=is_there(model, self._folder()))
            on_click(row, partial(self._choose, model))
            self._rows.append(row)
            self._list.addWidget(row)

    def _folder(self) -> Path:
        return models_folder(config_dir())

    def _choose(self, model: CutoutModel) -> None:
        if self._process.is_running:
            return
        if not has_runtime():
            self._say("Models need onnxruntime: install Collage Studio with its cutout extra.")
        elif is_there(model, self._folder()):
            self.close_popover()
            self._by_model(model)
        else:
            self._ask(model)

    def _ask(self, model: CutoutModel | None) -> None:
        """Show what a download means before it is done; None asks nothing."""
        self._asked = model
        if model is None:
            self._say("Models run on this computer; no picture leaves it.")
        else:
            self._say(
                f"{model.title}: licence {model.licence}, {model.size_words} from github.com. "
                "The file is checked before it is used."
            )
            self.agree.setText(f"Download {model.size_words}")
        self._show_buttons(model is not None)

    def _show_buttons(self, on: bool) -> None:
        self._buttons.setVisible(on)
        if self.isVisible():
            self.place()

    def _say(self, words: str) -> None:
        self.says.show_text(words)
        self.says.setFixedHeight(self.says.heightForWidth(WIDTH - 24) + 2)
        if self.isVisible():
            self.place()

    def _take_strokes(self) -> None:
        self.close_popover()
        self._by_strokes()

    def _download(self) -> None:
        if self._asked is not None:
            self._process.download(self._asked.name)
            self._say(f"Downloading {self._asked.title}")
            self._show_buttons(False)

    def _on_progress(self, share: float) -> None:
        if self._asked is not None:
            self._say(f"Downloading {self._asked.title}, {round(share * 100)} %")

    def _on_done(self, mask: object) -> None:
        if mask is None and self._asked is not None:
            model, self._asked = self._asked, None
            self._show_rows()
            self._say(f"{model.title} is here and was checked. Click it to use it.")

    def _on_failed(self, words: str) -> None:
        if self._asked is not None:
            self._say(words)
            self._show_buttons(False)
            self._asked = None
