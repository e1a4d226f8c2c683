"""Writes a document as a layout of another program; it is read back before it takes its place."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collage_studio.document.model import Document
from collage_studio.formats.atomic import replacing
from collage_studio.formats.errors import FormatError, write_failure
from collage_studio.formats.export import ExportReport
from collage_studio.formats.layouts.dense import write_set
from collage_studio.formats.layouts.noise_collage import PREFIX, write_case
from collage_studio.formats.layouts.reading import read_layout
from collage_studio.formats.layouts.regions import Region, box_of, regions_of
from collage_studio.formats.layouts.rich_context import rich_context_data
from collage_studio.formats.text import file_name


@dataclass(frozen=True, slots=True)
class LayoutFormat:
    """A layout that can be written; `boxes` = it holds boxes, no outlines."""

    name: str
    boxes: bool = False


LAYOUT_FORMATS = {
    "noise-collage": LayoutFormat("NoiseCollage"),
    "dense": LayoutFormat("DenseDiffusion"),
    "rich-context": LayoutFormat("Rich-context", boxes=True),
}


def export_layout(document: Document, out: Path, kind: str, stem: str) -> ExportReport:
    """Write the shown layers with their texts as a layout.

    Args:
        out: a `.json` file for "rich-context", else a folder; a NoiseCollage case becomes a
            folder `testcase_<stem>` in it.
        kind: a key of `LAYOUT_FORMATS`.

    Raises:
        FormatError: the document makes no such layout, or `out` cannot be written; what was
            there before is as it was.
    """
    if kind == "rich-context":
        return _write_json(document, out)
    if kind == "dense":
        return _write_folder(document, out, write_set, kind)
    return _write_folder(document, out / f"{PREFIX}{file_name(stem)}", write_case, kind)


def _write_json(document: Document, out: Path) -> ExportReport:
    if out.suffix.lower() != ".json":
        raise FormatError(f"{out.name} must end in .json, as the layout is one file.")
    data = rich_context_data(document)
    with replacing(out, len(data)) as file:
        file.write(data)
        file.flush()
        _check(document, Path(file.name), "rich-context")
    return ExportReport(out, len(data), True)


def _write_folder(
    document: Document, out: Path, write: Callable[[Document, Path], None], kind: str
) -> ExportReport:
    with _new_folder(out) as folder:
        write(document, folder)
        _check(document, folder, kind)
        files = [one for one in folder.rglob("*") if one.is_file()]
        size = sum(one.stat().st_size for one in files)
    return ExportReport(out, size, True)


@contextlib.contextmanager
def _new_folder(out: Path) -> Generator[Path, None, None]:
    """An empty folder that becomes `out` when the block ends well, else vanishes."""
    temporary: Path | None = None
    made = [one for one in (out.parent, *out.parent.parents) if not one.exists()]
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise FormatError(f"{out.name} is already there. Choose a new folder.")
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".saving-", dir=out.parent))
        yield temporary
        if out.exists():
            out.rmdir()
        temporary.chmod(0o755)
        temporary.rename(out)
        temporary = None
    except OSError as error:
        raise write_failure(out, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        for folder in made:  # only what is still empty, which a failure leaves
            with contextlib.suppress(OSError):
                folder.rmdir()


def _check(document: Document, path: Path, kind: str) -> None:
    """Import what was written and compare places and texts."""
    before, after = regions_of(document), regions_of(read_layout(path).document)
    if not _same(before, after, boxes=LAYOUT_FORMATS[kind].boxes):
        raise FormatError(
            f"The layout could not be written as {LAYOUT_FORMATS[kind].name}: reading it back "
            "gave other regions. Nothing was written; export another layout."
        )


def _same(before: Sequence[Region], after: Sequence[Region], *, boxes: bool) -> bool:
    """Whether both hold the same regions with the same texts, in any order."""
    rest = list(after)
    for one in before:
        found = next((other for other in rest if _equal(one, other, boxes=boxes)), None)
        if found is None:
            return False
        rest.remove(found)
    return not rest


def _equal(one: Region, other: Region, *, boxes: bool) -> bool:
    if _plain(one.text) != _plain(other.text):
        return False
    if boxes:
        return box_of(one.covered) == box_of(other.covered)
    return bool(np.array_equal(one.covered, other.covered))


def _plain(text: str) -> str:
    return " ".join(text.replace(";", "").split())
