"""Frame times of the canvas: `python -m collage_studio.ui.canvas.bench`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication

from collage_studio.app.editor import Editor
from collage_studio.app.selection import Selection
from collage_studio.document import edits
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, Raster
from collage_studio.ui.canvas.canvas import Canvas


@dataclass(frozen=True, slots=True)
class Timing:
    """Processor milliseconds per frame, all threads: what a free machine needs at most."""

    name: str
    median: float
    worst: float


def soft_cutout(side: int, seed: int) -> Raster:
    """A textured disc of `side` px with a soft edge."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)
    alpha = np.clip((0.8 - np.hypot(x, y)) * 30, 0, 1) * 255
    noise = rng.integers(0, 40, (side, side, 3))
    color = rng.integers(40, 215, 3) + noise
    return Raster(np.dstack([color, alpha]).astype(np.uint8))


def crowd(count: int, side: int, rasters: int) -> Document:
    """`count` overlapping layers of `side` px on a 2048 x 1152 canvas; every `rasters` repeat."""
    size = Size(2048, 1152)
    pictures = [soft_cutout(side, seed) for seed in range(rasters)]
    rng = np.random.default_rng(1)
    layers = tuple(
        Layer(
            f"layer{i}",
            f"Layer {i}",
            raster=pictures[i % rasters],
            placement=Affine.translation(*rng.uniform(0, (1100, 500))).after(
                Affine.scaling(900 / side)
            ),
        )
        for i in range(count)
    )
    return Document(size, layers)


def measure(document: Document, frames: int = 60) -> Iterator[Timing]:
    """Opening, then moving, turning, panning and zooming at 1920 x 1080."""
    editor, selection = Editor(document), Selection()
    canvas = Canvas(editor, selection)
    canvas.resize(1920, 1080)
    started = time.process_time()
    canvas.settle()
    yield Timing("open, all layers", (time.process_time() - started) * 1000, 0.0)
    middle = document.layers[len(document.layers) // 2].id
    selection.select([middle])

    def moved(i: int) -> None:
        shift = Affine.translation(3.0 * i, 2.0 * (i % 20))
        canvas.show_preview_of(edits.transform_layers(editor.document, [middle], shift))

    def turned(i: int) -> None:
        turn = Affine.rotation(2.0 * i).about(1000, 600)
        canvas.show_preview_of(edits.transform_layers(editor.document, [middle], turn))

    steps: tuple[tuple[str, Callable[[int], None]], ...] = (
        ("drag one layer", moved),
        ("turn one layer", turned),
        ("pan", lambda i: canvas.pan(4 if i % 2 else -3, 2)),
        ("zoom, coarse frames", lambda i: canvas.zoom_at(canvas.zoom * 1.01, QPointF(900, 500))),
    )
    for name, step in steps:
        yield _timed(canvas, name, step, frames)
        canvas.show_preview_of(None)
        canvas.settle()
    canvas.release()
    canvas.deleteLater()


def _timed(canvas: Canvas, name: str, step: Callable[[int], None], frames: int) -> Timing:
    times: list[float] = []
    for i in range(frames):
        started = time.process_time()
        step(i)
        canvas.grab()
        times.append((time.process_time() - started) * 1000)
    return Timing(name, float(np.median(times)), max(times[2:]))


def main() -> None:
    """Write the table to standard output."""
    app = QApplication.instance() or QApplication([])
    for title, document in (
        ("20 layers of 2048 x 2048", crowd(20, 2048, 20)),
        ("100 layers of 1024 x 1024", crowd(100, 1024, 25)),
    ):
        sys.stdout.write(f"{title}\n")
        for timing in measure(document):
            sys.stdout.write(
                f"  {timing.name:22s} median {timing.median:6.1f}, worst {timing.worst:6.1f} ms\n"
            )
    app.processEvents()


if __name__ == "__main__":
    main()
