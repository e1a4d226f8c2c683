"""MultiDiffusion (arXiv 2302.08113): overlapping windows and regions, merged at every step.

Branches: each window of the model's own size over the canvas, for each region whose mask reaches
into it; out(p) = sum_i W_i(p) out_i(p) / sum_i W_i(p) with W_i = window weight x hard mask. Early
on a region's network sees its own pixels on a plain ground of random colour (bootstrapping), so
that it draws its object whole inside the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.method_settings import MultiDiffusion
from collage_studio.engine.api import BadRequest
from collage_studio.engine.cancel import IsCancelled, stoppable
from collage_studio.engine.denoise import Step
from collage_studio.engine.extras.lora import RowLoras, row_loras
from collage_studio.engine.families.base import Family, Frame, Prediction, ReadText
from collage_studio.engine.guidance import true_scale
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.noise import CanvasNoise, keyed_generator
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.regions.branches import Branch, Merger, Seen, add, rows_of, taken
from collage_studio.engine.regions.segments import (
    Segment,
    find_segments,
    hard,
    in_window,
    layout_warnings,
    worded_layers,
)
from collage_studio.engine.regions.windows import gaussian, views
from collage_studio.engine.walking import Entry, enter, walk

_GROUNDS = 20
_GROUND_CELLS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A hard region with its text, (h, w) of the run's window; number 0 is the background.

    `loras` tells whose LoRAs its rows have; None = no layer has any.
    """

    number: int
    text: ReadText
    mask: Tensor
    loras: RowLoras | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """A plan made ready for one family; shared by all seeds.

    Args:
        weights: of the window's cells in each view, before normalising.
        total: (h, w) sum of all weights that lie on a cell.
        bootstrapped: steps in which regions are seen alone.
        grounds: (K, C) latents of plain colours.
    """

    entry: Entry
    merger: Merger
    scale: float
    avoid: ReadText
    areas: tuple[Area, ...]
    views: tuple[Rect, ...]
    weights: Tensor | None
    total: Tensor
    bootstrapped: int
    grounds: Tensor
    frame: Frame

    @property
    def steps(self) -> int:
        return self.entry.steps


def texts(plan: RunPlan) -> tuple[str, ...]:
    """The texts of all regions, and that of the background."""
    return (_ground_text(plan), *(layer.text.strip() for layer in worded_layers(plan.document)))


def warnings(plan: RunPlan) -> tuple[str, ...]:
    """What is worth saying before the run begins."""
    if not plan.settings.methods.multi_diffusion.regions:
        return ()
    return layout_warnings(plan, find_segments(plan))


def prepare(family: Family, plan: RunPlan, materials: Materials) -> Setup:
    """Work out windows, regions and their weights."""
    settings = plan.settings.methods.multi_diffusion
    space = plan.workspace
    entry = enter(family, plan, materials.start)
    found = in_window(find_segments(plan), space.window) if settings.regions else []
    areas = _areas(found, plan, materials, entry)
    size = Size(space.window.width, space.window.height)
    windows = _windows(size, settings, family, is_whole=space.window == Rect.of_size(space.grid))
    weights = None
    if settings.gaussian and len(windows) > 1:
        weights = gaussian(windows[0].height, windows[0].width).to(family.device)
    cells = windows[0].width * windows[0].height
    doubled = 2 if true_scale(family, plan.settings.guidance, materials.avoid) > 1 else 1
    is_early = settings.bootstrap > 0 and len(areas) > 1
    return Setup(
        entry=entry,
        merger=Merger(
            family,
            entry.schedule,
            plan.settings.guidance,
            materials.attachments,
            at_once=settings.batch * cells * doubled,
        ),
        scale=plan.settings.guidance,
        avoid=materials.avoid,
        areas=areas,
        views=tuple(windows),
        weights=weights,
        total=_total(windows, weights, areas, size),
        bootstrapped=round(settings.bootstrap * len(entry.schedule)) if is_early else 0,
        grounds=_plain_grounds(family) if is_early else torch.zeros(0),
        frame=Frame(space.grid, space.window),
    )


def sample(
    family: Family, plan: RunPlan, setup: Setup, seeds: Sequence[int], is_cancelled: IsCancelled
) -> Iterator[Step]:
    """Denoise the window once per seed, all seeds in one batch."""
    schedule = setup.entry.schedule
    late = rows_of(_branches(setup, lambda area, view: None), family, setup.scale)
    early = late
    if setup.bootstrapped:
        alone = _alone(family, plan, setup, seeds)
        early = rows_of(_branches(setup, alone), family, setup.scale)

    def denoiser(x: Tensor, index: int) -> Prediction:
        rows = early if index < setup.bootstrapped else late
        with stoppable(family.watched_modules(), is_cancelled):
            out = setup.merger.merged(x, index, rows)
        return family.interpret(out, x, schedule, index)

    yield from walk(family, plan, setup.entry, seeds, denoiser)


