"""Small layouts for the tests of the methods, and runs of them on tiny families."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.layouts import box_layer
from collage_studio.document.method_settings import MethodSettings
from collage_studio.document.model import Caption, Document, Layer, LayerKind, LayerRef
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.families.base import Family
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.runner import METHODS

SIDE = 64


def blank(settings: RunSettings, *layers: Layer, size: Size | None = None, words="") -> Document:
    """Nothing but layout layers, on a canvas that is repainted completely."""
    parts = tuple(part for layer in layers for part in (", ", LayerRef(layer.id)))
    ground = Layer("background", "Background", LayerKind.FILL, noise=1.0)
    caption = Caption((words, *parts) if words else parts[1:])
    return Document(size or Size(SIDE, SIDE), layers, ground, caption, settings)


def cat_and_dog(settings: RunSettings, *, words: str = "") -> Document:
    """A cat on the left, a dog on the right; their boxes do not touch."""
    cat = box_layer(Rect(0, 16, 24, 64), text="cat", layer_id="cat")
    dog = box_layer(Rect(32, 8, 64, 56), text="dog", layer_id="dog")
    return blank(settings, cat, dog, words=words)


def settings(method: str, own: Any = None, **more: Any) -> RunSettings:
    """Six DDIM steps; `own` is the settings of `method` itself."""
    methods = MethodSettings() if own is None else replace(MethodSettings(), **{method: own})
    return RunSettings(
        method=method,
        methods=methods,
        **({"sampler": "ddim", "steps": 6, "guidance": 4.0, "resolution": SIDE} | more),
    )


def materials_of(family: Family, plan: RunPlan) -> Materials:
    """What the runner would read for this plan."""
    start = torch.from_numpy(plan.start.transpose(2, 0, 1).copy())[None] / 127.5 - 1
    known = {text: family.read_text(text) for text in METHODS[plan.settings.method].texts(plan)}
    caption = known.get(plan.text.caption) or family.read_text(plan.text.caption)
    avoid = known.get(plan.settings.avoid) or family.read_text(plan.settings.avoid)
    return Materials(caption, avoid, family.encode(start), texts=known)


@torch.inference_mode()
def latent(family: Family, document: Document, seeds: tuple[int, ...] = (3,)) -> Tensor:
    """The last latent of a run, (seeds, C, h, w)."""
    run = document.settings
    plan = plan_harmonise(document, run, family)
    method = METHODS[run.method]
    setup = method.prepare(family, plan, materials_of(family, plan))
    *_, last = method.sample(family, plan, setup, seeds, lambda: False)
    return last.x
