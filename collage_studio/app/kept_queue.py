"""The queue over a restart: jobs that are not over lie beside the session's recovery copy.

Each job is an archive of its own like a .collage: the document as its run captured it, without the
bitmaps that the recovery copy holds as well, and the request. One that cannot be read whole is
left out.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from collage_studio.document.model import Document, Mask, Raster
from collage_studio.document.recipe import Recipe
from collage_studio.engine.api import (
    FetchRequest,
    FillRequest,
    HarmoniseRequest,
    LearnRequest,
    LearnSettings,
    PictureRequest,
    RerollRequest,
)
from collage_studio.formats.atomic import replacing
from collage_studio.formats.collage_file import bitmaps_of, read_archive, write_without
from collage_studio.formats.collage_json import recipe_data
from collage_studio.formats.collage_reading import Asset, read_recipe_data
from collage_studio.formats.errors import FormatError
from collage_studio.formats.fields import BadData, Fields
from collage_studio.formats.pixels_png import decode_png, encode_png
from collage_studio.formats.stored_zip import Archive
from collage_studio.jobs.board import JobBoard

_REQUEST, _ALSO = "request.json", "also.png"
_MOST_BYTES = 1_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptJob:
    """A job that is not over.

    Args:
        request: of a picture, for the seeds that it still owes.
        run: the number its variations get.
    """

    title: str
    request: PictureRequest | LearnRequest | FillRequest
    run: int


def unfinished(board: JobBoard, run_of: Callable[[str], int]) -> tuple[KeptJob, ...]:
    """What runs and what waits, in this order; downloads belong to no document and are left out.

    Args:
        run_of: the number that a job's variations get, by the job's id.
    """
    kept = list[KeptJob]()
    for job in (board.running, *board.waiting):
        if job is None or isinstance(job.request, FetchRequest):
            continue
        request = job.request
        if isinstance(request, PictureRequest):
            owed = tuple(seed for seed in request.seeds if seed not in job.seeds_done)
            request = replace(request, seeds=owed) if owed else request
        kept.append(KeptJob(job.title, request, run_of(job.id)))
    return tuple(kept)


def same_jobs(one: Sequence[KeptJob], other: Sequence[KeptJob]) -> bool:
    """Whether there is nothing to write anew; documents are compared by identity."""
    return len(one) == len(other) and all(
        a.request.document is b.request.document
        and (a.title, a.run, a.request.seeds) == (b.title, b.run, b.request.seeds)
        for a, b in zip(one, other, strict=True)
    )


def write_jobs(jobs: Sequence[KeptJob], document: Document, folder: Path, key: str) -> None:
    """Write the jobs of session `key`, and nothing else of it, into `folder`.

    Args:
        document: that of the recovery copy; its bitmaps are not stored again.

    Raises:
        FormatError: one could not be written.
    """
    there = {n for n, b in bitmaps_of(document).items() if isinstance(b, Raster | Mask)}
    written = set[Path]()
    for number, job in enumerate(jobs):
        path = folder / f"{key}.{number:03}.run"
        packed = io.BytesIO()
        write_without(job.request.document, there, _members(job), packed)
        with replacing(path, packed.tell()) as file:
            file.write(packed.getbuffer())
        written.add(path)
    for path in set(_files(folder, key)) - written:
        path.unlink(missing_ok=True)


def read_jobs(document: Document, folder: Path, key: str) -> tuple[KeptJob, ...]:
    """The jobs of session `key` in their order, as far as they can be read whole.

    Args:
        document: that of the recovery copy.
    """
    held = bitmaps_of(document)

    def known(asset: Asset) -> Raster | Mask | None:
        found = held.get(asset.member)
        return found if isinstance(found, Raster | Mask) else None

    kept = list[KeptJob]()
    for path in _files(folder, key):
        try:
            kept.append(_read(path, known))
        except (FormatError, BadData, ValueError, RecursionError) as error:
            _log.warning("A waiting run was dropped, %s: %s", path.name, error)
    return tuple(kept)


def remove_jobs(folder: Path, key: str) -> None:
    """Remove what was kept for session `key`."""
    for path in _files(folder, key):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _files(folder: Path, key: str) -> list[Path]:
    return sorted(folder.glob(f"{key}.*.run"))


def _members(job: KeptJob) -> Iterator[tuple[str, bytes]]:
    request = job.request
    yield _REQUEST, json.dumps(_data(job)).encode()
    if isinstance(request, RerollRequest) and request.also is not None:
        yield _ALSO, encode_png(request.also.values)


def _data(job: KeptJob) -> dict[str, Any]:
    """The request without its document, with the words of a recipe where a recipe has them."""
    request = job.request
    recipe = Recipe("", 0, request.settings, "")
    more = dict[str, Any]()
    match request:
        case HarmoniseRequest():
            recipe = replace(recipe, kind="harmonise")
        case RerollRequest():
            recipe = replace(recipe, kind="reroll", start=request.start, taken=request.taken)
        case LearnRequest():
            recipe = replace(recipe, kind="learn")
            more = {"learning": asdict(request.learning), "goes_on": request.goes_on}
        case FillRequest():
            recipe = replace(recipe, kind="fill", seed=request.seed)
    if not isinstance(request, HarmoniseRequest):
        recipe = replace(recipe, layer_ids=request.layer_ids)
    told = {"title": job.title, "run": job.run, "seeds": list(request.seeds)}
    return {**told, **more, "recipe": recipe_data(recipe)}


def _read(path: Path, known: Callable[[Asset], Raster | Mask | None]) -> KeptJob:
    """One job.

    Raises:
        FormatError, BadData, ValueError: it is damaged, or pictures of its document are gone.
    """
    with Archive(path) as archive:
        opened = read_archive(archive, known)
        if opened.read_only:
            raise FormatError("its document is not whole.")
        said = Fields(json.loads(archive.read(_REQUEST, _MOST_BYTES)), "the request", [])
        also = Mask(decode_png(archive.read(_ALSO))) if _ALSO in archive.members else None
    request = _request(opened.document, said, also)
    return KeptJob(said.text("title"), request, said.whole("run", 1, 1))


def _request(
    document: Document, said: Fields, also: Mask | None
) -> PictureRequest | LearnRequest | FillRequest:
    inner = said.inner("recipe", "the recipe")
    if inner is None:
        raise BadData("the request has no recipe")
    recipe = read_recipe_data(inner)
    ids, settings = recipe.layer_ids, recipe.settings
    seeds = tuple(seed for seed in said.items("seeds") if type(seed) is int)
    match recipe.kind:
        case "harmonise" if seeds:
            return HarmoniseRequest(document, seeds, settings)
        case "reroll" if seeds:
            if also is not None and also.size != document.size:
                raise BadData("the mask of the request has another size than its document")
            return RerollRequest(document, ids, seeds, settings, recipe.start, also, recipe.taken)
        case "learn":
            return LearnRequest(
                document, ids, settings, _learning(said), said.flag("goes_on", False)
            )
        case "fill":
            return FillRequest(document, ids, recipe.seed, settings)
        case _:
            raise BadData("the request is of no known kind")


def _learning(said: Fields) -> LearnSettings:
    plain, inner = LearnSettings(), said.inner("learning")
    if inner is None:
        return plain
    return LearnSettings(
        vectors=inner.whole("vectors", plain.vectors),
        steps=inner.whole("steps", plain.steps),
        rate=inner.number("rate", plain.rate),
        begins_with_text=inner.flag("begins_with_text", plain.begins_with_text),
        seed=inner.whole("seed", plain.seed),
    )
