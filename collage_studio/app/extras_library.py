"""Control models, LoRAs and reference models that the user added, and what goes with a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from collage_studio.app.settings import PreferencesStore
from collage_studio.document.extras import STARTER_CONTROL, Feature, why_not
from collage_studio.formats.errors import FormatError
from collage_studio.formats.extra_files import ExtraKind, inspect_extra
from collage_studio.resources_dir import resources_path

FAMILY_KEYS = {
    "Starter": "stable_diffusion",
    "Stable Diffusion 1": "stable_diffusion",
    "Stable Diffusion 2": "stable_diffusion",
    "SDXL": "sdxl",
    "Stable Diffusion 3": "sd3",
    "FLUX.1": "flux",
}
"""Families as the model library names them: the engine's own names."""

FEATURES = {
    ExtraKind.CONTROL: Feature.CONTROL,
    ExtraKind.LORA: Feature.LORA,
    ExtraKind.REFERENCE: Feature.REFERENCE,
}
_PREFERENCE = {
    ExtraKind.CONTROL: "control_models",
    ExtraKind.LORA: "loras",
    ExtraKind.REFERENCE: "reference_models",
}


@dataclass(frozen=True, slots=True)
class ExtraInfo:
    """One file of the library.

    Args:
        path: absolute, or `STARTER_CONTROL` for the bundled control model.
        family: as the model library names it; empty if the file does not tell.
        note: why it cannot be used; empty if it can.
    """

    path: str
    name: str
    family: str = ""
    note: str = ""

    def fits(self, model_family: str) -> bool:
        """Whether it goes with models of this family; unknown ones get the benefit of doubt."""
        return not self.note and self.family in ("", model_family)


class ExtrasLibrary:
    """Knows the files; what was added is remembered in the preferences."""

    def __init__(self, store: PreferencesStore) -> None:
        self._store = store
        self._known: dict[tuple[str, ExtraKind], ExtraInfo] = {}

    def files(self, kind: ExtraKind) -> tuple[ExtraInfo, ...]:
        """The bundled one if there is one, then what was added, in that order."""
        paths: tuple[str, ...] = getattr(self._store.current, _PREFERENCE[kind])
        bundled = (STARTER_CONTROL,) if kind is ExtraKind.CONTROL else ()
        return tuple(self.find(path, kind) for path in (*bundled, *paths))

    def find(self, path: str, kind: ExtraKind) -> ExtraInfo:
        """What is known of a file, also of one that nobody added."""
        key = path, kind
        if key not in self._known:
            is_bundled = key == (STARTER_CONTROL, ExtraKind.CONTROL)
            self._known[key] = _bundled() if is_bundled else _info(Path(path), kind)
        return self._known[key]

    def add(self, path: Path, kind: ExtraKind) -> ExtraInfo:
        """Remember a file or folder.

        Raises:
            FormatError: it is gone, a pickle, damaged or something else.
        """
        path = path.absolute()
        inspect_extra(path, kind)
        self._known.pop((str(path), kind), None)
        name = _PREFERENCE[kind]
        kept = [text for text in getattr(self._store.current, name) if text != str(path)]
        self._store.update(**{name: (*kept, str(path))})
        return self.find(str(path), kind)

    def fitting(self, kind: ExtraKind, model_family: str) -> tuple[ExtraInfo, ...]:
        """Those that go with models of this family."""
        return tuple(info for info in self.files(kind) if info.fits(model_family))


def reason_against(kind: ExtraKind, model_family: str) -> str:
    """Why no such file can go with models of this family; empty if some can."""
    return why_not(FAMILY_KEYS.get(model_family, ""), FEATURES[kind])


def _bundled() -> ExtraInfo:
    """The control model that comes with the starter."""
    found = _info(resources_path("starter", "control"), ExtraKind.CONTROL)
    return replace(found, path=STARTER_CONTROL, name="Starter's edges", family="Starter")


def _info(path: Path, kind: ExtraKind) -> ExtraInfo:
    name = path.name if path.is_dir() else path.stem
    try:
        found = inspect_extra(path, kind)
    except FormatError as error:
        return ExtraInfo(str(path), name, note=str(error))
    return ExtraInfo(str(path), name, found.family)
