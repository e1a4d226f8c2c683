"""One prediction of the adapted model as a module, and the batches it learns from.

Everything random about an example is drawn from its own generator, so a batch is the same however
it is shared by processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from collage_studio.engine.families.base import Encoded
from collage_studio.engine.rich_context.adapter import RichContextAdapter
from collage_studio.engine.rich_context.encode import LayoutTokens
from collage_studio.engine.rich_context.encode import batch as batch_of_layouts
from collage_studio.starter.grounding import ground_attention
from collage_studio.training.rich_context.base import FrozenModel
from collage_studio.training.rich_context.config import TrainConfig
from collage_studio.training.rich_context.examples import Example
from collage_studio.training.rich_context.latents import LatentCache


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one pass learns from.

    Args:
        noisy, target: (B, C, h, w). t: (B,). weight: (B,) of the levels.
        rows: (B, T, d) captions. layout: the tensors of `LayoutTokens`, B rows.
        coverage: (B, T, h, w); None if all words may be read everywhere.
        told: what the network is told beside the rows; empty in most families.
    """

    noisy: Tensor
    target: Tensor
    t: Tensor
    weight: Tensor
    rows: Tensor
    layout: Mapping[str, Tensor]
    coverage: Tensor | None
    told: Mapping[str, Tensor]


class Denoiser(nn.Module):
    """The frozen network and the adapter attached to it, so that both can be shared out as one."""

    def __init__(self, unet: Any, adapter: RichContextAdapter, *, words: bool = False) -> None:
        """Args:
        words: whether batches say where the caption's words may be read.
        """
        super().__init__()
        self.unet = unet
        self.adapter = adapter
        if words:
            ground_attention(unet)

    def forward(self, batch: Batch) -> Tensor:
        """What the network says about the noisy latents: (B, C, h, w)."""
        given: dict[str, Any] = {"gligen": dict(batch.layout)}
        if batch.coverage is not None:
            given["coverage"] = batch.coverage
        kind = next(self.unet.parameters()).dtype
        return self.unet(
            batch.noisy.to(kind),
            batch.t,
            batch.rows.to(kind),
            cross_attention_kwargs=given,
            added_cond_kwargs=dict(batch.told) or None,
            return_dict=False,
        )[0].float()


def loss_of(predicted: Tensor, batch: Batch) -> Tensor:
    """(B,) mean squared errors, weighed by the levels."""
    return batch.weight * (predicted - batch.target).square().mean((1, 2, 3))


class Batches:
    """Makes batches of examples for one model."""

    def __init__(self, model: FrozenModel, config: TrainConfig, latents: LatentCache) -> None:
        self._model = model
        self._config = config
        self._latents = latents

    def drawn(self, examples: Sequence[tuple[Example, np.random.Generator]]) -> Batch:
        """A training batch; layouts and captions are dropped by each example's own generator."""
        chances = [rng.random(3) for _, rng in examples]
        config = self._config
        return self.made(
            [example for example, _ in examples],
            [rng for _, rng in examples],
            layouts=[float(chance[0]) >= config.drop_layout for chance in chances],
            captions=[float(chance[1]) >= config.drop_caption for chance in chances],
            tied=[float(chance[2]) < config.grounded for chance in chances],
        )

    def made(
        self,
        examples: Sequence[Example],
        generators: Sequence[np.random.Generator],
        *,
        layouts: Sequence[bool] | bool = True,
        captions: Sequence[bool] | bool = True,
        tied: Sequence[bool] | bool = False,
    ) -> Batch:
        """A batch with the layouts, captions and ties of words that are asked for."""
        model, count = self._model, len(examples)
        clean = torch.stack([self._clean(e, g) for e, g in zip(examples, generators, strict=True)])
        t = torch.tensor([self._level(rng) for rng in generators])
        noise = torch.stack([_noise(clean.shape[1:], rng) for rng in generators])
        noisy, target = model.target(clean, noise, t)
        said = [
            example.caption if is_said else ""
            for example, is_said in zip(examples, _each(captions, count), strict=True)
        ]
        texts = [model.caption(text) for text in said]
        has_layout = _each(layouts, count)
        read = iter(model.layouts([e for e, has in zip(examples, has_layout, strict=True) if has]))
        tokens = [next(read) if has else None for has in has_layout]
        device, size = model.device, (clean.shape[-2], clean.shape[-1])
        coverage = None
        if self._config.grounded:
            ties = zip(examples, said, texts, _each(tied, count), strict=True)
            coverage = torch.stack(
                [
                    model.coverage(example, text, size)
                    if is_tied and caption
                    else torch.ones(text.rows.shape[1], *size)
                    for example, caption, text, is_tied in ties
                ]
            ).to(device)
        return Batch(
            noisy.to(device),
            target.to(device),
            t.to(device),
            self._weight(t).to(device),
            torch.cat([text.rows for text in texts]).to(device),
            _joined(tokens, size, texts[0].rows.shape[-1]).to(device).inputs,
            coverage,
            model.told(texts, size),
        )

    def _clean(self, example: Example, rng: np.random.Generator) -> Tensor:
        if example.is_latent:
            return example.content
        encoded: Encoded = self._latents.of(example)
        mean = encoded.mean[0].float().cpu()
        if encoded.deviation is None:
            return mean
        return mean + encoded.deviation[0].float().cpu() * _noise(mean.shape, rng)

    def _level(self, rng: np.random.Generator) -> int:
        """T u^(1 / strong_noise); see `TrainConfig`."""
        levels = len(self._model.signal)
        return min(int(levels * rng.random() ** (1 / self._config.strong_noise)), levels - 1)

    def _weight(self, t: Tensor) -> Tensor:
        """(B,): levels with a signal-to-noise ratio above `gamma` count less."""
        if not self._config.gamma:
            return torch.ones(len(t))
        share = self._model.signal[t]
        return (self._config.gamma * (1 - share) / share).clamp(max=1.0)


def _joined(
    layouts: Sequence[LayoutTokens | None], grid: tuple[int, int], width: int
) -> LayoutTokens:
    """The layouts of all examples, also where all are dropped."""
    if any(one is not None for one in layouts):
        return batch_of_layouts(layouts)
    none = LayoutTokens.dropped(grid, width)
    return batch_of_layouts([none, *layouts[1:]])


def _each(value: Sequence[bool] | bool, count: int) -> Sequence[bool]:
    return [value] * count if isinstance(value, bool) else value


def _noise(shape: Sequence[int], rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(tuple(shape), np.float32))
