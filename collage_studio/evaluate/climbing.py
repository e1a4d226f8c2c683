"""Climbs the ladder: does what is left to do for each collage and keeps it in the records."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from collage_studio.engine.api import LearnSettings
from collage_studio.engine.quality.judge import Judge, judge_path
from collage_studio.evaluate.clip_scores import Clip
from collage_studio.evaluate.collages import collage_of
from collage_studio.evaluate.configurations import Configuration
from collage_studio.evaluate.ladder import (
    Climbed,
    Climber,
    Looks,
    Runner,
    ladder_scene,
    request_of,
    warm_up,
)
from collage_studio.evaluate.look_learning import looks_of
from collage_studio.evaluate.plan import Plan
from collage_studio.evaluate.records import Records, fingerprint, model_fingerprint, settings_read
from collage_studio.evaluate.scores import Scores, Yardstick
from collage_studio.resources_dir import resources_path
from collage_studio.starter.world import OBJECTS

ENGINE = "collage_studio.engine.runner:Engine"


@dataclass(frozen=True, slots=True)
class Tools:
    """What a climb uses, as plain values that reach every worker process.

    Args:
        folder: of the records.
        clip: folder of a CLIP checkpoint; None = no CLIP scores.
        sam: folder of a SAM checkpoint; None = no scores by it.
        engine: "module:class", called with the device.
        judge: file of the judge.
    """

    folder: Path
    device: str = "auto"
    clip: Path | None = None
    learning: LearnSettings = field(default_factory=LearnSettings)
    engine: str = ENGINE
    judge: Path | None = None
    sam: Path | None = None

    def make_engine(self) -> Runner:
        """The engine, on the device."""
        module, _, name = self.engine.partition(":")
        return getattr(importlib.import_module(module), name)(self.device)

    def load_judge(self) -> Judge:
        """The judge; raise `JudgeMissing` if there is none for this world."""
        judge = Judge.load(self.judge)
        judge.check_names([kind.name for kind in OBJECTS])
        return judge


def weights_of(model: str, engine: str = ENGINE) -> str:
    """Fingerprint of the model that a run would use."""
    folder = resources_path("starter", "model") if model == "starter" else Path(model).expanduser()
    return fingerprint(model_fingerprint(model, folder), engine)


def records_of(plan: Plan, tools: Tools) -> Records:
    """The records, with the fingerprint of everything that each outcome depends on."""
    model = weights_of(plan.settings.model, tools.engine)
    judge = model_fingerprint("judge", tools.judge or judge_path())
    settings = settings_read(plan.settings)
    made_by = dict[str, str]()
    every = {c.key: c for seed in plan.seeds for c in plan.wanted(seed)}
    for key, configuration in every.items():
        facts: list[object] = [judge]
        if configuration.runs:
            facts += [model, settings, plan.words_in, plan.words_out, configuration]
        if configuration.learned:
            facts.append(tools.learning)
        if configuration.edges:
            facts += [plan.control, plan.edge]
        made_by[key] = fingerprint(*facts)
    return Records(tools.folder, made_by)


def learned_looks(
    plan: Plan, tools: Tools, report: Callable[[int, int], None] = lambda step, steps: None
) -> Looks:
    """The looks that the plan's tables use, learned where they are not known yet."""
    if not any(column.learned for table in plan.tables for column in table.columns):
        return {}
    model = weights_of(plan.settings.model, tools.engine)
    folder = tools.folder / "looks"
    return looks_of(folder, tools.make_engine, plan.settings, tools.learning, model, report)


class Climb:
    """The work on one collage after the other, in one process."""

    def __init__(self, plan: Plan, tools: Tools) -> None:
        self._plan = plan
        self._records = records_of(plan, tools)
        self._judge = tools.load_judge()
        self._clip = Clip(tools.clip) if tools.clip else None
        self._columns = {column.key for table in plan.tables for column in table.columns}
        self._engine = tools.make_engine()
        self._is_warm = False
        self._climber = Climber(
            plan, self._engine, self._judge, self._clip, learned_looks(plan, tools)
        )

    def __call__(self, seed: int) -> None:
        """Run, measure and keep whatever is missing for the collage `seed`."""
        known = self._records.read(seed)
        if self._clip is not None:
            self._add_likeness(seed, known)
        missing = [c for c in self._plan.wanted(seed) if c.key not in known]
        self._warm_up(seed, missing)
        for configuration, picture, scores in self._climber.climb(seed, missing):
            if configuration.key in self._columns:
                self._records.keep_picture(seed, configuration.key, picture)
            self._records.add(seed, configuration.key, scores.as_json())

    def _warm_up(self, seed: int, missing: list[Configuration]) -> None:
        plain = next((c for c in missing if c.runs and not c.learned), None)
        if plain is not None and not self._is_warm:
            warm_up(self._engine, request_of(ladder_scene(seed, plain), plain, self._plan))
            self._is_warm = True

    def _add_likeness(self, seed: int, known: dict[str, dict[str, object]]) -> None:
        """Measure kept pictures again where CLIP has not seen them; forget those without one."""
        for configuration in self._plan.wanted(seed):
            key = configuration.key
            entry = known.get(key)
            if entry is None or entry.get("clip_words") or key not in self._columns:
                continue
            picture = self._records.picture(seed, key)
            if picture is None:
                del known[key]
                continue
            seconds = Scores.from_json(entry).seconds
            scene = ladder_scene(seed, configuration)
            scores = Yardstick.of(scene, collage_of(scene, noise=self._plan.noise)).measure(
                key, picture, self._judge, self._clip, seconds
            )
            self._records.add(seed, key, scores.as_json())


def done(plan: Plan, records: Records, *, with_likeness: bool = False) -> list[int]:
    """The plan's collages for which nothing is left to do."""

    def is_done(seed: int) -> bool:
        known = records.read(seed)
        wanted = {configuration.key for configuration in plan.wanted(seed)}
        if not wanted <= known.keys():
            return False
        columns = {c.key for table in plan.tables for c in table.columns} & wanted
        return not with_likeness or all(known[key].get("clip_words") for key in columns)

    return [seed for seed in plan.seeds if is_done(seed)]


def climbed(plan: Plan, records: Records, *, pictures: int = 0) -> list[Climbed]:
    """What the records hold of the plan's finished collages, with pictures of the first few."""
    runs = list[Climbed]()
    for seed in done(plan, records):
        entries = records.read(seed)
        run = Climbed(seed, scores={key: Scores.from_json(e) for key, e in entries.items()})
        if len(runs) < pictures:
            for key in entries:
                if (picture := records.picture(seed, key)) is not None:
                    run.pictures[key] = picture
        runs.append(run)
    return runs
