"""Compares the methods: does what is left to do for each layout and keeps it in the records."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from collage_studio.document.method_settings import NO_ADAPTER, NoiseCollage, RichContext
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import HarmoniseRequest, Picture
from collage_studio.engine.quality.judge import judge_path
from collage_studio.engine.quality.region_metrics import CropClip, SamIou
from collage_studio.evaluate.climbing import Tools, weights_of
from collage_studio.evaluate.ladder import picture_of, warm_up
from collage_studio.evaluate.layout_scores import LayoutScores, Meters, measure_layout
from collage_studio.evaluate.layouts import FIRST_SEED, Layout, layout_document
from collage_studio.evaluate.records import (
    Records,
    fingerprint,
    model_fingerprint,
    settings_read,
)
from collage_studio.resources_dir import resources_path
from collage_studio.starter.render import render_lit
from collage_studio.starter.world import HELD_OUT_FROM

PLAIN, TRUTH = "text-to-image", "truth"
LAYOUTS = 2
"""Counts the ways in which layouts were drawn and measured; part of every fingerprint."""

SETTINGS = RunSettings(steps=12, guidance=3.0, detail=0.0)


@dataclass(frozen=True, slots=True)
class Way:
    """One column: a method, and what its regions say.

    Args:
        method: name in the engine.
        short, in_caption: see `layout_document`.
        own: settings of the method that differ from its defaults.
    """

    title: str
    method: str
    short: bool = False
    in_caption: bool = False
    own: object = None


UNTRAINED = RichContext(adapter=NO_ADAPTER)
_METHODS = {
    "collage_diffusion": Way("Collage Diffusion", "collage_diffusion", in_caption=True),
    "dense_diffusion": Way("DenseDiffusion", "dense_diffusion", in_caption=True),
    "noise_collage": Way("NoiseCollage", "noise_collage"),
    "multi_diffusion": Way("MultiDiffusion", "multi_diffusion"),
    "regional_attention": Way("Regional attention", "rich_context", own=UNTRAINED),
}
NAMES_ALONE = "_names"
WAYS: dict[str, Way] = {
    PLAIN: Way("Plain text-to-image", "collage_diffusion", short=True),
    **_METHODS,
    "rich_context": Way("Rich context, trained", "rich_context", own=RichContext()),
    **{
        f"{key}{NAMES_ALONE}": replace(way, title=f"{way.title}, names alone", short=True)
        for key, way in _METHODS.items()
    },
    f"noise_collage_whole{NAMES_ALONE}": Way(
        "NoiseCollage without crops, names alone",
        "noise_collage",
        short=True,
        own=NoiseCollage(crops=False),
    ),
}
"""The columns but the truth, by key."""


@dataclass(frozen=True, slots=True)
class MethodsPlan:
    """Which methods on which layouts.

    Args:
        methods: keys of `WAYS`; all of them if empty.
        words_in: w+ >= 0. words_out: w- >= 0. Both are read by Collage Diffusion.
    """

    count: int = 128
    first_seed: int = FIRST_SEED
    methods: tuple[str, ...] = ()
    settings: RunSettings = SETTINGS
    words_in: float = 0.4
    words_out: float = 0.8

    def __post_init__(self) -> None:
        if self.first_seed < HELD_OUT_FROM:
            raise ValueError(
                f"Layouts need held-out seeds from {HELD_OUT_FROM:,} on, got {self.first_seed}."
            )
        unknown = sorted(set(self.methods) - set(WAYS))
        if unknown:
            raise ValueError(
                f"There is no method {', '.join(unknown)}; use some of {', '.join(WAYS)}."
            )

    @property
    def seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.count)

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns: text alone, the methods, the truth."""
        chosen = (key for key in WAYS if key == PLAIN or not self.methods or key in self.methods)
        return (*chosen, TRUTH)

    def settings_of(self, key: str) -> RunSettings:
        """Plain text-to-image is the same loop without any control by regions."""
        way, settings = WAYS[key], self.settings
        if way.own is not None:
            methods = replace(settings.methods, **{way.method: way.own})
            settings = replace(settings, methods=methods)
        off = {"ca_schedule": "off"} if key == PLAIN else {}
        return replace(settings, method=way.method, **off)


def layout_request(layout: Layout, key: str, plan: MethodsPlan) -> HarmoniseRequest:
    """What the engine is asked for; the seed is the layout's for every method."""
    settings = plan.settings_of(key)
    way = WAYS[key]
    document = layout_document(layout, short=way.short, in_caption=way.in_caption)
    layers = [
        replace(layer, attention_in=plan.words_in, attention_out=plan.words_out)
        for layer in document.layers
    ]
    document = replace(document.with_layers(*layers), settings=settings)
    return HarmoniseRequest(document, (layout.scene.seed,), settings)


