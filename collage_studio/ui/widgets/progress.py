"""A bar that fills up."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from collage_studio.ui.style import tokens

_ANNOUNCED = 0.25
"""Who cannot see the bar hears of it in steps of this size."""


class ProgressLine(QWidget):
    """Qt's own bar repaints at once at each step, and with it all that waits to be."""

    def __init__(self, name: str = "Progress", *, height: int = 6) -> None:
        super().__init__()
        self._share = 0.0
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)

    @property
    def share(self) -> float:
        return self._share

    def show_share(self, share: float) -> None:
        """Fill `share` in [0, 1] of the bar."""
        share = min(max(share, 0.0), 1.0)
        if share == self._share:
            return
        passed = int(share / _ANNOUNCED) != int(self._share / _ANNOUNCED)
        self._share = share
        if passed:
            self.setAccessibleDescription(f"{share:.0%}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(120, self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = tokens.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        track = QRectF(self.rect())
        painter.setBrush(theme.color("pressed"))
        radius = track.height() / 2
        painter.drawRoundedRect(track, radius, radius)
        if self._share > 0:
            track.setWidth(max(track.height(), track.width() * self._share))
            painter.setBrush(theme.color("accent"))
            painter.drawRoundedRect(track, radius, radius)
        painter.end()
