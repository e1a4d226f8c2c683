"""The ladder: what the engine is asked for on each rung, and the pictures it answers with.

Pasting alone stands below the first rung, the world's own lit rendering above the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Protocol

import numpy as np

from collage_studio.document.compositing import composite_picture
from collage_studio.document.edits import change_layers
from collage_studio.document.extras import RunExtras
from collage_studio.document.looks import Look
from collage_studio.document.model import Document, Layer, Raster, Variation
from collage_studio.document.recipe import Recipe, Start
from collage_studio.document.suggesting import with_suggestions
from collage_studio.engine.api import (
    Event,
    HarmoniseRequest,
    Picture,
    Produced,
    Request,
    RerollRequest,
)
from collage_studio.evaluate.collages import (
    BACKDROP,
    collage_of,
    kept_half,
    object_id,
    scene_of,
    unusual_scene,
    with_noise,
    with_words,
)
from collage_studio.evaluate.configurations import RULES, TRUTH, Configuration
from collage_studio.evaluate.plan import Plan
from collage_studio.evaluate.scores import Likeness, Namer, Scores, Yardstick
from collage_studio.starter.render import render_lit
from collage_studio.starter.world import Scene

Looks = Mapping[int, Look]
"""What was learned of each unusual look, by its number."""


class Runner(Protocol):
    """Performs a request; `collage_studio.engine.runner.Engine` is one."""

    def run(self, request: Request, is_cancelled: Callable[[], bool]) -> Iterator[Event]: ...


def ladder_scene(seed: int, configuration: Configuration) -> Scene:
    """The scene of a collage, with its unusual object where the configuration asks for it."""
    return unusual_scene(seed) if configuration.unusual else scene_of(seed)


def document_of(
    scene: Scene, configuration: Configuration, plan: Plan, looks: Looks | None = None
) -> Document:
    """The collage with the noise, the weights and the looks of a configuration.

    Raises:
        KeyError: a look is wanted that was not learned.
    """
    noise = configuration.noise or plan.noise
    document = with_words(collage_of(scene, noise=noise), plan.words_in, plan.words_out)
    if configuration.rule:
        every = [layer.id for layer in document.layers]
        document = with_suggestions(document, every, RULES[configuration.rule])
    if configuration.kept_noise is not None:
        document = with_noise(document, configuration.kept_noise, kept_half(scene))
    if configuration.learned:
        document = _with_looks(document, scene, looks or {})
    settings = plan.settings
    if not configuration.attention:
        settings = replace(settings, ca_schedule="off")
    if configuration.edges:
        document = _with_control(document, plan.edge)
        settings = replace(settings, extras=RunExtras(control_model=plan.control))
    return replace(document, settings=settings)


def _with_control(document: Document, strength: float) -> Document:
    """The objects are held by their edges; the backdrop is not."""
    objects = [layer.id for layer in document.layers if layer.id != BACKDROP]
    held = change_layers(
        document, objects, lambda one: replace(one, extras=replace(one.extras, control=strength))
    )
    return change_layers(
        held, [BACKDROP], lambda one: replace(one, extras=replace(one.extras, control=0.0))
    )


def _with_looks(document: Document, scene: Scene, looks: Looks) -> Document:
    numbers = {object_id(i): placed.look for i, placed in enumerate(scene.objects) if placed.look}
    return change_layers(
        document, list(numbers), lambda layer: replace(layer, look=looks[numbers[layer.id]])
    )


def request_of(
    scene: Scene, configuration: Configuration, plan: Plan, looks: Looks | None = None
) -> HarmoniseRequest:
    """What the engine is asked for; the seed is the scene's in all configurations."""
    document = document_of(scene, configuration, plan, looks)
    return HarmoniseRequest(document, (scene.seed,), document.settings)


def picture_of(engine: Runner, request: Request) -> Picture:
    """(H, W, 3) of a request for one seed."""
    for event in engine.run(request, lambda: False):
        if isinstance(event, Produced):
            return np.ascontiguousarray(event.picture[..., :3])
    raise RuntimeError("The engine ended without a picture.")


def warm_up(engine: Runner, request: HarmoniseRequest) -> None:
    """Have the engine load what it needs, so that no picture's seconds count it."""
    settings = replace(request.settings, steps=1)
    picture_of(engine, replace(request, settings=settings))


def one_by_one(engine: Runner, request: HarmoniseRequest) -> Picture:
    """The baseline of sequential masked inpainting: (H, W, 3).

    The backdrop stays as it is. Each object, back to front, is pasted into the picture so far and
    painted anew from its cutout inside its own mask, at its own noise, with the whole caption; no
    object sees those that come after it.
    """
    document = request.document
    objects = [layer.id for layer in document.layers if layer.id != BACKDROP]
    picture = composite_picture(_only(document, (BACKDROP,)))
    for count, layer_id in enumerate(objects, 1):
        shown = _only(document, (BACKDROP, *objects[:count]))
        recipe = Recipe("harmonise", request.seeds[0], request.settings, "")
        so_far = Variation("so-far", 1, Raster.from_rgb(picture), recipe)
        picture = picture_of(
            engine,
            RerollRequest(
                replace(shown, accepted=so_far),
                (layer_id,),
                request.seeds,
                request.settings,
                Start.ORIGINAL,
            ),
        )
    return picture


def _only(document: Document, ids: tuple[str, ...]) -> Document:
    """The other layers are hidden; the caption still names them."""

    def shown(layer: Layer) -> Layer:
        return replace(layer, visible=layer.id in ids)

    return document.with_layers(*map(shown, document.layers))


@dataclass(frozen=True, slots=True)
class Climbed:
    """One collage's pictures and scores, by the key of the configuration."""

    seed: int
    pictures: dict[str, Picture] = field(default_factory=dict[str, Picture])
    scores: dict[str, Scores] = field(default_factory=dict[str, Scores])


@dataclass(frozen=True, slots=True)
class Climber:
    """Runs and measures configurations on collages, one collage at a time."""

    plan: Plan
    engine: Runner
    judge: Namer
    likeness: Likeness | None = None
    looks: Looks = field(default_factory=dict[int, Look])

    def climb(
        self, seed: int, configurations: list[Configuration]
    ) -> Iterator[tuple[Configuration, Picture, Scores]]:
        """Yield each configuration's picture and scores as soon as they are there."""

        @cache
        def yardstick(unusual: bool) -> Yardstick:
            scene = unusual_scene(seed) if unusual else scene_of(seed)
            return Yardstick.of(scene, collage_of(scene, noise=self.plan.noise))

        for configuration in configurations:
            started = time.monotonic()
            picture = self._picture(ladder_scene(seed, configuration), configuration)
            seconds = round(time.monotonic() - started, 3)
            scores = yardstick(configuration.unusual).measure(
                configuration.key, picture, self.judge, self.likeness, seconds
            )
            yield configuration, picture, scores

    def _picture(self, scene: Scene, configuration: Configuration) -> Picture:
        if configuration.name == TRUTH:
            return render_lit(scene)
        if not configuration.runs:
            return composite_picture(collage_of(scene, noise=self.plan.noise))
        request = request_of(scene, configuration, self.plan, self.looks)
        if configuration.one_by_one:
            return one_by_one(self.engine, request)
        return picture_of(self.engine, request)
