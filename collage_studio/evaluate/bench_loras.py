"""Where two LoRAs on two regions act: `python -m collage_studio.evaluate.bench_loras`.

Two boxes with words of their own on an empty canvas, each with a random LoRA. Measured is how much
the network's first answer and the finished picture change inside a LoRA's region, inside the other
one and elsewhere. Beside it stands the model's own coupling, with no LoRA at all: how much the same
places change where the words of a region are others, and where they go a part of the way there, so
that the region changes as little as it does by a LoRA.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from collage_studio.document.edits import change_layers
from collage_studio.document.extras import LoraUse
from collage_studio.document.geometry import Rect, Size
from collage_studio.document.layouts import box_layer
from collage_studio.document.model import Caption, Document, Layer, LayerKind, LayerRef
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.extras.shelf import ExtrasShelf
from collage_studio.engine.families.base import Family, ReadText
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.memory import choose_device
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.models import load_model
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.regions.maps import network_of
from collage_studio.engine.runner import METHODS

MEASURED = ("collage_diffusion", "noise_collage", "multi_diffusion")
LEFT, RIGHT = "left", "right"
WORDS = {LEFT: "a tent", RIGHT: "a red apple"}
OTHER_WORDS = {LEFT: "a cactus", RIGHT: "a penguin"}
PART = 0.1
"""Of the way from one text's rows to the other's."""
RANK, STRENGTH = 4, 0.3
"""Of the random LoRAs; strength is the size of what they add beside the weights' own."""


@dataclass(frozen=True, slots=True)
class Change:
    """Mean absolute changes, averaged over seeds and both regions.

    Args:
        own: inside the region that was changed. other: inside the other. elsewhere: in neither.
    """

    own: float
    other: float
    elsewhere: float

    @property
    def leak(self) -> float:
        """What changes outside as a share of what changes inside."""
        return max(self.other, self.elsewhere) / max(self.own, 1e-12)


@dataclass(frozen=True, slots=True)
class Figures:
    """One way to change a region, with one method: the first answer, and the picture (0..255)."""

    method: str
    what: str
    first: Change
    picture: Change


@dataclass(frozen=True, slots=True)
class _Outcome:
    first: Tensor
    """(B, C, h, w) the estimate of the first step."""
    picture: Tensor
    """(B, 3, H, W) in 0..255."""


