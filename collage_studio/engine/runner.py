"""The engine's door: one request in, a stream of events out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from collage_studio import __version__
from collage_studio.document.geometry import Rect
from collage_studio.document.noise_map import run_layers
from collage_studio.document.recipe import Recipe
from collage_studio.engine.api import (
    BadRequest,
    Cancelled,
    EngineError,
    Event,
    FetchRequest,
    FillRequest,
    Finished,
    LearnRequest,
    OutOfMemory,
    Picture,
    PictureRequest,
    Previewed,
    Produced,
    Request,
    RerollRequest,
    Started,
    Stepped,
    describe_layers,
)
from collage_studio.engine.cancel import IsCancelled, Stopped, check, stoppable
from collage_studio.engine.extras.shelf import Extras, ExtrasShelf
from collage_studio.engine.families.base import Encoded, Family, ReadText
from collage_studio.engine.filling import fill
from collage_studio.engine.finish import (
    as_floats,
    as_picture,
    change_box,
    finished,
    newness,
    source_detail,
)
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.loading.hub import fetch, is_cached, is_hub_id
from collage_studio.engine.looks.learning import learn
from collage_studio.engine.looks.tensors import learned_words, widths_of
from collage_studio.engine.memory import (
    choose_device,
    explained_memory,
    needed_mb,
    release,
    seeds_at_once,
)
from collage_studio.engine.methods import (
    collage_diffusion,
    dense_diffusion,
    multi_diffusion,
    noise_collage,
    rich_context,
)
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.methods.contract import Method, Setup
from collage_studio.engine.models import load_model
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.preview import LinearPreview
from collage_studio.engine.quality.measuring import Critic, Critics, with_quality
from collage_studio.engine.recent import Recent
from collage_studio.engine.reroll import plan_reroll
from collage_studio.engine.text_plan import LookPlace, own_texts, skipped_warning
from collage_studio.engine.workspace import Floats
from collage_studio.formats.adapter_files import settled

METHODS: dict[str, Method] = {
    "collage_diffusion": collage_diffusion,
    "noise_collage": noise_collage,
    "multi_diffusion": multi_diffusion,
    "dense_diffusion": dense_diffusion,
    "rich_context": rich_context,
}


class Engine:
    """Runs requests one after the other and keeps the last model loaded."""

    def __init__(
        self,
        device: str = "auto",
        *,
        batch: int = 0,
        allow_download: bool = False,
        precision: str = "auto",
    ) -> None:
        """Choose a device ("auto", "cpu", "cuda", "mps") and seeds per batch (0 = by device).

        Args:
            allow_download: a model that is named by a hub id may be fetched.
            precision: "auto", "fp32", "fp16" or "bf16".
        """
        self.device = choose_device(device)
        self._batch = batch or seeds_at_once(self.device)
        self._allow_download = allow_download
        self._precision = precision
        self._models: Recent[str, Family] = Recent(1)
        self._previews: Recent[str, LinearPreview] = Recent(2)
        self._texts: Recent[tuple[str, str], ReadText] = Recent(64)
        self._encoded: Recent[tuple[str, str], Encoded] = Recent(16)
        self._shelf = ExtrasShelf()
        self._critics = Critics()

    def run(self, request: Request, is_cancelled: IsCancelled) -> Iterator[Event]:
        """Yield what happens, ending with `Finished` or `Cancelled`; raise `EngineError`.

        Args:
            is_cancelled: polled between and within steps; the run ends soon after it says True.
        """
        try:
            if isinstance(request, FetchRequest):
                yield from fetch(request.model, is_cancelled)
                yield Finished()
                return
            yield from self._fetched(request.settings.model, is_cancelled)
            if isinstance(request, LearnRequest):
                yield from self._learning(request, is_cancelled)
            elif isinstance(request, FillRequest):
                yield from fill(lambda part: self._events(part, is_cancelled), request)
            else:
                yield from self._events(request, is_cancelled)
        except Stopped:
            yield Cancelled()

    def _fetched(self, model: str, is_cancelled: IsCancelled) -> Iterator[Event]:
        """Fetch a model from the hub if it may and has to be."""
        is_folder = Path(model).expanduser().exists()
        if self._allow_download and is_hub_id(model) and not is_folder and not is_cached(model):
            yield from fetch(model, is_cancelled)

    def _learning(self, request: LearnRequest, is_cancelled: IsCancelled) -> Iterator[Event]:
        check(is_cancelled)
        with explained_memory(self.device, 0):
            family = self.family(request.settings.model)
        estimate = needed_mb(family.weight_bytes, family.native_px**2, 2 * len(request.layer_ids))
        with explained_memory(self.device, estimate):
            yield from learn(family, request, is_cancelled)

    @torch.inference_mode()
    def _events(self, request: PictureRequest, is_cancelled: IsCancelled) -> Iterator[Event]:
        request = _checked(request)
        check(is_cancelled)
        with explained_memory(self.device, 0):
            family = self.family(request.settings.model)
        plan = _plan(request, family)
        with self._shelf.attached(family, plan) as extras:
            yield from self._planned(request, family, plan, extras, is_cancelled)

    def _planned(
        self,
        request: PictureRequest,
        family: Family,
        plan: RunPlan,
        extras: Extras,
        is_cancelled: IsCancelled,
    ) -> Iterator[Event]:
        estimate = self._estimate_mb(family, plan, 1)
        with (
            explained_memory(self.device, estimate),
            stoppable(family.watched_modules(), is_cancelled),
        ):
            materials = self._materials(family, plan, extras)
            preview = self._preview(family, plan)
            detail = _detail(family, plan, materials)
        method = METHODS[plan.settings.method]
        setup = method.prepare(family, plan, materials)
        critic, why_not = self._critics.of(request.document, request.settings)
        warnings = [
            *method.warnings(plan),
            plan.text.left_out,
            *extras.warnings,
            why_not,
            *(skipped_warning(text.skipped, family.text_limit) for text in materials.all_texts),
        ]
        told = tuple(dict.fromkeys(warning for warning in warnings if warning))
        yield Started(request.seeds, setup.steps, told)
        run = _Run(self.device, request, family, plan, setup, preview, detail, critic, is_cancelled)
        for start in range(0, len(request.seeds), self._batch):
            yield from run.batch(request.seeds[start : start + self._batch])
        yield Finished()

    def family(self, model: str) -> Family:
        """The loaded model; another one is let go first."""

        def load() -> Family:
            for cache in (self._models, self._previews, self._texts, self._encoded, self._shelf):
                cache.clear()
            release(self.device)
            # Weights that are made in inference mode could never take part in learning.
            with torch.inference_mode(False):
                return load_model(model, self.device, precision=self._precision)

        return self._models.get(model, load)

    def _estimate_mb(self, family: Family, plan: RunPlan, seeds: int) -> int:
        pixels = plan.workspace.pixels
        return needed_mb(family.weight_bytes, pixels.width * pixels.height, seeds)

    def _materials(self, family: Family, plan: RunPlan, extras: Extras) -> Materials:
        def read(text: str, places: tuple[LookPlace, ...] = ()) -> ReadText:
            looks = "".join(place.look.key for place in places)
            key = (plan.settings.model, f"{extras.text_key}{looks}{text}")
            words = learned_words(places, family.device)
            return self._texts.get(key, lambda: family.read_text(text, words))

        picture = _window_tensor(plan, plan.start)
        key = (plan.settings.model, _content_key(picture))
        encoded = self._encoded.get(key, lambda: family.encode(picture))
        caption, avoid = read(plan.text.caption, plan.text.looks), read(plan.settings.avoid)
        asked = METHODS[plan.settings.method].texts(plan)
        texts = {text: caption if text == plan.text.caption else read(text) for text in asked}
        own = own_texts(plan.document, asked, widths_of(family))
        learned = {layer_id: read(told, (place,)) for layer_id, (told, place) in own.items()}
        return Materials(caption, avoid, encoded, extras.told(avoid), texts, learned)

    def _preview(self, family: Family, plan: RunPlan) -> LinearPreview:
        return self._previews.get(
            plan.settings.model,
            lambda: LinearPreview(family, _window_tensor(plan, plan.start)),
        )


class _Run:
    """One request on its way: what all its batches share."""

    def __init__(
        self,
        device: torch.device,
        request: PictureRequest,
        family: Family,
        plan: RunPlan,
        setup: Setup,
        preview: LinearPreview,
        detail: Floats | None,
        critic: Critic | None,
        is_cancelled: IsCancelled,
    ) -> None:
        self._device = device
        self._request = request
        self._family = family
        self._plan = plan
        self._setup = setup
        self._preview = preview
        self._detail = detail
        self._critic = critic
        self._is_cancelled = is_cancelled
        space = plan.workspace
        rows, columns = space.pixels.slices
        self._base = space.shrink(as_floats(plan.base))[rows, columns]
        self._share = newness(space.shrink(plan.noise))[rows, columns]
        self._is_whole = space.window == Rect.of_size(space.grid)

    def batch(self, seeds: tuple[int, ...]) -> Iterator[Event]:
        """Denoise `seeds` together; in halves where memory is short."""
        pixels = self._plan.workspace.pixels
        estimate = needed_mb(self._family.weight_bytes, pixels.width * pixels.height, len(seeds))
        try:
            with explained_memory(self._device, estimate):
                yield from self._batch(seeds)
        except OutOfMemory:
            if len(seeds) == 1:
                raise
        else:
            return
        release(self._device)
        middle = len(seeds) // 2
        yield from self.batch(seeds[:middle])
        yield from self.batch(seeds[middle:])

    def _batch(self, seeds: tuple[int, ...]) -> Iterator[Event]:
        method = METHODS[self._plan.settings.method]
        latent: Tensor | None = None
        for step in method.sample(self._family, self._plan, self._setup, seeds, self._is_cancelled):
            latent = step.x
            yield Stepped(seeds, step.number, step.total)
            for seed, x0 in zip(seeds, step.x0.split(1), strict=True):
                yield Previewed(seed, step.number, self._preview_picture(x0), self._preview_box())
        for index, seed in enumerate(seeds):
            latent_of = None if latent is None else latent[index : index + 1]
            picture = self._plan.start if latent_of is None else self._finish(latent_of)
            recipe = self._recipe(seed, picture)
            yield Produced(seed, picture, recipe, change_box(self._plan.noise))

    def _finish(self, latent: Tensor) -> Picture:
        with stoppable(self._family.watched_modules(), self._is_cancelled):
            decoded = self._family.decode(latent)
        if not bool(torch.isfinite(decoded).all()):
            raise EngineError(
                "The model's numbers overflowed and left no picture. Try another sampler or model."
            )
        return finished(self._plan, _unit_floats(decoded), self._detail)

    def _preview_picture(self, x0: Tensor) -> Picture:
        estimate = np.clip(_unit_floats(self._preview.picture(x0)), 0.0, 1.0)
        mixed = estimate * self._share + self._base * (1.0 - self._share)
        if self._is_whole:
            mixed = mixed[: self._plan.workspace.work.height, : self._plan.workspace.work.width]
        return as_picture(mixed)

    def _preview_box(self) -> Rect | None:
        return None if self._is_whole else self._plan.workspace.canvas_box

    def _recipe(self, seed: int, picture: Picture) -> Recipe:
        request, layers = self._request, describe_layers(self._request.document)
        if self._critic is not None:
            layers = with_quality(layers, self._critic.measure(picture))
        recipe = Recipe(
            kind="harmonise",
            seed=seed,
            settings=settled(request.settings),
            caption=self._plan.text.written,
            layers=layers,
            app_version=__version__,
        )
        if not isinstance(request, RerollRequest):
            return recipe
        return replace(
            recipe,
            kind="mix" if request.taken else "reroll",
            layer_ids=request.layer_ids,
            start=request.start,
            also=request.also.key if request.also else "",
            taken=request.taken,
        )


def _checked(request: PictureRequest) -> PictureRequest:
    """The request, or the re-roll that the document's marks make of it."""
    if not request.seeds:
        raise BadRequest("A run needs at least one seed.")
    if request.settings.method not in METHODS:
        raise BadRequest(
            f"There is no method {request.settings.method!r}; use one of {', '.join(METHODS)}."
        )
    marked = () if isinstance(request, RerollRequest) else run_layers(request.document)
    if marked:
        return RerollRequest(request.document, marked, request.seeds, request.settings)
    return request


