"""Rich-Context Layout-to-Image (arXiv 2409.04847): places that read long texts of their own.

With a trained adapter attached (`extras.shelf`), every transformer block of the UNet reads, right
after self-attention, the joined texts of the region that a pixel lies in; the caption is read as
always. Without one, on any family, the same region plan steers the network's own attention to
words (`regional_attention`). Both hold for the first part of the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from torch import Tensor

from collage_studio.document.method_settings import RichContext
from collage_studio.document.region_plan import RegionPlan
from collage_studio.engine.attention.reading import joined_text
from collage_studio.engine.attention.regional_attention import RegionalReading, RegionTexts
from collage_studio.engine.cancel import IsCancelled, stoppable
from collage_studio.engine.denoise import Step
from collage_studio.engine.extras.reference import References
from collage_studio.engine.families.base import Family, Frame, Guide, Prediction
from collage_studio.engine.guidance import predict
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.regions.layout_plan import layout_plan
from collage_studio.engine.regions.ownership import layer_tokens
from collage_studio.engine.regions.segments import find_segments, layout_warnings, worded_layers
from collage_studio.engine.rich_context.attachment import LayoutRows
from collage_studio.engine.walking import Entry, enter, walk


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """A plan made ready for one family; shared by all seeds.

    Args:
        guide: of the steps after `until`, and of all steps where an adapter is attached.
        steered: of the steps before, where the texts of the objects are read behind the caption.
        reading: the attention edit of those steps for one row; None = none.
        adapter: the layout that an attached adapter reads; None where there is none.
        until: the first step that is no longer told of the layout.
    """

    entry: Entry
    guide: Guide
    steered: Guide
    reading: RegionalReading | None
    adapter: LayoutRows | None
    until: int

    @property
    def steps(self) -> int:
        return self.entry.steps


def texts(plan: RunPlan) -> tuple[str, ...]:
    """The text of each region by itself."""
    return tuple(dict.fromkeys(layer.text.strip() for layer in worded_layers(plan.document)))


def warnings(plan: RunPlan) -> tuple[str, ...]:
    """What is worth saying before the run begins."""
    own = plan.settings.methods.rich_context
    seen = find_segments(plan, in_front=own.overlap == "front")
    return layout_warnings(plan, seen)


def prepare(family: Family, plan: RunPlan, materials: Materials) -> Setup:
    """Work out who reads what; an adapter that is attached takes the place of steering."""
    own, space = plan.settings.methods.rich_context, plan.workspace
    entry = enter(family, plan, materials.start)
    guide = Guide(
        materials.caption,
        materials.avoid,
        plan.settings.guidance,
        Frame(space.grid, space.window),
        materials.attachments,
    )
    attached = (one for one in materials.attachments if isinstance(one, LayoutRows))
    adapter = next(attached, None)
    regions = layout_plan(plan).cut(space.window)
    until = round(own.until * len(entry.schedule))
    reading = reading_of(family, plan, materials, regions, is_trained=adapter is not None)
    steered = guide
    if reading is not None and reading.texts > 1:
        said = [materials.own(one.key, one.text) for one in regions.objects]
        avoid = joined_text(guide.negative, *said)
        steered = replace(guide, positive=joined_text(guide.positive, *said), negative=avoid)
        for one in materials.attachments:
            if isinstance(one, References):
                one.negative.append(avoid)
    return Setup(entry, guide, steered, reading, adapter, until)


def sample(
    family: Family, plan: RunPlan, setup: Setup, seeds: Sequence[int], is_cancelled: IsCancelled
) -> Iterator[Step]:
    """Denoise the window once per seed, all seeds in one batch."""
    schedule = setup.entry.schedule
    reading = setup.reading and replace(setup.reading, rows=len(seeds), _biases={})

    def denoiser(x: Tensor, index: int) -> Prediction:
        is_told = index < setup.until
        if setup.adapter is not None:
            setup.adapter.on = is_told
        edit: AbstractContextManager[None] = nullcontext()
        if reading is not None and is_told:
            edit = family.attending(reading)
        guide = setup.steered if is_told else setup.guide
        with edit, stoppable(family.watched_modules(), is_cancelled):
            return predict(family, x, schedule, index, guide)

    yield from walk(family, plan, setup.entry, seeds, denoiser)


def reading_of(
    family: Family, plan: RunPlan, materials: Materials, regions: RegionPlan, *, is_trained: bool
) -> RegionalReading | None:
    """The attention edit; None where nothing is steered.

    Args:
        regions: of the window. is_trained: an adapter reads the texts of the regions.
    """
    own = plan.settings.methods.rich_context
    tied = _tied(plan, materials, regions) if own.words else {}
    steers = not is_trained and own.strength > 0
    if not regions.objects or not (steers or tied):
        return None
    caption = _caption_share(own)
    told = RegionTexts.of_plan(regions, family.device, caption=caption, prior=own.size_prior)
    return RegionalReading(told, 1 + len(regions.objects) if steers else 1, 1, tied)


def _caption_share(own: RichContext) -> float:
    return 1.0 - own.strength * (1.0 - own.caption)


def _tied(plan: RunPlan, materials: Materials, regions: RegionPlan) -> dict[int, tuple[int, ...]]:
    """The columns of the caption that speak of each object of the window."""
    numbers = {one.key: number for number, one in enumerate(regions.objects)}
    tokens = layer_tokens(plan.text.spans, materials.caption.offsets)
    return {numbers[key]: own for key, own in tokens.items() if key in numbers and own}
