"""The dock at the window's right; in a narrow window a drawer over the canvas."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QByteArray, QEvent, QObject, QPoint, QSignalBlocker, Qt
from PySide6.QtWidgets import QPushButton, QSplitter, QWidget

from collage_studio.ui.widgets.basics import restyle

DRAWER_BELOW = 1024
"""In a window narrower than this the dock is a drawer."""
WIDTH, NARROW_WIDTH, DRAWER_WIDTH = 336, 304, 320
_NARROW_BELOW = 1400


class Dock(QSplitter):
    """Layers above the inspector, in the window's splitter or floating over its right end."""

    def __init__(self, layers: QWidget, inspector: QWidget) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self.addWidget(layers)
        self.addWidget(inspector)
        self.setStretchFactor(0, 1)
        self.setStretchFactor(1, 0)
        self.setChildrenCollapsible(False)
        self.setHandleWidth(1)
        self.setMinimumWidth(280)
        self.setMaximumWidth(480)
        self.setAccessibleName("Layers and inspector")
        self._body: QSplitter | None = None
        self._over: QWidget | None = None
        self._button: QPushButton | None = None
        self._beside: list[int] = []
        self.is_drawer = False

    def put_into(self, body: QSplitter, over: QWidget, button: QPushButton) -> None:
        """Stand at the end of `body`, or float over the right end of `over`.

        `button`, which is checkable, opens and closes the drawer.
        """
        self._body, self._over, self._button = body, over, button
        body.addWidget(self)
        over.installEventFilter(self)
        button.hide()
        button.toggled.connect(self._show_drawer)

    def fit(self, window_width: int) -> None:
        """Be a drawer where the window is narrow, and part of it where there is room."""
        narrow = window_width < DRAWER_BELOW
        if self._body is None or self._button is None or narrow == self.is_drawer:
            return
        self.is_drawer = narrow
        self._button.setVisible(narrow)
        with QSignalBlocker(self._button):
            self._button.setChecked(False)
        if narrow:
            self._beside = self._body.sizes()
            self.setParent(self._body.parentWidget())
            self.hide()
        else:
            self._body.addWidget(self)
            self.show()
            if self._beside:
                self._body.setSizes(self._beside)
        self.setProperty("floats", narrow)
        restyle(self)

    def states(self) -> dict[str, str]:
        """Where the dock stands, for the next start; a drawer says nothing of the room beside."""
        kept = {"dock": self.saveState()}
        if self._body is not None and not self.is_drawer:
            kept["body"] = self._body.saveState()
        return {name: bytes(state.toBase64().data()).decode() for name, state in kept.items()}

    def restore(self, kept: Mapping[str, str], width: int, height: int) -> None:
        """Stand as at the last end of the program, or as fits a window of this size."""
        if self._body is not None and not self._restored(self._body, kept.get("body", "")):
            own = NARROW_WIDTH if width < _NARROW_BELOW else WIDTH
            self._body.setSizes([width - own, own])
        if not self._restored(self, kept.get("dock", "")):
            low = 310 if height >= 800 else 252
            self.setSizes([height - 66 - low, low])
        self.fit(width)

    def _restored(self, splitter: QSplitter, state: str) -> bool:
        return bool(state) and splitter.restoreState(QByteArray.fromBase64(state.encode()))

    def _show_drawer(self, on: bool) -> None:
        if not self.is_drawer:
            return
        self._place()
        self.setVisible(on)
        if on:
            self.raise_()

    def _place(self) -> None:
        host = self.parentWidget()
        if self._over is not None and host is not None:
            corner = self._over.mapTo(host, QPoint(self._over.width(), 0))
            width = min(DRAWER_WIDTH, self._over.width())
            self.setGeometry(corner.x() - width, corner.y(), width, self._over.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in {QEvent.Type.Resize, QEvent.Type.Move} and self.is_drawer:
            self._place()
        return super().eventFilter(watched, event)
