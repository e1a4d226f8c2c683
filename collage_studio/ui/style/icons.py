"""Icons painted from our SVG files in a colour of the current theme, at any size and ratio."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from collage_studio.resources_dir import resources_path
from collage_studio.ui.style import tokens


@cache
def _source(name: str) -> str:
    return resources_path("icons", f"{name}.svg").read_text(encoding="utf-8")


@cache
def _renderer(name: str, color: str) -> QSvgRenderer:
    text = _source(name).replace("currentColor", color)
    return QSvgRenderer(QByteArray(text.encode()))


def paint_icon(painter: QPainter, name: str, box: QRectF, token: str) -> None:
    """Paint icon `name` into `box` in the colour of `token`."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _renderer(name, str(getattr(tokens.current(), token))).render(painter, box)
    painter.restore()


class IconEngine(QIconEngine):
    """Paints one SVG in the token that fits the mode and state asked for.

    A box wider than high leaves room on the right: the gap to a button's text.
    """

    def __init__(self, name: str, token: str = "t2", on: str = "accent") -> None:
        super().__init__()
        self._name, self._token, self._on = name, token, on

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        token = self._on if state is QIcon.State.On else self._token
        if mode is QIcon.Mode.Disabled:
            token = "disabled"
        side = min(rect.width(), rect.height())
        paint_icon(painter, self._name, QRectF(rect.left(), rect.top(), side, side), token)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self._drawn(size, 1.0, mode, state)

    def scaledPixmap(
        self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float
    ) -> QPixmap:
        return self._drawn(size, scale, mode, state)

    def clone(self) -> QIconEngine:
        return _kept(IconEngine(self._name, self._token, self._on))

    def _drawn(self, size: QSize, scale: float, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """A pixmap for `size` logical px at device pixel ratio `scale`."""
        made = QPixmap(size * scale)
        made.setDevicePixelRatio(scale)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return made


_engines: list[IconEngine] = []


def _kept(engine: IconEngine) -> IconEngine:
    """Hold a Python reference: QIcon owns the engine in C++ only, its methods live here."""
    _engines.append(engine)
    return engine


@cache
def icon(name: str, token: str = "t2", on: str = "accent") -> QIcon:
    """Icon `name` in the colour of `token`; `on` where it is checked."""
    return QIcon(_kept(IconEngine(name, token, on)))
