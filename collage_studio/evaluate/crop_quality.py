"""What NoiseCollage's crops cost in quality: the eight boxes of `bench_regions`, drawn both ways.

`python -m collage_studio.evaluate.crop_quality --count 64` fills the boxes with eight objects of
the sticker world, a scene by seed, and lets the judge name what stands in each. Both ways begin
with the same noise, so differences are paired.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from collage_studio.document.masks import visible_masks
from collage_studio.document.method_settings import MethodSettings, NoiseCollage
from collage_studio.document.model import Caption, Document
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import HarmoniseRequest
from collage_studio.engine.quality.judge import Judge
from collage_studio.engine.runner import Engine
from collage_studio.evaluate.bench_regions import TEXTS, layout
from collage_studio.evaluate.ladder import picture_of
from collage_studio.evaluate.metrics import Interval, mean_interval
from collage_studio.starter.render import CANVAS
from collage_studio.starter.world import object_kind

FIRST_SEED = 1_400_000
WAYS = {"crops": NoiseCollage(), "whole canvas": NoiseCollage(crops=False)}


@dataclass(frozen=True, slots=True)
class Quality:
    """Judge accuracy over the boxes of all layouts, and processor seconds a picture.

    Args:
        difference: paired, crops less whole canvas.
    """

    right: dict[str, Interval]
    seconds: dict[str, float]
    difference: Interval


def measure(count: int, *, steps: int, guidance: float = 3.0) -> Quality:
    """Draw `count` layouts both ways."""
    engine, judge = Engine("cpu"), Judge.load()
    right: dict[str, list[float]] = {way: [] for way in WAYS}
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for seed in tqdm(range(FIRST_SEED, FIRST_SEED + count), desc="layouts", unit=""):
        names = _names(judge, seed)
        for way, own in WAYS.items():
            settings = RunSettings(
                method="noise_collage",
                steps=steps,
                guidance=guidance,
                detail=0.0,
                methods=MethodSettings(noise_collage=own),
            )
            document = _filled(names, settings)
            started = time.process_time()
            picture = picture_of(engine, HarmoniseRequest(document, (seed,), settings))
            seconds[way].append(time.process_time() - started)
            masks = visible_masks(document)
            found = judge.found(picture, [masks[layer.id] for layer in document.layers])
            right[way].append(float(np.mean([a == b for a, b in zip(found, names, strict=True)])))
    crops, whole = (np.array(right[way]) for way in WAYS)
    return Quality(
        {way: mean_interval(values) for way, values in right.items()},
        {way: float(np.median(values)) for way, values in seconds.items()},
        mean_interval((crops - whole).tolist()),
    )


def _names(judge: Judge, seed: int) -> list[str]:
    """Eight different objects of the world."""
    known = [name for name in judge.names if name != "nothing"]
    rng = np.random.default_rng([seed, 11])
    return [str(name) for name in rng.choice(known, len(TEXTS), replace=False)]


def _filled(names: list[str], settings: RunSettings) -> Document:
    """The layout of `bench_regions` with these objects, small enough for the starter."""
    plain = layout(CANVAS)
    layers = tuple(
        replace(layer, text=object_kind(name).phrase, name=name)
        for layer, name in zip(plain.layers, names, strict=True)
    )
    caption = Caption(
        (", ".join(object_kind(name).phrase for name in names) + " in a meadow at noon",)
    )
    return replace(plain, layers=layers, caption=caption, settings=settings)


def main() -> int:
    """Measure and write three lines."""
    parser = argparse.ArgumentParser(prog="crop_quality", description=__doc__)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--steps", type=int, default=12)
    given = parser.parse_args()
    found = measure(given.count, steps=given.steps)
    for way in WAYS:
        accuracy, seconds = found.right[way], found.seconds[way]
        sys.stdout.write(f"{way:13} right {_text(accuracy)}, {seconds:.2f} s a picture\n")
    sys.stdout.write(f"difference    {_text(found.difference)}\n")
    return 0


def _text(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


if __name__ == "__main__":
    sys.exit(main())
