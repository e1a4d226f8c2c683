"""Pictures while it trains: layouts of unseen examples, drawn without and with the adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from collage_studio.document.layouts import TINTS
from collage_studio.engine.rich_context.encode import batch
from collage_studio.training.rich_context.base import FrozenModel
from collage_studio.training.rich_context.examples import Example

Picture = npt.NDArray[np.uint8]
STEPS = 16
GUIDANCE = 3.0


@torch.no_grad()
def sample_sheet(model: FrozenModel, examples: Sequence[Example], *, seed: int = 0) -> Picture:
    """One column per example: its layout, without the adapter, with it, and the data's picture."""
    columns = list[Picture]()
    for at, example in enumerate(examples):
        noise = torch.randn(
            1,
            model.family.latent_channels,
            *_cells(model, example),
            generator=torch.Generator().manual_seed(seed + at),
        )
        views = [
            layout_view(model, example),
            drawn(model, example, noise, with_layout=False),
            drawn(model, example, noise),
            _truth(model, example),
        ]
        columns.append(np.concatenate(views, axis=0))
    return np.concatenate(columns, axis=1)


@torch.no_grad()
def drawn(
    model: FrozenModel, example: Example, noise: Tensor, *, with_layout: bool = True
) -> Picture:
    """A picture of an example's caption and layout by DDIM, from noise (1, C, h, w)."""
    said, nothing = model.caption(example.caption), model.caption("")
    size = (noise.shape[-2], noise.shape[-1])
    rows = torch.cat([nothing.rows, said.rows])
    given: dict[str, Any] = {"added_cond_kwargs": model.told([nothing, said], size) or None}
    if with_layout:
        tokens = batch([None, *model.layouts([example])]).to(model.device)
        given["cross_attention_kwargs"] = {"gligen": tokens.inputs}
    kind = next(model.unet.parameters()).dtype
    times = torch.linspace(len(model.signal) - 1, 0, STEPS).round().long()
    x = noise.to(model.device)
    for at, t in enumerate(times):
        out = model.unet(
            x.repeat(2, 1, 1, 1).to(kind), t, rows.to(kind), return_dict=False, **given
        )[0].float()
        out = out[:1] + GUIDANCE * (out[1:] - out[:1])
        share = float(model.signal[t])
        clean, eps = model.estimates(out, x, share)
        after = float(model.signal[times[at + 1]]) if at + 1 < len(times) else 1.0
        x = after**0.5 * clean + (1 - after) ** 0.5 * eps
    return as_picture(model.family.decode(x)[0])


def layout_view(model: FrozenModel, example: Example) -> Picture:
    """The regions in tints on dark grey, back to front."""
    height, width = _cells(model, example)
    factor = model.family.factor
    view = np.full((height * factor, width * factor, 3), 38, np.float32)
    for at, thing in enumerate(example.objects):
        mask = thing.mask.astype(np.uint8).repeat(factor, 0).repeat(factor, 1)
        edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        share = np.maximum(0.55 * mask, edge)[..., None]
        view += share * (np.array(TINTS[at % len(TINTS)][:3], np.float32) - view)
    return np.round(view).astype(np.uint8)


def as_picture(picture: Tensor) -> Picture:
    """(3, H, W) in about [-1, 1] as (H, W, 3) bytes."""
    return ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()


def _truth(model: FrozenModel, example: Example) -> Picture:
    if not example.is_latent:
        return as_picture(example.content)
    return as_picture(model.family.decode(example.content[None].to(model.device))[0])


def _cells(model: FrozenModel, example: Example) -> tuple[int, int]:
    height, width = example.content.shape[-2:]
    factor = 1 if example.is_latent else model.family.factor
    return height // factor, width // factor
