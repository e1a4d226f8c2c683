"""Icons painted from our SVG files in a colour of the current theme, at any size and ratio."""

from __future__ import annotations

from functools import cache, lru_cache

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap, QTransform
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


@lru_cache(maxsize=1024)
def _drawn(name: str, color: str, width: int, height: int, ratio: float) -> QPixmap:
    """An icon that fills `width` x `height` device px."""
    made = QPixmap(width, height)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _renderer(name, color).render(painter, QRectF(0, 0, width, height))
    painter.end()
    made.setDevicePixelRatio(ratio)
    return made


def paint_icon(painter: QPainter, name: str, box: QRectF, token: str) -> None:
    """Paint icon `name` into `box` in the colour of `token`: as a kept picture on whole pixels."""
    color = str(getattr(tokens.current(), token))
    ratio = painter.device().devicePixelRatioF()
    if _is_on_pixels(painter.worldTransform(), box, ratio):
        width, height = round(box.width() * ratio), round(box.height() * ratio)
        painter.drawPixmap(box.topLeft(), _drawn(name, color, width, height, ratio))
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _renderer(name, color).render(painter, box)
    painter.restore()


def _is_on_pixels(map_: QTransform, box: QRectF, ratio: float) -> bool:
    if map_.isScaling():  # or anything beyond
        return False
    sides = (box.left() + map_.dx(), box.top() + map_.dy(), box.width(), box.height())
    return all(abs(side * ratio - round(side * ratio)) < 1e-3 for side in sides)


class IconEngine(QIconEngine):
    """Paints one SVG in the token that fits the mode and state asked for.

    A box wider than high leaves room on the right: the gap to a button's text.
    """

    def __init__(self, name: str, token: str = "t2", on: str = "accent") -> None:
        super().__init__()
        self._name, self._token, self._on = name, token, on
        self._pixmaps: dict[tuple[object, ...], QPixmap] = {}

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
        key = (tokens.current().name, size.width(), size.height(), scale, mode, state)
        made = self._pixmaps.get(key)
        if made is None:
            made = QPixmap(size * scale)
            made.setDevicePixelRatio(scale)
            made.fill(Qt.GlobalColor.transparent)
            painter = QPainter(made)
            self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
            painter.end()
            self._pixmaps[key] = made
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
