"""What NoiseCollage costs here beside the published scheme: `python -m … .bench_regions`.

Eight regions of a tenth of the canvas each. The published scheme predicts the caption and every
region on the whole canvas with a row of words to avoid of its own, one region after the other. One
step of each is timed, on the starter or on a UNet of Stable Diffusion 1.5's size with random
weights, and the predictions are counted times the area they cover.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.layouts import box_layer
from collage_studio.document.method_settings import MethodSettings, NoiseCollage
from collage_studio.document.model import Caption, Document, Layer, LayerKind
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.families.base import Family
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.memory import choose_device
from collage_studio.engine.methods import noise_collage
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.models import load_model
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.regions.branches import Branch, Merger, Row, cost, rows_of
from collage_studio.engine.walking import enter

COLUMNS, LINES = 4, 2
SHARE = 0.1
TEXTS = ("a red car", "a dog", "a house", "a tree", "a boat", "a cat", "a ball", "a lamp")


@dataclass(frozen=True, slots=True)
class Figures:
    """One step of a scheme.

    Args:
        rows: predictions. area: predictions times area, 1 = one on the whole canvas.
    """

    name: str
    rows: int
    area: float
    seconds: float


def layout(side: int) -> Document:
    """Eight boxes of a tenth of a square canvas each, side by side in two lines."""
    width = side // COLUMNS
    height = round(SHARE * side * side / width)
    gap = (side - LINES * height) // (LINES + 1)
    boxes = [
        Rect(
            column * width,
            gap + row * (height + gap),
            (column + 1) * width,
            gap + row * (height + gap) + height,
        )
        for row in range(LINES)
        for column in range(COLUMNS)
    ]
    layers = tuple(
        box_layer(box, text=text, layer_id=text) for box, text in zip(boxes, TEXTS, strict=True)
    )
    ground = Layer("background", "Background", LayerKind.FILL, noise=1.0)
    return Document(Size(side, side), layers, ground, Caption(("a meadow",)))


def schemes(family: Family, guidance: float) -> list[tuple[str, Merger, list[Row]]]:
    """The published scheme and ours, ready for one step each."""
    found = list[tuple[str, Merger, list[Row]]]()
    for name, crops in (("published", False), ("Collage Studio", True)):
        plan, materials = _planned(family, guidance, NoiseCollage(crops=crops))
        entry = enter(family, plan, materials.start)
        branches = noise_collage.branches_of(family, plan, materials, entry)
        merger = Merger(family, entry.schedule, guidance)
        if crops:
            rows = rows_of(branches, family, guidance)
        else:
            rows = [row for branch in branches for row in _pair(branch, family, guidance)]
            cells = plan.workspace.window.width * plan.workspace.window.height
            merger = replace(merger, at_once=2 * cells)
        found.append((name, noise_collage.attentive(family, merger, (0,)), rows))
    return found


def _pair(branch: Branch, family: Family, guidance: float) -> list[Row]:
    """Both rows of one prediction, shared with nobody."""
    return rows_of([branch], family, guidance)


def _planned(family: Family, guidance: float, own: NoiseCollage) -> tuple[RunPlan, Materials]:
    settings = RunSettings(
        method="noise_collage",
        guidance=guidance,
        methods=MethodSettings(noise_collage=own),
        sampler="ddim",
    )
    document = replace(layout(family.native_px), settings=settings)
    plan = plan_harmonise(document, settings, family)
    texts = {text: family.read_text(text) for text in noise_collage.texts(plan)}
    picture = torch.zeros(1, 3, family.native_px, family.native_px)
    materials = Materials(texts[plan.text.caption], texts[""], family.encode(picture), texts=texts)
    return plan, materials


@torch.inference_mode()
def measure(family: Family, *, repeats: int, guidance: float = 7.5) -> list[Figures]:
    """One step of each scheme, the fastest of `repeats`."""
    side = family.native_px // family.factor
    x = torch.randn(1, family.latent_channels, side, side).to(family.device)
    found = list[Figures]()
    for name, merger, rows in schemes(family, guidance):
        seconds = min(
            timed(lambda merger=merger, rows=rows: merger.merged(x, 0, rows), family.device)
            for _ in range(repeats)
        )
        found.append(Figures(name, len(rows), cost(rows, Size(side, side)), seconds))
    return found


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that `work` takes."""
    start = clock(device)
    work()
    return clock(device) - start


def clock(device: torch.device) -> float:
    """Seconds; on the CPU those of the processor, which other programs hardly touch."""
    if device.type == "cpu":
        return time.process_time()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def table(figures: Sequence[Figures]) -> str:
    """The figures as lines, with the shares of the first."""
    first = figures[0]
    head = f"{'':16}{'rows':>6}{'area':>8}{'share':>8}{'seconds':>10}{'share':>8}"
    lines = (
        f"{one.name:16}{one.rows:6}{one.area:8.2f}{one.area / first.area:8.3f}"
        f"{one.seconds:10.3f}{one.seconds / first.seconds:8.3f}"
        for one in figures
    )
    return "\n".join([head, *lines])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(prog="bench_regions", description=__doc__)
    parser.add_argument("--model", default="starter", help="starter, a folder, a file, or sd15")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--thinner", type=int, choices=(1, 2, 5), default=1, help="of sd15: divides its channels"
    )
    given = parser.parse_args(arguments)
    device = choose_device(given.device)
    if given.model == "sd15":
        from collage_studio.evaluate.random_models import random_sd15

        family: Family = random_sd15(device, given.thinner)
    else:
        family = load_model(given.model, device)
    sys.stdout.write(table(measure(family, repeats=given.repeats)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
