"""Small documents and windows for the tests of the ui."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from collage_studio.app.settings import PreferencesStore
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import (
    Caption,
    Document,
    Layer,
    LayerKind,
    LayerRef,
    Raster,
    Variation,
)
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.engine.api import describe_layers
from collage_studio.ui.canvas.canvas import Canvas
from collage_studio.ui.engine_thread import EngineThread
from collage_studio.ui.main_window import MainWindow
from collage_studio.ui.session import Session


def picture(layer_id: str, name: str, color: tuple[int, int, int], x: float = 0.0) -> Layer:
    """A 40 x 40 px layer of one colour."""
    rgb = np.full((40, 40, 3), color, np.uint8)
    return Layer(
        layer_id,
        name,
        raster=Raster.from_rgb(rgb),
        placement=Affine.translation(x, 10),
        text=f"a {name.lower()}",
        noise=0.6,
    )


def camp() -> Document:
    """Tent, dog and a group of two trees on 160 x 120 px, with a caption of two chips."""
    trees = Layer(
        "trees",
        "Trees",
        LayerKind.GROUP,
        children=(
            picture("left", "Left tree", (20, 90, 30), 90),
            picture("right", "Right tree", (30, 110, 40), 110),
        ),
    )
    return Document(
        Size(160, 120),
        layers=(
            picture("tent", "Tent", (230, 140, 40)),
            picture("dog", "Dog", (240, 210, 180), 40),
            trees,
        ),
        caption=Caption((LayerRef("tent"), " and ", LayerRef("dog"), " at dusk")),
    )


def variation(document: Document, seed: int, run: int = 1) -> Variation:
    """A variation of one colour that depends on its seed."""
    rgb = np.full((*document.size.shape, 3), seed % 256, np.uint8)
    recipe = Recipe(
        "harmonise",
        seed,
        RunSettings(),
        document.written_caption()[0],
        layers=describe_layers(document),
    )
    return Variation(f"v{seed}", run, Raster.from_rgb(rgb), recipe)


@dataclass
class OpenWindow:
    """A window whose engine was never started, and what belongs to it."""

    window: MainWindow
    engine: EngineThread

    @property
    def session(self) -> Session:
        return self.window.session

    def close(self) -> None:
        """Close as a person does, everything saved and nothing left in the queue."""
        self.session.runs.board.clear()
        editor = self.session.editor
        editor.mark_saved(editor.document)
        self.window.close()
        self.engine.stop()


def open_window(home: Path, document: Document) -> OpenWindow:
    """A main window on `document` with its preferences in `home`."""
    engine = EngineThread()
    store = PreferencesStore(home / "settings.json")
    return OpenWindow(MainWindow(Session.with_engine(engine, store, document)), engine)


class Stylus:
    """Sends mouse events to a canvas, as a person would draw."""

    canvas: Canvas

    def send(self, kind: QEvent.Type, at: QPointF, keys: Qt.KeyboardModifier) -> None:
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        which = none if kind is QEvent.Type.MouseMove else left
        held = none if kind is QEvent.Type.MouseButtonRelease else left
        event = QMouseEvent(kind, at, self.canvas.mapToGlobal(at), which, held, keys)
        QApplication.sendEvent(self.canvas, event)

    def stroke(
        self,
        *points: tuple[float, float],
        keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
        release: bool = True,
    ) -> None:
        """Draw through canvas points."""
        places = [self.canvas.viewport.to_widget(*point) for point in points]
        self.send(QEvent.Type.MouseButtonPress, places[0], keys)
        for place in places[1:]:
            self.send(QEvent.Type.MouseMove, place, keys)
        if release:
            self.send(QEvent.Type.MouseButtonRelease, places[-1], keys)
