"""Grow, smooth and feather a mask's edge: bars that change it while they are dragged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from collage_studio.cutout.edges import feather, grow, smooth
from collage_studio.cutout.layers import as_mask, outline_of
from collage_studio.document.model import Mask, Raster
from collage_studio.ui.background import Background
from collage_studio.ui.cutout.target import Target
from collage_studio.ui.widgets.basics import Button, Label, listen, on_click
from collage_studio.ui.widgets.popover import Popover
from collage_studio.ui.widgets.value_bar import ValueBar

PAUSE_MS = 60
Values = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """What the bars say, in source px; negative `grow` shrinks."""

    grow: float = 0.0
    smooth: float = 0.0
    feather: float = 0.0

    def apply(self, mask: Values) -> Values:
        """The mask after all three."""
        return feather(grow(smooth(mask, self.smooth), self.grow), self.feather)


@dataclass(slots=True)
class _Job:
    """The layer as it was when the popover opened."""

    layer_id: str
    name: str
    raster: Raster
    before: Mask | None
    outline: Values
    key: str
    last: Mask | None


class EdgePopover(Popover):
    """Works on the layer that was selected when it opened; all it does is one edit."""

    def __init__(
        self,
        window: QWidget,
        editor_target: Callable[[], Target | None],
        background: Background,
        run_action: Callable[[str], None],
        give: Callable[[str, Mask | None, str, str], None],
    ) -> None:
        super().__init__(window, "Edge", 264)
        self._target, self._background, self._give = editor_target, background, give
        self._job: _Job | None = None
        self._opened = 0
        self._running = self._wanted = False
        self.grow = ValueBar("Grow", -60, 60, unit=" px")
        self.smooth = ValueBar("Smooth", 0, 60, unit=" px")
        self.feather = ValueBar("Feather", 0, 60, unit=" px")
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._work)
        self._build(run_action)

    def _build(self, run_action: Callable[[str], None]) -> None:
        self.grow.setToolTip("Grow: Moves the edge out; below 0 it shrinks.")
        self.smooth.setToolTip("Smooth: Evens out bumps and notches.")
        self.feather.setToolTip("Feather: Softens the edge on both sides.")
        inside = QVBoxLayout()
        inside.setContentsMargins(12, 10, 12, 12)
        inside.setSpacing(6)
        head = QHBoxLayout()
        head.addWidget(Label("Edge", "title"), 1)
        reset = Button("Reset", kind="link")
        on_click(reset, self.reset)
        head.addWidget(reset)
        inside.addLayout(head)
        for bar in (self.grow, self.smooth, self.feather):
            inside.addWidget(bar)
            listen(bar.changed, lambda _value: self._pause.start())
        row = QHBoxLayout()
        row.setSpacing(8)
        for text, action, tooltip in (
            ("Refine edge", "mask.refine", "Refine edge: Finds the outline anew, hair included."),
            ("Clean colours", "mask.clean", "Clean colours: Takes the backdrop out of the edge."),
        ):
            button = Button(text, tooltip=tooltip)
            on_click(button, lambda action=action: (self.close_popover(), run_action(action)))
            row.addWidget(button, 1)
        inside.addSpacing(4)
        inside.addLayout(row)
        self.body.addLayout(inside)

    def prepare(self) -> None:
        """Take the selected layer's mask as what the bars start from."""
        target = self._target()
        for bar in (self.grow, self.smooth, self.feather):
            bar.show_value(0.0)
        self._opened += 1
        self._job = None
        if target is not None and target.layer.raster is not None:
            layer = target.layer
            assert layer.raster is not None
            self._job = _Job(
                layer.id, layer.name, layer.raster, layer.mask, outline_of(layer),
                f"edge:{layer.id}:{self._opened}", layer.mask,
            )  # fmt: skip

    @property
    def settings(self) -> EdgeSettings:
        """What the bars say."""
        return EdgeSettings(self.grow.value, self.smooth.value, self.feather.value)

    def reset(self) -> None:
        """All bars to 0: the mask as it was."""
        for bar in (self.grow, self.smooth, self.feather):
            bar.show_value(0.0)
        self._work()

    def _work(self) -> None:
        job = self._job
        if job is None:
            return
        if self._running:
            self._wanted = True
            return
        settings = self.settings
        if settings == EdgeSettings():
            self._take(job, job.before)
            return
        self._running = True
        self._background.submit(
            lambda: as_mask(settings.apply(job.outline)), lambda mask: self._arrived(job, mask)
        )

    def _arrived(self, job: _Job, mask: Mask) -> None:
        self._running = False
        self._take(job, mask)
        if self._wanted:
            self._wanted = False
            self._work()

    def _take(self, job: _Job, mask: Mask | None) -> None:
        target = self._target()
        if target is None or target.layer.id != job.layer_id or target.layer.mask is not job.last:
            # The layer was left or changed by other means meanwhile: its mask is not ours.
            return
        job.last = mask
        self._give(job.layer_id, mask, f"Edge of {job.name}", job.key)