def _plan(request: PictureRequest, family: Family) -> RunPlan:
    if isinstance(request, RerollRequest):
        return plan_reroll(request, family)
    return plan_harmonise(request.document, request.settings, family)


def _detail(family: Family, plan: RunPlan, materials: Materials) -> Floats | None:
    """None where the model works at canvas size, so that a plain run is plain img2img."""
    if not plan.workspace.is_scaled or plan.settings.detail == 0:
        return None
    return source_detail(plan, np.clip(_unit_floats(family.decode(materials.start.mean)), 0, 1))


def _window_tensor(plan: RunPlan, picture: Picture) -> Tensor:
    """(1, 3, h, w) in [-1, 1]: the window of a canvas-size picture."""
    space = plan.workspace
    pixels = space.shrink(as_floats(picture))[space.pixels.slices]
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None] * 2.0 - 1.0


def _unit_floats(pictures: Tensor) -> Floats:
    """(1, 3, h, w) in [-1, 1] to (h, w, 3) in [0, 1]."""
    return (pictures[0].float() / 2.0 + 0.5).permute(1, 2, 0).cpu().numpy()


def _content_key(values: Tensor) -> str:
    array = values.numpy()
    return hashlib.sha256(f"{array.shape}".encode() + array.tobytes()).hexdigest()
