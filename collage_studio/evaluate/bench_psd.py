"""How long a PSD takes: 20 layers of 2048 x 2048 written and read, beside psd-tools' plain path.

Run it with `python -m collage_studio.evaluate.bench_psd [ROUNDS]`. Both sides take turns in the
same run; medians of wall and processor seconds.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import Compression

from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document
from collage_studio.evaluate.bench_save import Seconds, bench_document, measured
from collage_studio.formats.psd import write_psd
from collage_studio.formats.psd_reading import read_psd

ROUNDS = 3
LAYERS, SIDE = 20, 2048
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class PsdTimes:
    """Medians; peaks are of a process that holds the document as well, in bytes."""

    write: Seconds
    read: Seconds
    plain_write: Seconds
    plain_read: Seconds
    write_peak: int
    bytes: int


def on_the_grid(document: Document) -> Document:
    """`document` with each layer at its own size on whole pixels."""
    return document.with_layers(
        *(
            replace(layer, placement=Affine.translation(16 * index - 160, 12 * index - 120))
            for index, layer in enumerate(document.layers)
        )
    )


def measure(folder: Path, *, rounds: int = ROUNDS, layers: int = LAYERS, side: int = SIDE,
            free: bool = False) -> PsdTimes:  # fmt: skip
    """Write and read in turns with psd-tools, in `folder`.

    Args:
        free: layers scaled and turned, so that sources are stored beside what is seen.
    """
    document = bench_document(layers, side)
    document = document if free else on_the_grid(document)
    ours, plain = folder / "ours.psd", folder / "plain.psd"
    works: dict[str, Callable[[], object]] = {
        "write": lambda: write_psd(document, ours),
        "read": lambda: read_psd(ours),
        "plain_write": lambda: write_plainly(document, plain),
        "plain_read": lambda: read_plainly(plain),
    }
    taken: dict[str, list[Seconds]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(measured(work))
    medians = {name: _median(times) for name, times in taken.items()}
    peak = _peak_of_writing(folder, layers, side, free)
    return PsdTimes(**medians, write_peak=peak, bytes=ours.stat().st_size)


def write_plainly(document: Document, path: Path) -> None:
    """The layers of `document`, unplaced, through psd-tools' own API and preview."""
    size = document.size
    psd: Any = PSDImage.new("RGBA", (size.width, size.height), compression=Compression.RLE)
    for layer in document.layers:
        if layer.raster is not None:
            psd.create_pixel_layer(Image.fromarray(layer.raster.pixels), name=layer.name)
    psd.save(path)


def read_plainly(path: Path) -> list[Any]:
    """All layers as PIL pictures."""
    return [layer.topil() for layer in PSDImage.open(path)]


def _median(times: list[Seconds]) -> Seconds:
    return Seconds(
        statistics.median(one.wall for one in times),
        statistics.median(one.processor for one in times),
    )


def _peak_of_writing(folder: Path, layers: int, side: int, free: bool) -> int:
    """Resident memory at its peak while a fresh process writes; 0 where that is not told."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_write_alone, (folder / "peak.psd", layers, side, free))


def _write_alone(path: Path, layers: int, side: int, free: bool) -> int:
    document = bench_document(layers, side)
    document = document if free else on_the_grid(document)
    for layer in document.layers:
        if layer.raster is not None:
            _ = layer.raster.key
    _forget_peak()
    write_psd(document, path)
    return _peak()


def _forget_peak() -> None:
    """Start counting anew after making the document, where the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(one.split()[1]) << 10 for one in lines if one.startswith("VmHWM")), 0)


def main() -> None:
    """Measure and report."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        for free in (False, True):
            times = measure(Path(folder), rounds=rounds, free=free)
            what = "scaled and turned" if free else "on whole pixels"
            sys.stdout.write(
                f"{LAYERS} layers of {SIDE} x {SIDE} px, {what}, {times.bytes // _MEGABYTE} MB\n"
                f"write            {times.write}, peak {times.write_peak // _MEGABYTE} MB\n"
                f"read             {times.read}\n"
                f"psd-tools write  {times.plain_write}\n"
                f"psd-tools read   {times.plain_read}\n"
            )


if __name__ == "__main__":
    main()
