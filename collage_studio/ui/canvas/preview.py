"""A run's streamed preview: what is shown over the document while it works."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPoint, QRect, QRectF, QSize
from PySide6.QtGui import QImage, QPainter

from collage_studio.document.geometry import Rect
from collage_studio.document.model import Document
from collage_studio.ui.canvas import overlays
from collage_studio.ui.canvas.sources import image_of_rgb
from collage_studio.ui.canvas.viewport import Viewport

_BADGE_ROOM = QSize(480, 60)


@dataclass(slots=True)
class Preview:
    """The latest frame. `dismissed` after an edit: the document is seen again."""

    image: QImage | None = None
    box: Rect | None = None
    progress: float = 0.0
    badge: str = ""
    dismissed: bool = False
    hides_overlays: bool = False

    @property
    def is_shown(self) -> bool:
        return self.image is not None and not self.dismissed

    def take(
        self,
        picture: npt.NDArray[np.uint8] | None,
        box: Rect | None,
        progress: float,
        badge: str,
    ) -> bool:
        """Show a frame, (h, w, 3) uint8 of any size; None ends the preview.

        Returns:
            Whether it follows another frame, so that only `area` has changed.
        """
        if picture is None:
            self.image, self.dismissed, self.hides_overlays = None, False, False
            return False
        goes_on = self.is_shown
        if self.image is None:
            self.hides_overlays = True
        self.image = image_of_rgb(picture)
        self.box, self.progress, self.badge = box, progress, badge
        return goes_on

    def area(self, view: Viewport) -> QRect:
        """Where a frame, its progress and its badge are painted, in widget px."""
        picture = view.canvas_rect().toAlignedRect()
        badge_at = QPoint(max(0, picture.left()), max(0, picture.top()))
        return picture.united(QRect(badge_at, _BADGE_ROOM))

    def dismiss_after(self, before: Document, after: Document) -> None:
        """The first edit of what is seen brings the document back."""
        same = before.layers is after.layers and before.background is after.background
        if self.image is not None and not (same and before.size == after.size):
            self.dismissed = True

    def paint(self, painter: QPainter, view: Viewport) -> None:
        """The frame, smoothly scaled over its part of the canvas, and the progress line."""
        if self.image is None or self.dismissed:
            return
        picture = view.canvas_rect()
        target = picture
        if self.box is not None:
            top_left = view.to_widget(self.box.left, self.box.top)
            target = QRectF(top_left, view.to_widget(self.box.right, self.box.bottom))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(target, self.image)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        overlays.progress_line(painter, picture, self.progress)
