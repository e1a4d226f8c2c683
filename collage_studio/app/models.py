"""The model library: the bundled Starter and what the user added."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from collage_studio.app.checkpoints import ModelRefused, inspect
from collage_studio.app.settings import PreferencesStore
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import EngineError
from collage_studio.formats.errors import size_text
from collage_studio.resources_dir import resources_path

STARTER = "starter"
_HUB_NAME = re.compile(r"\w[\w.-]*/[\w.-]+")

CHECKPOINT_GUIDANCE = 7.5
"""What Stable Diffusion checkpoints are usually run with."""

FAMILY_GUIDANCE = {"SDXL": 5.0, "Stable Diffusion 3": 5.0, "FLUX.1": 3.5}
"""What checkpoints of other families are usually run with; FLUX.1 takes it as an input."""


def usual_guidance(model: str) -> float:
    """The guidance a model is run with unless the person chose another."""
    if model == STARTER:
        return RunSettings().guidance
    return FAMILY_GUIDANCE.get(_family(_place(model)), CHECKPOINT_GUIDANCE)


def _place(model: str) -> str:
    """Where a model lies; a hub id that was not fetched stays itself."""
    if not is_hub_name(model):
        return model
    from collage_studio.engine.loading.hub import cached_folder

    try:
        return str(cached_folder(model))
    except EngineError:
        return model


@lru_cache(maxsize=64)
def _family(model: str) -> str:
    """The family of a model on disk; "" if it cannot be told."""
    path = Path(model)
    if not path.exists():
        return ""
    try:
        return inspect(path).family
    except ModelRefused:
        return ""


def with_model(settings: RunSettings, model: str) -> RunSettings:
    """The settings for another model; a guidance chosen by hand is kept."""
    chosen = settings.guidance != usual_guidance(settings.model)
    guidance = settings.guidance if chosen else usual_guidance(model)
    return replace(settings, model=model, guidance=guidance)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One line of the library.

    Args:
        id: what `RunSettings.model` says: "starter", an absolute path or a hub id.
        note: what it can draw, or why it cannot be used.
        is_available: whether a run with it can start.
        is_remote: it can be fetched from the hub.
    """

    id: str
    name: str
    family: str
    bytes: int = 0
    note: str = ""
    is_available: bool = True
    is_remote: bool = False

    @property
    def size(self) -> str:
        return size_text(self.bytes) if self.bytes else ""


class ModelLibrary:
    """Knows the models; what was added is remembered in the preferences."""

    def __init__(self, store: PreferencesStore) -> None:
        self._store = store

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The Starter, then the user's own in the order they were added."""
        added = (self.find(text) for text in self._store.current.models)
        return (starter_info(), *added)

    def find(self, model_id: str) -> ModelInfo:
        """The line for `model_id`; a path nobody added is inspected too."""
        if model_id == STARTER:
            return starter_info()
        if is_hub_name(model_id):
            return _hub_info(model_id)
        return _info(Path(model_id))

    def add(self, path: Path) -> ModelInfo:
        """Remember a folder or .safetensors file.

        Raises:
            ModelRefused: it is a pickle, damaged, no model or of a family that cannot run yet.
        """
        path = path.absolute()
        checkpoint = inspect(path)
        if not checkpoint.is_runnable:
            raise ModelRefused(checkpoint.why_not)
        kept = [text for text in self._store.current.models if text != str(path)]
        self._store.update(models=(*kept, str(path)))
        return _info(path)

    def has_agreed(self, name: str) -> bool:
        """Whether the person has allowed this hub id to be fetched."""
        return name in self._store.current.hub_agreed

    def agree(self, name: str) -> ModelInfo:
        """Remember that a hub id may be fetched, and list it."""
        now = self._store.current
        models = tuple(dict.fromkeys((*now.models, name)))
        agreed = tuple(dict.fromkeys((*now.hub_agreed, name)))
        self._store.update(models=models, hub_agreed=agreed)
        return self.find(name)

    def remove(self, model_id: str) -> None:
        """Forget a model; its files stay."""
        kept = tuple(text for text in self._store.current.models if text != model_id)
        self._store.update(models=kept)


def is_hub_name(model_id: str) -> bool:
    """Whether a model is named by a hub id, "owner/name", rather than by a path."""
    return _HUB_NAME.fullmatch(model_id) is not None and not Path(model_id).exists()


def _hub_info(name: str) -> ModelInfo:
    # The hub's library takes a while to import, and few ask for it.
    from collage_studio.engine.loading.hub import cached_folder, host

    try:
        folder = cached_folder(name)
    except EngineError:
        note = f"Not on this computer yet; {host()} has it."
        return ModelInfo(name, name, "", note=note, is_available=False, is_remote=True)
    return replace(_info(folder), id=name, name=name)


def starter_info() -> ModelInfo:
    """The bundled model's line."""
    folder = resources_path("starter", "model")
    try:
        size = inspect(folder).bytes
    except ModelRefused:
        note = "The Starter is not installed. Add a model of your own."
        return ModelInfo(STARTER, "Starter", "Starter", note=note, is_available=False)
    return ModelInfo(STARTER, "Starter", "Starter", size, _starter_note())


def starter_objects() -> tuple[str, ...]:
    """What the bundled model has learned to draw, by name."""
    stickers = resources_path("starter", "stickers").glob("*.png")
    return tuple(sorted(path.stem.replace("_", " ") for path in stickers))


def _starter_note() -> str:
    """What to expect of it, plainly."""
    known = ", ".join(starter_objects())
    draws = f"Small and quick; it has only ever seen these stickers: {known}. " if known else ""
    return f"{draws}Add a model of your own for everything else."


def _info(path: Path) -> ModelInfo:
    name = path.name if path.is_dir() else path.stem
    try:
        checkpoint = inspect(path)
    except ModelRefused as error:
        return ModelInfo(str(path), name, "Unknown", note=str(error), is_available=False)
    return ModelInfo(
        str(path),
        name,
        checkpoint.family,
        checkpoint.bytes,
        checkpoint.why_not,
        checkpoint.is_runnable,
    )
