"""How long saving takes: 20 layers of 2048 x 2048, then one of them changed and saved again.

Run it with `python -m collage_studio.evaluate.bench_save [FOLDER]`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, Raster
from collage_studio.formats.collage_file import load_collage, save_collage
from collage_studio.formats.errors import size_text

SIDE = 2048
LAYERS = 20
_OCTAVES = 8


@dataclass(frozen=True, slots=True)
class Seconds:
    """On a machine that does nothing else, the two are about equal."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:6.2f} s wall {self.processor:6.2f} s processor"


@dataclass(frozen=True, slots=True)
class SaveTimes:
    """Wall and processor seconds of each; `bytes` is the size of the file."""

    full: Seconds
    one_changed: Seconds
    load: Seconds
    bytes: int


def textured_cutout(seed: int, side: int = SIDE) -> Raster:
    """A cutout with 1/f texture and light grain, about 46 % covered, black where alpha is 0."""
    random = np.random.default_rng(seed)
    texture = np.zeros((side, side, 3), np.float32)
    for octave in range(1, _OCTAVES + 1):
        coarse = random.standard_normal((2**octave, 2**octave, 3)).astype(np.float32)
        texture += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC) / (octave + 1)
    texture *= 45 / float(texture.std())
    grain = random.standard_normal(texture.shape, np.float32) * 1.5
    colours = np.clip(texture + grain + 128, 0, 255).astype(np.uint8)
    alpha = np.zeros((side, side), np.uint8)
    axes = (round(side * 0.42), round(side * 0.35))
    cv2.ellipse(alpha, (side // 2, side // 2), axes, 20 * seed, 0, 360, 255, -1)
    pixels = np.empty((side, side, 4), np.uint8)
    pixels[..., 3] = cv2.GaussianBlur(alpha, (0, 0), 2)
    pixels[..., :3] = np.where(pixels[..., 3:] > 0, colours, 0)
    return Raster(pixels)


def bench_document(layers: int = LAYERS, side: int = SIDE) -> Document:
    """`layers` cutouts of `side` x `side` px, scattered and scaled over a canvas of that size."""
    return Document(Size(side, side)).with_layers(
        *(
            Layer(
                f"layer-{index}",
                f"Cutout {index}",
                raster=textured_cutout(index, side),
                placement=Affine(0.6, 0.1, 40.0 * index, -0.1, 0.6, 30.0 * index),
            )
            for index in range(layers)
        )
    )


def measure(folder: Path, layers: int = LAYERS, side: int = SIDE) -> SaveTimes:
    """Save, change one layer, save again, load; in `folder`."""
    document = bench_document(layers, side)
    path = folder / "bench.collage"
    full = measured(lambda: save_collage(document, path))
    changed = _with_one_changed(document, side)
    one_changed = measured(lambda: save_collage(changed, path))
    load = measured(lambda: load_collage(path))
    return SaveTimes(full, one_changed, load, path.stat().st_size)


def _with_one_changed(document: Document, side: int) -> Document:
    first, *others = document.layers
    return document.with_layers(replace(first, raster=textured_cutout(999, side)), *others)


def measured(work: Callable[[], object]) -> Seconds:
    """How long `work` takes."""
    started, used = time.perf_counter(), time.process_time()
    work()
    return Seconds(time.perf_counter() - started, time.process_time() - used)


def main() -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        times = measure(Path(folder))
    ratio = times.one_changed.processor / times.full.processor
    sys.stdout.write(
        f"{LAYERS} layers of {SIDE} x {SIDE} px, {size_text(times.bytes)}\n"
        f"full save          {times.full}\n"
        f"one layer changed  {times.one_changed}  ({ratio:.0%} of a full save)\n"
        f"load               {times.load}\n"
    )


if __name__ == "__main__":
    main()