def _branches(setup: Setup, seen: Callable[[Area, Rect], Seen | None]) -> list[Branch]:
    """One branch for each view and region in it; weights add up to 1 on each cell that is free."""
    free = (setup.entry.strengths > 0)[0, 0]
    found = list[Branch]()
    for view in setup.views:
        total, wanted = taken(setup.total, view), taken(free, view)
        for area in setup.areas:
            weight = taken(area.mask, view) * wanted / total.clamp_min(1e-12)
            if setup.weights is not None:
                weight = weight * setup.weights
            if bool(weight.any()):
                frame = _frame(setup, view)
                look = seen(area, view)
                found.append(
                    Branch(area.text, setup.avoid, view, weight, frame, look, loras=area.loras)
                )
    return found


def _frame(setup: Setup, view: Rect) -> Frame:
    """Each window is a picture of its own, as published; attachments must know its place."""
    if len(setup.views) > 1 and not setup.merger.attachments:
        return Frame.whole(view.height, view.width)
    left, top = setup.frame.window.left, setup.frame.window.top
    place = Rect(left + view.left, top + view.top, left + view.right, top + view.bottom)
    return Frame(setup.frame.grid, place)


def _areas(
    segments: Sequence[Segment], plan: RunPlan, materials: Materials, entry: Entry
) -> tuple[Area, ...]:
    """The background and the regions, by hard masks; overlapping ones are averaged."""
    device = entry.strengths.device
    masks = torch.zeros(0, *entry.strengths.shape[-2:])
    if segments:
        masks = hard(torch.stack([segment.mask for segment in segments]))
    masks = masks.to(device)
    ground = (1.0 - masks.sum(0)).clamp_min(0.0)
    ids = [segment.layer_id for segment in segments]
    rest, own = row_loras(materials.attachments, plan.document, ids)
    areas = [Area(0, materials.texts[_ground_text(plan)], ground, rest)]
    for number, segment in enumerate(segments, 1):
        text = materials.own(segment.layer_id, segment.text)
        loras = own.get(segment.layer_id)
        areas.append(Area(number, text, masks[number - 1], loras))
    return tuple(area for area in areas if bool(area.mask.any()))


def _ground_text(plan: RunPlan) -> str:
    """The background's own words; the caption where it has none."""
    return plan.document.background.text.strip() or plan.text.caption


def _windows(size: Size, settings: MultiDiffusion, family: Family, *, is_whole: bool) -> list[Rect]:
    side = settings.window_cells or family.native_px // family.factor
    if side % family.alignment:
        raise BadRequest(
            f"A window of {side} cells does not suit this model; use a multiple of "
            f"{family.alignment}."
        )
    stride = settings.stride_cells or max(1, side // 8)
    if stride > side:
        raise BadRequest(
            f"Windows of {side} cells every {stride} cells leave gaps; use a stride of at most "
            f"{side}."
        )
    return views(size, side, stride, wrap=settings.wrap and is_whole)


def _total(
    windows: Sequence[Rect], weights: Tensor | None, areas: Sequence[Area], size: Size
) -> Tensor:
    """(h, w) what all branches together weigh on each cell."""
    device = areas[0].mask.device
    masks = torch.stack([area.mask for area in areas]).sum(0)
    total = torch.zeros(size.shape, device=device)
    for view in windows:
        inside = taken(masks, view)
        add(total, view, inside if weights is None else inside * weights)
    return total


def _plain_grounds(family: Family) -> Tensor:
    """(K, C) latents of K plain colours, by the middle cell of a small plain picture."""
    colours = torch.rand(_GROUNDS, 3, generator=keyed_generator(0, "grounds")) * 2.0 - 1.0
    side = _GROUND_CELLS * family.factor
    middle = _GROUND_CELLS // 2
    found = list[Tensor]()
    for colour in colours:
        picture = colour.view(1, 3, 1, 1).expand(1, 3, side, side)
        found.append(family.encode(picture).mean[0, :, middle, middle])
    return torch.stack(found).float()


def _alone(
    family: Family, plan: RunPlan, setup: Setup, seeds: Sequence[int]
) -> Callable[[Area, Rect], Seen | None]:
    """What a region's network sees while its object takes shape: m x + (1 - m) noised ground."""
    space = plan.workspace
    noise = CanvasNoise(
        seeds, family.latent_channels, space.grid, space.window, family.device
    ).draw()

    def seen(area: Area, view: Rect) -> Seen | None:
        if area.number == 0:
            return None
        mask, own_noise = taken(area.mask, view), taken(noise, view)

        def look(x: Tensor, index: int) -> Tensor:
            key = ("ground", area.number, view.left, view.top, index)
            ground = _chosen(setup.grounds, seeds, key)
            level = setup.entry.schedule.before[index]
            return mask * x + (1.0 - mask) * (level.a * ground + level.b * own_noise)

        return look

    return seen


def _chosen(grounds: Tensor, seeds: Sequence[int], key: tuple[object, ...]) -> Tensor:
    """(B, C, 1, 1): one of the grounds for each seed."""
    numbers = [
        int(torch.randint(len(grounds), (1,), generator=keyed_generator(seed, *key)))
        for seed in seeds
    ]
    return grounds[numbers][..., None, None]
