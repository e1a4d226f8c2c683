"""Compares the methods: does what is left to do for each layout and keeps it in the records."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from collage_studio.document.model import RunSettings
from collage_studio.engine.api import HarmoniseRequest, Picture
from collage_studio.engine.runner import METHODS
from collage_studio.evaluate.climbing import Tools, weights_of
from collage_studio.evaluate.clip_scores import Clip
from collage_studio.evaluate.judge import judge_path
from collage_studio.evaluate.ladder import picture_of, warm_up
from collage_studio.evaluate.layout_scores import LayoutScores, measure_layout
from collage_studio.evaluate.layouts import FIRST_SEED, Layout, layout_document
from collage_studio.evaluate.records import Records, fingerprint, model_fingerprint
from collage_studio.starter.render import render_lit
from collage_studio.starter.world import HELD_OUT_FROM

PLAIN, TRUTH = "text-to-image", "truth"
TITLES = {
    "collage_diffusion": "Collage Diffusion",
    "noise_collage": "NoiseCollage",
    "multi_diffusion": "MultiDiffusion",
    "dense_diffusion": "DenseDiffusion",
}
SETTINGS = RunSettings(steps=20, guidance=3.0, detail=0.0)


@dataclass(frozen=True, slots=True)
class MethodsPlan:
    """Which methods on which layouts.

    Args:
        methods: names of the engine's methods; all it knows if empty.
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
        unknown = sorted(set(self.methods) - set(METHODS))
        if unknown:
            raise ValueError(
                f"There is no method {', '.join(unknown)}; use some of {', '.join(METHODS)}."
            )

    @property
    def seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.count)

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns: text alone, the methods, the truth."""
        return (PLAIN, *(self.methods or METHODS), TRUTH)


def layout_request(layout: Layout, key: str, plan: MethodsPlan) -> HarmoniseRequest:
    """What the engine is asked for; the seed is the layout's for every method.

    Plain text-to-image is the same loop from the same noise without any control by regions.
    """
    settings = plan.settings
    if key == PLAIN:
        settings = replace(settings, method="collage_diffusion", ca_schedule="off")
    else:
        settings = replace(settings, method=key)
    document = layout_document(layout)
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
    facts = (judge, model, plan.settings, plan.words_in, plan.words_out)
    made_by = {
        key: fingerprint(judge) if key == TRUTH else fingerprint(*facts, key) for key in plan.keys
    }
    return Records(tools.folder, made_by)


class Comparison:
    """The work on one layout after the other, in one process."""

    def __init__(self, plan: MethodsPlan, tools: Tools) -> None:
        self._plan = plan
        self._records = methods_records(plan, tools)
        self._judge = tools.load_judge()
        self._clip = Clip(tools.clip) if tools.clip else None
        self._engine = tools.make_engine()
        self._is_warm = False

    def __call__(self, seed: int) -> None:
        """Run, measure and keep whatever is missing for the layout `seed`."""
        layout = Layout.from_seed(seed)
        known = self._records.read(seed)
        for key in self._plan.keys:
            entry = known.get(key)
            if entry is not None and (self._clip is None or entry.get("clip_words")):
                continue
            picture = self._records.picture(seed, key) if entry is not None else None
            if entry is not None and picture is not None:
                seconds = LayoutScores.from_json(entry).seconds
            else:
                picture, seconds = self._made(layout, key)
            scores = measure_layout(layout, key, picture, self._judge, self._clip, seconds)
            self._records.keep_picture(seed, key, picture)
            self._records.add(seed, key, scores.as_json())

    def _made(self, layout: Layout, key: str) -> tuple[Picture, float]:
        """The picture and its seconds; loading the model is not counted."""
        if key == TRUTH:
            return render_lit(layout.scene), 0.0
        request = layout_request(layout, key, self._plan)
        if not self._is_warm:
            warm_up(self._engine, request)
            self._is_warm = True
        started = time.monotonic()
        picture = picture_of(self._engine, request)
        return picture, round(time.monotonic() - started, 3)


@dataclass(frozen=True, slots=True)
class Compared:
    """One layout's scores and pictures, by method."""

    seed: int
    scores: dict[str, LayoutScores]
    pictures: dict[str, Picture] = field(default_factory=dict[str, Picture])


def layouts_left(plan: MethodsPlan, records: Records, *, with_likeness: bool = False) -> list[int]:
    """The plan's layouts for which something is left to do."""

    def is_done(seed: int) -> bool:
        known = records.read(seed)
        if not set(plan.keys) <= known.keys():
            return False
        return not with_likeness or all(known[key].get("clip_words") for key in plan.keys)

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
