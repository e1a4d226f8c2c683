"""Collage Diffusion (arXiv 2303.00262): noised composite, cross-attention control, layer noise.

Start: the composite at the level of the strongest noise (SDEdit). Attention: each layer's words
are drawn to its visible mask (w+) and kept out of the rest (w-). Constraint: each pixel follows
the known picture until its own noise says it is free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from torch import Tensor

from collage_studio.engine.attention.edits import CrossAttentionControl, paper_strength
from collage_studio.engine.cancel import IsCancelled, stoppable
from collage_studio.engine.denoise import Step
from collage_studio.engine.families.base import (
    Attachment,
    Encoded,
    Family,
    Frame,
    Guide,
    Prediction,
    ReadText,
)
from collage_studio.engine.guidance import predict
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.regions.ownership import Region, RegionWeights, layer_tokens
from collage_studio.engine.walking import Entry, enter, walk


@dataclass(frozen=True, slots=True)
class Materials:
    """What the networks made of a plan's text and pictures, and what is attached to them."""

    caption: ReadText
    avoid: ReadText
    start: Encoded
    attachments: tuple[Attachment, ...] = ()
    texts: Mapping[str, ReadText] = field(default_factory=dict[str, ReadText])
    """Those a method asked for by its `texts`."""
    learned: Mapping[str, ReadText] = field(default_factory=dict[str, ReadText])
    """By layer id: its text with the look it learned. Two layers may say the same words."""

    @property
    def all_texts(self) -> tuple[ReadText, ...]:
        """Everything that was read but the words to avoid; a text may be there twice."""
        return (self.caption, *self.texts.values(), *self.learned.values())

    def own(self, layer_id: str, text: str) -> ReadText:
        """What a layer says: its text, with its own look where it has one.

        Raises:
            KeyError: the method did not ask for the text.
        """
        return self.learned[layer_id] if layer_id in self.learned else self.texts[text]


@dataclass(frozen=True, slots=True)
class Setup:
    """A plan made ready for one family; shared by all seeds.

    Args:
        weights: None where no layer steers the attention.
    """

    entry: Entry
    weights: RegionWeights | None
    guide: Guide

    @property
    def steps(self) -> int:
        return self.entry.steps


def texts(plan: RunPlan) -> tuple[str, ...]:
    """Nothing is read beside the caption and the words to avoid."""
    del plan
    return ()


def warnings(plan: RunPlan) -> tuple[str, ...]:
    """Layers whose text is not in the caption."""
    return plan.text.warnings


def prepare(family: Family, plan: RunPlan, materials: Materials) -> Setup:
    """Work out schedule, map and regions of the window."""
    space = plan.workspace
    guide = Guide(
        materials.caption,
        materials.avoid,
        plan.settings.guidance,
        Frame(space.grid, space.window),
        materials.attachments,
    )
    regions = find_regions(plan, materials.caption)
    weights = RegionWeights(regions, family.device) if regions else None
    return Setup(enter(family, plan, materials.start), weights, guide)


def find_regions(plan: RunPlan, caption: ReadText) -> list[Region]:
    """Layers with words in the caption and pixels on the canvas; none if control is off."""
    if plan.settings.ca_schedule == "off":
        return []
    space = plan.workspace
    regions = list[Region]()
    for layer_id, tokens in layer_tokens(plan.text.spans, caption.offsets).items():
        layer, mask = plan.document.find(layer_id), plan.masks.get(layer_id)
        if layer is None or mask is None or not tokens or not mask.any():
            continue
        if layer.attention_in == 0 and layer.attention_out == 0:
            continue
        rows, columns = space.window.slices
        peak = float(mask[space.pixels.slices].max())
        cells = space.cells(mask)[rows, columns]
        regions.append(
            Region(layer_id, tokens, cells, peak, layer.attention_in, layer.attention_out)
        )
    return regions


def sample(
    family: Family, plan: RunPlan, setup: Setup, seeds: Sequence[int], is_cancelled: IsCancelled
) -> Iterator[Step]:
    """Denoise the window once per seed, all seeds in one batch."""
    schedule = setup.entry.schedule

    def denoiser(x: Tensor, index: int) -> Prediction:
        edit = nullcontext()
        if setup.weights is not None:
            strength = paper_strength(schedule.before[index].sigma)
            edit = family.attending(CrossAttentionControl(setup.weights, strength, len(seeds)))
        with edit, stoppable(family.watched_modules(), is_cancelled):
            return predict(family, x, schedule, index, setup.guide)

    yield from walk(family, plan, setup.entry, seeds, denoiser)
