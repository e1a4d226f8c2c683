"""Finds out which layout format a file or folder is in, by what it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from collage_studio.formats.errors import FormatError, read_failure
from collage_studio.formats.layouts.collage_diffusion_ui import (
    collage_diffusion_cases,
    is_collage_diffusion,
)
from collage_studio.formats.layouts.dense import PICKLES, dense_cases, is_dense
from collage_studio.formats.layouts.multi_diffusion import (
    PROMPTS,
    is_multi_diffusion,
    multi_diffusion_cases,
)
from collage_studio.formats.layouts.noise_collage import PREFIX, case_around, noise_collage_cases
from collage_studio.formats.layouts.panoptic import is_panoptic, panoptic_cases
from collage_studio.formats.layouts.regions import Layout
from collage_studio.formats.layouts.rich_context import is_rich_context, rich_context_cases
from collage_studio.formats.layouts.sources import read_json
from collage_studio.formats.opened import Opened

_JSON_FORMATS: tuple[tuple[Callable[[object], bool], Callable[[Path], tuple[Layout, ...]]], ...] = (
    (is_multi_diffusion, multi_diffusion_cases),
    (is_rich_context, rich_context_cases),
    (is_panoptic, panoptic_cases),
    (is_collage_diffusion, collage_diffusion_cases),
    (is_dense, dense_cases),
)
_KNOWN = (
    "NoiseCollage cases, DenseDiffusion sets, MultiDiffusion masks, rich-context JSON, Collage "
    "Diffusion JSON and panoptic masks"
)


def layouts_in(path: Path) -> tuple[Layout, ...]:
    """Every layout that a file or folder holds; nothing but its list is read yet.

    A mask's PNG stands for the case of that name in a set beside it, a file of a NoiseCollage
    region for the whole case.

    Raises:
        FormatError: there is none, or the list itself is damaged.
    """
    try:
        found = _in_folder(path) if path.is_dir() else _in_file(path)
    except OSError as error:
        raise read_failure(path, error) from error
    if not found:
        raise FormatError(f"{path.name} holds no layout. {_KNOWN} can be imported.")
    return found


def read_layout(path: Path, case: str = "") -> Opened:
    """One layout of a file or folder.

    Args:
        case: which, where it holds several.

    Raises:
        FormatError: there is no such layout, several to choose from, or it is damaged.
    """
    found = layouts_in(path)
    chosen = [one for one in found if one.name == case] if case else list(found)
    if len(chosen) == 1:
        try:
            return chosen[0].read()
        except OSError as error:
            raise read_failure(path, error) from error
    some = ", ".join(one.name for one in found[:5]) + (", …" if len(found) > 5 else "")
    if case:
        raise FormatError(f"{path.name} has no single case {case}. It has {some}.")
    raise FormatError(f"{path.name} holds {len(found)} layouts ({some}). Choose one of them.")


def layout_title(path: Path) -> str:
    """What the document of a layout is called: its case, its folder or its file."""
    case = case_around(path.parent)
    if case is not None:
        return case.name.removeprefix(PREFIX)
    return path.parent.name if path.name == PROMPTS else path.stem


def _in_folder(folder: Path) -> tuple[Layout, ...]:
    cases = noise_collage_cases(folder)
    if cases:
        return cases
    files = sorted(one for one in folder.iterdir() if one.is_file())
    if any(one.name == PROMPTS for one in files):
        return multi_diffusion_cases(folder / PROMPTS)
    sets = [one for one in files if one.suffix.lower() in PICKLES]
    sets += [one for one in files if one.suffix.lower() == ".json" and _json_cases(one)]
    if len(sets) > 1:
        names = ", ".join(one.name for one in sets[:5])
        raise FormatError(f"{folder.name} holds several layout files ({names}). Choose one file.")
    return _in_file(sets[0]) if sets else ()


def _in_file(path: Path) -> tuple[Layout, ...]:
    suffix = path.suffix.lower()
    if path.name == PROMPTS:
        return multi_diffusion_cases(path)
    if path.is_file() and case_around(path.parent):
        return noise_collage_cases(path.parent)
    if suffix in PICKLES:
        return dense_cases(path)
    if suffix == ".json":
        read_cases = _json_cases(path)
        return read_cases(path) if read_cases else ()
    if suffix == ".png":
        return _around_picture(path)
    path.stat()
    return ()


def _json_cases(path: Path) -> Callable[[Path], tuple[Layout, ...]] | None:
    """The reader for what a JSON file holds; None if it is no layout."""
    data: Any = read_json(path)
    return next((cases for fits, cases in _JSON_FORMATS if fits(data)), None)


def _around_picture(path: Path) -> tuple[Layout, ...]:
    """The case of a mask's name in a set beside it or one folder further out."""
    path.stat()
    trouble: FormatError | None = None
    for one in (*sorted(path.parent.iterdir()), *sorted(path.parent.parent.iterdir())):
        if not one.is_file() or one.suffix.lower() not in (".json", *PICKLES):
            continue
        try:
            found = tuple(case for case in _in_file(one) if case.name == path.stem)
        except FormatError as error:  # it may belong to something else
            trouble = trouble or error
            continue
        if found:
            return found
    if trouble is not None:
        raise trouble
    return ()
