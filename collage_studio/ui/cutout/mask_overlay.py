"""The red over hidden parts of a layer, at screen resolution, brought up to date in boxes."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage, QPainter

from collage_studio.document.geometry import Affine, Rect
from collage_studio.ui.canvas.sources import blank, view_of
from collage_studio.ui.canvas.viewport import Viewport

RED = (0xE5, 0x3B, 0x44)
STRENGTH = 0.45

Bytes = npt.NDArray[np.uint8]


class MaskOverlay:
    """One picture of the widget's size in device px: red where `hidden` is."""

    def __init__(self) -> None:
        self._image: QImage | None = None
        self._key: tuple[object, ...] = ()

    def forget(self) -> None:
        """The next painting draws everything anew."""
        self._key = ()

    def paint(
        self,
        painter: QPainter,
        view: Viewport,
        placed: Affine,
        alpha: Bytes,
        mask: Bytes,
        version: object,
    ) -> None:
        """Paint red where the layer's `alpha` is hidden by `mask`; both (H, W) in source px.

        Args:
            placed: source px to canvas px.
            version: the same object as last time means the same mask, but for `update`d boxes.
        """
        key = (view, placed, id(alpha), version)
        if self._image is None or key != self._key:
            self._image = blank(view.width, view.height)
            self._key = key
            self._draw(view, placed, alpha, mask, Rect(0, 0, view.width, view.height))
        self._image.setDevicePixelRatio(view.ratio)
        painter.drawImage(QPointF(0, 0), self._image)

    def update(self, view: Viewport, placed: Affine, alpha: Bytes, mask: Bytes, box: Rect) -> None:
        """The mask changed inside `box`, in source px."""
        if self._image is None or not self._key or box.is_empty:
            return
        corners = [
            _device(view, *placed.apply(x, y))
            for x in (box.left, box.right)
            for y in (box.top, box.bottom)
        ]
        xs, ys = zip(*corners, strict=True)
        part = Rect(int(min(xs)) - 2, int(min(ys)) - 2, int(max(xs)) + 3, int(max(ys)) + 3)
        self._draw(view, placed, alpha, mask, part)

    def _draw(self, view: Viewport, placed: Affine, alpha: Bytes, mask: Bytes, part: Rect) -> None:
        assert self._image is not None
        part = part.intersect(Rect(0, 0, self._image.width(), self._image.height()))
        if part.is_empty:
            return
        matrix = _to_part(view, placed, part)
        size = (part.width, part.height)
        own = cv2.warpAffine(alpha, matrix, size, flags=cv2.INTER_LINEAR)
        kept = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_LINEAR)
        hidden = cv2.multiply(own, cv2.bitwise_not(kept), scale=STRENGTH / 255.0)
        target = view_of(self._image)[part.slices]
        target[...] = _red(cast(Bytes, hidden))


def _red(strength: Bytes) -> Bytes:
    """Premultiplied BGRA of the red with this alpha."""
    planes: list[Any] = [cv2.convertScaleAbs(strength, alpha=c / 255.0) for c in reversed(RED)]
    return cast(Bytes, cv2.merge([*planes, strength]))


def _device(view: Viewport, x: float, y: float) -> tuple[float, float]:
    return x * view.scale + view.left, y * view.scale + view.top


def _to_part(view: Viewport, placed: Affine, part: Rect) -> npt.NDArray[np.float64]:
    """Source pixel centres to pixel centres of `part`, as OpenCV counts them."""
    on_screen = Affine(view.scale, 0.0, view.left - part.left, 0.0, view.scale, view.top - part.top)
    whole = on_screen.after(placed)
    matrix = whole.matrix()
    matrix[:, 2] += 0.5 * (matrix[:, 0] + matrix[:, 1]) - 0.5
    return matrix
