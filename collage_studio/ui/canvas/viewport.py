"""Where the canvas lies in the widget: zoom, pan and fit, in device pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF

from collage_studio.document.geometry import Rect, Size

FIT_MARGIN = 24
MIN_SCALE, MAX_SCALE = 0.02, 32.0
ZOOM_STOPS = (0.05, 0.1, 0.25, 0.33, 0.5, 0.67, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0, 32.0)


@dataclass(frozen=True, slots=True)
class Viewport:
    """A view onto the canvas; a value.

    Args:
        canvas: the document's size.
        width, height: of the widget, in device px.
        ratio: device px per logical px.
        scale: device px per canvas px; 1 is "100 %" on every screen.
        left, top: device position of the canvas' top left corner; whole numbers, so that
            panning never resamples.
    """

    canvas: Size
    width: int
    height: int
    ratio: float = 1.0
    scale: float = 1.0
    left: int = 0
    top: int = 0

    @property
    def scaled_size(self) -> Size:
        """The canvas in device px."""
        return Size(
            max(1, round(self.canvas.width * self.scale)),
            max(1, round(self.canvas.height * self.scale)),
        )

    @property
    def visible(self) -> Rect:
        """The part of the scaled canvas inside the widget, in scaled canvas px; may be empty."""
        window = Rect(-self.left, -self.top, self.width - self.left, self.height - self.top)
        return window.intersect(Rect.of_size(self.scaled_size))

    @property
    def logical_scale(self) -> float:
        """Logical px per canvas px."""
        return self.scale / self.ratio

    def half(self) -> Viewport:
        """For one of two pictures side by side."""
        return replace(self, width=max(64, self.width // 2)).fitted()

    def fitted(self) -> Viewport:
        """The whole canvas, centred, with a margin; small pictures are not enlarged past 4x."""
        margin = 2 * FIT_MARGIN * self.ratio
        room_x, room_y = max(16.0, self.width - margin), max(16.0, self.height - margin)
        scale = min(room_x / self.canvas.width, room_y / self.canvas.height, 4.0 * self.ratio)
        return replace(self, scale=_clamped(scale))._centred()

    def zoomed(self, scale: float, anchor: QPointF) -> Viewport:
        """Change the scale; the canvas point under `anchor` (logical px) stays there."""
        scale = _clamped(scale)
        at = self.to_canvas(anchor)
        left = round(anchor.x() * self.ratio - at.x() * scale)
        top = round(anchor.y() * self.ratio - at.y() * scale)
        return replace(self, scale=scale, left=left, top=top)._held()

    def panned(self, dx: float, dy: float) -> Viewport:
        """Move the canvas by logical px; a corner always stays in sight."""
        left = self.left + round(dx * self.ratio)
        top = self.top + round(dy * self.ratio)
        return replace(self, left=left, top=top)._held()

    def resized(self, width: int, height: int, ratio: float) -> Viewport:
        """Take a new widget size in device px; what was in the middle stays there."""
        grow = ratio / self.ratio
        scale = _clamped(self.scale * grow)
        centre_x, centre_y = self.width / 2 - self.left, self.height / 2 - self.top
        left = round(width / 2 - centre_x * scale / self.scale)
        top = round(height / 2 - centre_y * scale / self.scale)
        return replace(
            self, width=width, height=height, ratio=ratio, scale=scale, left=left, top=top
        )._held()

    def with_canvas(self, canvas: Size) -> Viewport:
        return replace(self, canvas=canvas)

    def to_canvas(self, point: QPointF) -> QPointF:
        """Logical widget px to canvas px."""
        return QPointF(
            (point.x() * self.ratio - self.left) / self.scale,
            (point.y() * self.ratio - self.top) / self.scale,
        )

    def to_widget(self, x: float, y: float) -> QPointF:
        """Canvas px to logical widget px."""
        return QPointF(
            (x * self.scale + self.left) / self.ratio, (y * self.scale + self.top) / self.ratio
        )

    def canvas_rect(self) -> QRectF:
        """The canvas in logical widget px."""
        size = self.scaled_size
        return QRectF(
            self.left / self.ratio,
            self.top / self.ratio,
            size.width / self.ratio,
            size.height / self.ratio,
        )

    def next_stop(self, direction: int) -> float:
        """The nearest round zoom above (+1) or below (-1) the present one."""
        if direction > 0:
            return next((s for s in ZOOM_STOPS if s > self.scale * 1.01), MAX_SCALE)
        return next((s for s in reversed(ZOOM_STOPS) if s < self.scale * 0.99), MIN_SCALE)

    def _centred(self) -> Viewport:
        size = self.scaled_size
        return replace(
            self,
            left=math.floor((self.width - size.width) / 2),
            top=math.floor((self.height - size.height) / 2),
        )

    def _held(self) -> Viewport:
        """Keep at least 48 logical px of the canvas inside the widget."""
        size, keep = self.scaled_size, round(48 * self.ratio)
        keep_x, keep_y = min(keep, size.width), min(keep, size.height)
        return replace(
            self,
            left=min(max(self.left, keep_x - size.width), self.width - keep_x),
            top=min(max(self.top, keep_y - size.height), self.height - keep_y),
        )


def _clamped(scale: float) -> float:
    return min(max(scale, MIN_SCALE), MAX_SCALE)
