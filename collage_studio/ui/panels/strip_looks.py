"""Which tiles the strip has and what it says about a run; plain functions of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from collage_studio.document.model import Document, Variation
from collage_studio.document.quality import best_first, overall
from collage_studio.ui.panels.methods import TAGS
from collage_studio.ui.widgets.tile import TileLook

COLLAGE, ACCEPTED, MORE = "collage", "accepted", "more"


@dataclass(frozen=True, slots=True)
class Pending:
    """A seed without a picture: key "job:seed"; state "waiting", "running" or "failed"."""

    key: str
    seed: int
    state: str


@dataclass(slots=True)
class StripState:
    """What the strip remembers beside the document."""

    run: int = 0
    shown: str = COLLAGE
    folded: bool = False
    streaming: str = ""
    pending: tuple[Pending, ...] = ()
    pending_run: int = 0
    progress: dict[str, float] = field(default_factory=dict[str, float])


def runs_of(document: Document, state: StripState) -> list[int]:
    """Numbers of the runs on the strip, oldest first; a run that has only begun counts."""
    runs = {variation.run for variation in document.variations}
    if state.pending:
        runs.add(state.run)
    if not runs and document.accepted is not None:
        return [document.accepted.run]
    return sorted(runs)


def variations_of(document: Document, run: int) -> list[Variation]:
    """The variations of one run, in order of arrival."""
    return [variation for variation in document.variations if variation.run == run]


def ordered(document: Document, state: StripState) -> list[tuple[int, Variation]]:
    """The variations with their numbers; best first where a finished run was measured."""
    arrived = variations_of(document, state.run)
    numbers = {variation.id: number for number, variation in enumerate(arrived, start=1)}
    shown = arrived if state.pending else best_first(arrived)
    return [(numbers[variation.id], variation) for variation in shown]


def looks(document: Document, state: StripState) -> list[TileLook]:
    """The tiles of the shown run; none where there is nothing to choose from."""
    accepted = document.accepted
    shown_run = variations_of(document, state.run)
    if not shown_run and not state.pending and accepted is None:
        return []
    shown = state.streaming or state.shown
    is_reroll = bool(shown_run and shown_run[0].recipe.layer_ids)
    methods = {variation.recipe.settings.method for variation in shown_run}
    tiles: list[TileLook] = []
    if not (is_reroll and accepted is not None):
        tiles.append(TileLook(COLLAGE, "Collage", "original", shown=shown == COLLAGE))
    if accepted is not None:
        is_shown = shown in {ACCEPTED, accepted.id}
        tiles.append(TileLook(ACCEPTED, "Accepted", shown=is_shown, accepted=True))
    by_quality = ordered(document, state)
    is_ranked = len(by_quality) > 1 and not state.pending and _is_measured(shown_run)
    for place, (number, variation) in enumerate(by_quality):
        note = f"seed {variation.recipe.seed}"
        if len(methods) > 1:
            method = variation.recipe.settings.method
            note = f"{TAGS.get(method, method)} {variation.recipe.seed}"
        if is_ranked and place == 0:
            note = f"best · {variation.recipe.seed}"
        tiles.append(TileLook(variation.id, str(number), note, shown=shown == variation.id))
    for number, item in enumerate(state.pending, start=len(shown_run) + 1):
        progress = state.progress.get(item.key, 0.0)
        tiles.append(
            TileLook(
                item.key,
                str(number),
                f"seed {item.seed}",
                item.state,
                progress,
                shown=shown == item.key,
            )
        )
    if not state.pending and shown_run:
        tiles.append(TileLook(MORE, state="more", title="More seeds"))
    return tiles


def _is_measured(variations: Sequence[Variation]) -> bool:
    return all(overall(variation.recipe) is not None for variation in variations)


def title_of_run(document: Document, state: StripState) -> tuple[str, str, str]:
    """Title, second line and one sentence of what can be done now."""
    there = variations_of(document, state.run)
    done, open_ = len(there), len([p for p in state.pending if p.state != "failed"])
    recipe = there[0].recipe if there else None
    title = "Variations"
    if recipe is not None and recipe.layer_ids:
        layers = [layer for layer in map(document.find, recipe.layer_ids) if layer is not None]
        one = layers[0].name if len(layers) == 1 else f"{len(recipe.layer_ids)} layers"
        title = f"Re-roll of {one}"
    if open_:
        hint = "The first is ready. You can accept it now." if done else "Go on editing meanwhile."
        return title, f"Run {state.run} · {done} of {done + open_}", hint
    if not there:
        return title, f"Run {state.run} · accepted", "Undo brings the run back."
    hint = "Click one to see it. Nothing changes until you accept."
    return title, f"Run {state.run} · {done} of {done}", hint