def methods_records(plan: MethodsPlan, tools: Tools) -> Records:
    """The records, with the fingerprint of everything that each outcome depends on."""
    judge = model_fingerprint("judge", tools.judge or judge_path())
    model = weights_of(plan.settings.model, tools.engine)
    made_by = {TRUTH: fingerprint(LAYOUTS, judge)}
    for key in plan.keys[:-1]:
        settings = plan.settings_of(key)
        way = WAYS[key]
        facts: list[object] = [LAYOUTS, judge, model, settings_read(settings)]
        facts += [way.short, way.in_caption]
        if way.method == "collage_diffusion":
            facts += [plan.words_in, plan.words_out]
        if (adapter := adapter_of(settings)) is not None:
            facts.append(model_fingerprint("adapter", adapter))
        made_by[key] = fingerprint(*facts)
    return Records(tools.folder, made_by)


def adapter_of(settings: RunSettings) -> Path | None:
    """The trained adapter that a run would use; None where it uses none."""
    own = settings.methods.rich_context
    if settings.method != "rich_context" or own.adapter == NO_ADAPTER:
        return None
    if own.adapter:
        return Path(own.adapter).expanduser()
    return resources_path("starter", "rich_context.safetensors")


class Comparison:
    """The work on one layout after the other, in one process."""

    def __init__(self, plan: MethodsPlan, tools: Tools) -> None:
        self._plan, self._tools = plan, tools
        self._records = methods_records(plan, tools)
        self._meters = Meters(
            tools.load_judge(),
            CropClip(tools.clip) if tools.clip else None,
            SamIou(tools.sam) if tools.sam else None,
        )
        self._engine = tools.make_engine()
        self._is_warm = False

    def __call__(self, seed: int) -> None:
        """Run, measure and keep whatever is missing for the layout `seed`."""
        layout = Layout.from_seed(seed)
        known = self._records.read(seed)
        for key in self._plan.keys:
            entry = known.get(key)
            if entry is not None and is_measured(entry, tools=self._tools):
                continue
            picture = self._records.picture(seed, key) if entry is not None else None
            if entry is not None and picture is not None:
                seconds = LayoutScores.from_json(entry).seconds
            else:
                picture, seconds = self._made(layout, key)
            scores = measure_layout(layout, key, picture, self._meters, seconds)
            self._records.keep_picture(seed, key, picture)
            self._records.add(seed, key, scores.as_json())

    def _made(self, layout: Layout, key: str) -> tuple[Picture, float]:
        """The picture and its processor seconds; loading the model is not counted."""
        if key == TRUTH:
            return render_lit(layout.scene), 0.0
        request = layout_request(layout, key, self._plan)
        if not self._is_warm:
            warm_up(self._engine, request)
            self._is_warm = True
        started = time.process_time()
        picture = picture_of(self._engine, request)
        return picture, round(time.process_time() - started, 3)


@dataclass(frozen=True, slots=True)
class Compared:
    """One layout's scores and pictures, by method."""

    seed: int
    scores: dict[str, LayoutScores]
    pictures: dict[str, Picture] = field(default_factory=dict[str, Picture])


def is_measured(entry: Mapping[str, Any], tools: Tools | None) -> bool:
    """Whether the networks that are named have looked at the picture of an entry."""
    if tools is None:
        return True
    wanted = (("crop_clip", tools.clip), ("sam_iou", tools.sam))
    return all(entry.get(name) for name, folder in wanted if folder is not None)


def layouts_left(plan: MethodsPlan, records: Records, tools: Tools | None = None) -> list[int]:
    """The plan's layouts for which something is left to do.

    Args:
        tools: pictures have to be measured by the networks it names as well.
    """

    def is_done(seed: int) -> bool:
        known = records.read(seed)
        return all(key in known and is_measured(known[key], tools) for key in plan.keys)

    return [seed for seed in plan.seeds if not is_done(seed)]


def compared(plan: MethodsPlan, records: Records, *, pictures: int = 0) -> list[Compared]:
    """What the records hold of the plan's finished layouts, with pictures of the first few."""
    left = set(layouts_left(plan, records))
    runs = list[Compared]()
    for seed in (seed for seed in plan.seeds if seed not in left):
        entries = records.read(seed)
        run = Compared(seed, {key: LayoutScores.from_json(entries[key]) for key in plan.keys})
        if len(runs) < pictures:
            kept = {key: records.picture(seed, key) for key in plan.keys}
            run.pictures.update({k: found for k, found in kept.items() if found is not None})
        runs.append(run)
    return runs
