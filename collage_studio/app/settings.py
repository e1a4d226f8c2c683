"""Preferences of the program, kept as JSON in the platform's configuration folder."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from collage_studio.document.announcer import Announcer

_HOME_VARIABLE = "COLLAGE_STUDIO_HOME"
_THEMES = ("dark", "light", "system")
_SEED_MODES = ("new", "fixed")
_PRECISIONS = ("auto", "fp32", "fp16", "bf16")


def config_dir() -> Path:
    """Where preferences and recovered work live; the folder need not exist yet.

    COLLAGE_STUDIO_HOME overrides the platform's own place.
    """
    own = os.environ.get(_HOME_VARIABLE)
    if own:
        return Path(own)
    if sys.platform == "win32":
        roaming = os.environ.get("APPDATA")
        return (Path(roaming) if roaming else Path.home()) / "Collage Studio"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Collage Studio"
    xdg = os.environ.get("XDG_CONFIG_HOME")
    return (Path(xdg) if xdg else Path.home() / ".config") / "collage-studio"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the program remembers between sessions.

    Args:
        variations: seeds tried in one run, 1..16.
        seeds: "new" draws seeds for each run, "fixed" starts at `first_seed` every time.
        recent: absolute paths, newest first.
        folders: last folder by purpose: "open", "save", "export", "add".
        precision: of networks: "auto", "fp32", "fp16" or "bf16".
        models: paths or hub ids of models the user added.
        hub_agreed: hub ids that the user agreed to download.
        control_models, loras, reference_models: paths of further files the user added.
        identity_model: folder or .onnx file of the image encoder that measures how much of what
            layers are a run has kept; empty = none chosen.
        segmenter: the encoder's and the decoder's file of Pick by clicks; empty = none chosen.
        hints_seen: keys of one-time hints that were used or closed.
        window: geometry and folds, opaque to all but the window.
    """

    variations: int = 4
    seeds: str = "new"
    first_seed: int = 1
    theme: str = "dark"
    device: str = "auto"
    precision: str = "auto"
    snap: bool = True
    layer_bar: bool = True
    autosave_seconds: int = 60
    recent: tuple[str, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict[str, str])
    models: tuple[str, ...] = ()
    hub_agreed: tuple[str, ...] = ()
    control_models: tuple[str, ...] = ()
    loras: tuple[str, ...] = ()
    reference_models: tuple[str, ...] = ()
    segmenter: tuple[str, ...] = ()
    identity_model: str = ""
    hints_seen: tuple[str, ...] = ()
    window: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if not 1 <= self.variations <= 16:
            raise ValueError(f"Variations must lie in 1..16, got {self.variations}.")
        if self.seeds not in _SEED_MODES:
            raise ValueError(f"Seeds are {' or '.join(_SEED_MODES)}, got {self.seeds!r}.")
        if self.theme not in _THEMES:
            raise ValueError(f"The theme is one of {', '.join(_THEMES)}, got {self.theme!r}.")
        if self.precision not in _PRECISIONS:
            raise ValueError(f"Precision is one of {', '.join(_PRECISIONS)}.")
        if not 5 <= self.autosave_seconds <= 3600:
            raise ValueError(f"Autosave takes 5 to 3600 s, got {self.autosave_seconds}.")


class PreferencesStore:
    """The one holder of the current preferences; writes each change to `path` at once."""

    def __init__(self, path: Path | None = None) -> None:
        """Read `path`, by default in `config_dir()`; damage costs only the values it hits."""
        self._path = path or config_dir() / "settings.json"
        self._unknown: dict[str, Any] = {}
        self.current = self._read()
        self.changed: Announcer[Preferences] = Announcer()

    def update(self, **changes: Any) -> Preferences:
        """Replace some values, save, announce; an unwritable folder is no reason to stop."""
        after = replace(self.current, **changes)
        if after != self.current:
            self.current = after
            with contextlib.suppress(OSError):
                self._write()
            self.changed.announce(after)
        return after

    def _read(self) -> Preferences:
        try:
            data: Any = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return Preferences()
        except (OSError, ValueError):
            return self._set_aside()
        if not isinstance(data, dict):
            return self._set_aside()
        return self._from_json(data)

    def _set_aside(self) -> Preferences:
        """Keep the unreadable file beside the new one and begin with defaults."""
        with contextlib.suppress(OSError):
            self._path.replace(self._path.with_suffix(".damaged.json"))
        return Preferences()

    def _from_json(self, data: dict[str, Any]) -> Preferences:
        """Take each value that fits; keys of a newer version are kept for writing."""
        preferences = Preferences()
        known = {item.name for item in fields(Preferences)}
        self._unknown = {key: value for key, value in data.items() if key not in known}
        for name in known & data.keys():
            value = _fitting(getattr(preferences, name), data[name])
            if value is not None:
                with contextlib.suppress(ValueError):
                    preferences = replace(preferences, **{name: value})
        return preferences

    def _write(self) -> None:
        data = self._unknown | {
            item.name: _plain(getattr(self.current, item.name)) for item in fields(Preferences)
        }
        write_text_atomically(self._path, json.dumps(data, indent=1, ensure_ascii=False))


def write_text_atomically(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8, or leave it as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _fitting(default: Any, value: Any) -> Any:
    """`value` in the type of `default`, or None if it does not fit."""
    if isinstance(default, tuple):
        fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return tuple(value) if fits else None
    if isinstance(default, Mapping):
        fits = isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
        return dict(value) if fits else None
    return value if type(value) is type(default) else None
