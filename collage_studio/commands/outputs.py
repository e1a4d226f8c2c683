"""Where variations are written: one file, a file for each seed, or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collage_studio.app.writing_back import for_layered_file
from collage_studio.commands.console import BadUsage, CommandFailed
from collage_studio.document.edits import accept_variation, add_variations
from collage_studio.document.model import Document, Variation
from collage_studio.formats.export import EXPORT_FORMATS, export_document

_COLLAGE = ".collage"


@dataclass(frozen=True, slots=True)
class Written:
    """One output file."""

    path: Path
    seeds: tuple[int, ...]
    bytes: int
    sentence: str


def check_output(out: Path) -> None:
    """Refuse an output that could not be written before a long run begins.

    Raises:
        CommandFailed: with what to change.
    """
    if is_folder(out):
        return
    known = [item.suffix for item in EXPORT_FORMATS]
    if out.suffix.lower() not in known:
        raise BadUsage(f"{out.name} must end in {', '.join(known[:-1])} or {known[-1]}.")
    if not out.absolute().parent.is_dir():
        raise CommandFailed(f"There is no folder {out.absolute().parent}. Make it first.")


def is_folder(out: Path) -> bool:
    """Whether `out` names a folder: one that exists, or a name without an ending."""
    return out.is_dir() or not out.suffix


def targets(out: Path, source: Path, seeds: Sequence[int]) -> dict[Path, tuple[int, ...]]:
    """Which file holds which seeds; a .collage holds all of them as variations."""
    if is_folder(out):
        return {out / f"{source.stem}-seed{seed}.png": (seed,) for seed in seeds}
    if len(seeds) == 1 or out.suffix.lower() == _COLLAGE:
        return {out: tuple(seeds)}
    return {out.with_stem(f"{out.stem}-seed{seed}"): (seed,) for seed in seeds}


def write_variations(
    document: Document, variations: Sequence[Variation], out: Path, source: Path
) -> list[Written]:
    """Write what a run made. In a file of one seed that variation is accepted.

    Raises:
        FormatError: a file could not be written.
    """
    if is_folder(out):
        out.mkdir(parents=True, exist_ok=True)
    by_seed = {variation.recipe.seed: variation for variation in variations}
    written = list[Written]()
    for path, seeds in targets(out, source, tuple(by_seed)).items():
        chosen = add_variations(document, [by_seed[seed] for seed in seeds])
        if len(seeds) == 1:
            chosen = accept_variation(chosen, by_seed[seeds[0]].id)
        report = export_document(for_layered_file(chosen, path), path)
        written.append(Written(path, seeds, report.bytes, report.sentence))
    return written