def layout(family: Family, method: str, steps: int, words: dict[str, str]) -> Document:
    """Two boxes side by side, all of the canvas free."""
    side = family.native_px
    gap = side // 16
    boxes = {
        LEFT: Rect(gap, side // 4, side // 2 - gap, side - gap),
        RIGHT: Rect(side // 2 + gap, side // 4, side - gap, side - gap),
    }
    layers = tuple(box_layer(box, text=words[name], layer_id=name) for name, box in boxes.items())
    ground = Layer("background", "Background", LayerKind.FILL, noise=1.0)
    caption = Caption((LayerRef(LEFT), " and ", LayerRef(RIGHT), " in a meadow at noon"))
    settings = RunSettings(method=method, sampler="ddim", steps=steps, guidance=3.0)
    return Document(Size(side, side), layers, ground, caption, settings)


def random_lora(network: Any, seed: int) -> dict[str, Tensor]:
    """A LoRA for all projections and first convolutions, each as strong beside its weight."""
    generator = torch.Generator().manual_seed(seed)
    found = dict[str, Tensor]()
    start = "unet" if hasattr(network, "down_blocks") else "transformer"
    ends = ("to_q", "to_k", "to_v", "to_out.0", "conv1")
    for name, module in network.named_modules():
        if not name.endswith(ends) or not isinstance(module, nn.Linear | nn.Conv2d):
            continue
        weight = module.weight.detach().float().cpu()
        down = torch.randn(RANK, *weight.shape[1:], generator=generator)
        up = torch.randn(weight.shape[0], RANK, *(1,) * (weight.ndim - 2), generator=generator)
        product = up.flatten(1) @ down.flatten(1)
        up = up * (STRENGTH * weight.norm() / product.norm())
        found[f"{start}.{name}.lora_A.weight"] = down
        found[f"{start}.{name}.lora_B.weight"] = up.contiguous()
    return found


def with_loras(document: Document, files: dict[str, str]) -> Document:
    """The document with one LoRA on each of these layers."""
    for name, file in files.items():
        document = change_layers(
            document,
            [name],
            lambda one, file=file: replace(one, extras=replace(one.extras, loras=(LoraUse(file),))),
        )
    return document


@torch.inference_mode()
def outcome(
    family: Family, document: Document, seeds: tuple[int, ...], towards: Document | None = None
) -> _Outcome:
    """The first answer and the picture of a run.

    Args:
        towards: a document with texts of as many tokens; the network reads `PART` of the way there.
    """
    plan = plan_harmonise(document, document.settings, family)
    method = METHODS[plan.settings.method]
    with ExtrasShelf().attached(family, plan) as extras:
        there = plan_harmonise(towards or document, document.settings, family)
        texts = {
            text: _between(family, text, other)
            for text, other in zip(method.texts(plan), method.texts(there), strict=True)
        }
        caption = _between(family, plan.text.caption, there.text.caption)
        avoid = family.read_text("")
        start = torch.zeros(1, 3, family.native_px, family.native_px)
        attachments = extras.told(avoid)
        materials = Materials(caption, avoid, family.encode(start), attachments, texts)
        setup = method.prepare(family, plan, materials)
        steps = list(method.sample(family, plan, setup, seeds, lambda: False))
    decoded = torch.cat([family.decode(one) for one in steps[-1].x.split(1)])
    return _Outcome(steps[0].x0, (decoded.clamp(-1, 1) + 1) * 127.5)


def _between(family: Family, text: str, other: str) -> ReadText:
    read = family.read_text(text)
    if text == other:
        return read
    aim = family.read_text(other)
    pooled = read.pooled
    if pooled is not None and aim.pooled is not None:
        pooled = torch.lerp(pooled, aim.pooled, PART)
    return replace(read, rows=torch.lerp(read.rows, aim.rows, PART), pooled=pooled)


def change(before: Tensor, after: Tensor, plan: RunPlan, name: str) -> Change:
    """How much changed where, for a region called `name`."""
    size = before.shape[-2:]
    moved = (after - before).abs().mean((0, 1))
    masks = {key: _at(plan, key, size) for key in (LEFT, RIGHT)}
    own, other = masks[name] > 0.5, masks[RIGHT if name == LEFT else LEFT] > 0.5
    parts = (own, other, ~(own | other))
    return Change(*(float(moved[part].mean()) for part in parts))


def _at(plan: RunPlan, name: str, size: Sequence[int]) -> Tensor:
    mask = torch.from_numpy(plan.masks[name])[None, None]
    return nn.functional.adaptive_avg_pool2d(mask, (size[0], size[1]))[0, 0]


def measure(
    family: Family, methods: Sequence[str], steps: int, seeds: Sequence[int]
) -> list[Figures]:
    """One LoRA on each region, both at once, and other words without any."""
    found = list[Figures]()
    with tempfile.TemporaryDirectory() as folder:
        files = dict[str, str]()
        for number, name in enumerate((LEFT, RIGHT)):
            files[name] = str(Path(folder) / f"{name}.safetensors")
            save_file(random_lora(network_of(family), number), files[name])
        for method in methods:
            found += _of_method(family, method, steps, tuple(seeds), files)
    return found


def _of_method(
    family: Family, method: str, steps: int, seeds: tuple[int, ...], files: dict[str, str]
) -> list[Figures]:
    plain = layout(family, method, steps, WORDS)
    plan = plan_harmonise(plain, plain.settings, family)
    before = outcome(family, plain, seeds)
    alone = {name: outcome(family, with_loras(plain, {name: files[name]}), seeds) for name in files}
    both = outcome(family, with_loras(plain, files), seeds)
    others = {
        name: layout(family, method, steps, WORDS | {name: OTHER_WORDS[name]}) for name in files
    }
    words = {name: outcome(family, other, seeds) for name, other in others.items()}
    partly = {name: outcome(family, plain, seeds, other) for name, other in others.items()}
    pairs = {
        "one LoRA": [(name, before, alone[name]) for name in files],
        "a second LoRA": [(RIGHT if name == LEFT else LEFT, alone[name], both) for name in files],
        "words a tenth of the way": [(name, before, partly[name]) for name in files],
        "other words": [(name, before, words[name]) for name in files],
    }
    return [
        Figures(
            method,
            what,
            _mean([change(a.first, b.first, plan, name) for name, a, b in found]),
            _mean([change(a.picture, b.picture, plan, name) for name, a, b in found]),
        )
        for what, found in pairs.items()
    ]


def _mean(changes: Sequence[Change]) -> Change:
    def over(name: str) -> float:
        return sum(getattr(one, name) for one in changes) / len(changes)

    return Change(over("own"), over("other"), over("elsewhere"))


def table(figures: Sequence[Figures]) -> str:
    """The figures as a Markdown table."""
    head = (
        "| method | what changes | first answer: inside | outside, share | picture: inside "
        "| other region | elsewhere | outside, share |\n|---|---|---|---|---|---|---|---|"
    )
    lines = (
        f"| {one.method} | {one.what} | {one.first.own:.3f} | {one.first.leak:.4f} "
        f"| {one.picture.own:.1f} | {one.picture.other:.1f} | {one.picture.elsewhere:.1f} "
        f"| {one.picture.leak:.2f} |"
        for one in figures
    )
    return "\n".join([head, *lines])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(prog="bench_loras", description=__doc__)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--methods", nargs="+", default=MEASURED, choices=tuple(METHODS))
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    given = parser.parse_args(arguments)
    family = load_model(given.model, choose_device(given.device))
    found = measure(family, given.methods, given.steps, given.seeds)
    sys.stdout.write(table(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
