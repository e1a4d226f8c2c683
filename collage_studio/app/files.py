"""New, open, save, export and the samples: use cases whose failures become notices."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collage_studio.app.adding import Incoming, add_pictures
from collage_studio.app.editor import Editor
from collage_studio.app.notices import Notice
from collage_studio.app.reading import COLLAGE_SUFFIX, read_any
from collage_studio.app.recent import still_there, with_recent
from collage_studio.app.runner import Runner, run_now
from collage_studio.app.settings import PreferencesStore
from collage_studio.document.announcer import Announcer
from collage_studio.document.geometry import Size
from collage_studio.document.model import Document
from collage_studio.formats.collage_file import save_collage
from collage_studio.formats.errors import FormatError
from collage_studio.formats.opened import Opened
from collage_studio.resources_dir import resources_path

if TYPE_CHECKING:
    from collage_studio.formats.export import ExportOptions

NEW_SIZE = Size(1024, 1024)
UNTITLED = "Untitled"
SAVING, EXPORTING = "Saving…", "Exporting…"
_UNKNOWN = "The file could not be written, for an unknown reason. Choose another place."
_UNREADABLE = "The file could not be opened, for an unknown reason. Try another copy of it."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sample:
    """A collage that comes with the program."""

    name: str
    path: Path


def samples() -> tuple[Sample, ...]:
    """The bundled collages by name; empty where they were not installed."""
    folder = resources_path("samples")
    if not folder.is_dir():
        return ()
    return tuple(
        Sample(path.stem.replace("-", " ").replace("_", " ").capitalize(), path)
        for path in sorted(folder.glob(f"*{COLLAGE_SUFFIX}"))
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What work beside the main thread came to: a value, or one sentence why not."""

    value: Any = None
    trouble: str = ""


class Files:
    """Connects the editor with files on disk. Main thread only.

    Writing is given to `runner`, with the document of that moment. What fails is told through
    `notice`; `done` gets whether it worked.
    """

    def __init__(self, editor: Editor, store: PreferencesStore, runner: Runner = run_now) -> None:
        self._editor = editor
        self._store = store
        self._runner = runner
        self._read_only = False
        self._name = ""
        self._life = 0
        self._under_way = list[str]()
        self._coming: Path | None = None
        self._reading = 0
        self.is_reading = False
        self.path: Path | None = None
        self.notice: Announcer[Notice] = Announcer()
        self.path_changed: Announcer[Path | None] = Announcer()
        self.activity: Announcer[str] = Announcer()
        self.reading: Announcer[str] = Announcer()
        """The name of the file that is being read; empty when none is any more."""

    @property
    def title(self) -> str:
        """What the window is called."""
        return self.path.stem if self.path else self._name or UNTITLED

    @property
    def name(self) -> str:
        """What a document without a file is called; empty for a new one."""
        return self._name

    @property
    def needs_path(self) -> bool:
        """Whether saving has to ask for a file first."""
        return self._coming is None and (self.path is None or self._read_only)

    @property
    def doing(self) -> str:
        """What is being written now: SAVING, EXPORTING or nothing."""
        return self._under_way[0] if self._under_way else ""

    @property
    def is_writing(self) -> bool:
        """A save or export has not ended."""
        return bool(self._under_way)

    @property
    def recent(self) -> tuple[Path, ...]:
        return still_there(self._store.current.recent)

    def folder(self, purpose: str) -> Path:
        """Where a file dialog for "open", "save", "export" or "add" begins."""
        remembered = self._store.current.folders.get(purpose, "")
        if remembered and Path(remembered).is_dir():
            return Path(remembered)
        return self.path.parent if self.path else Path.home()

    def new(self, size: Size = NEW_SIZE) -> None:
        """Start an empty collage."""
        self._become(Document(size), None, saved=True)

    def open(self, path: Path) -> bool:
        """Open a file at once; the present document stays if that fails."""
        opened = self.read(path)
        if opened is None:
            return False
        self.take(opened, path)
        if opened.losses:
            self.notice.announce(Notice(" ".join(opened.losses), "warn", key="losses"))
        return True

    def take(self, opened: Opened, path: Path) -> None:
        """Make what was read from `path` the present document."""
        is_collage = path.suffix.lower() == COLLAGE_SUFFIX
        place = path if is_collage else None
        self._become(opened.document, place, saved=is_collage, name=path.stem)
        self._read_only = opened.read_only
        self._remember("open", path)
        self._announce_all(opened.notices)

    def open_sample(self, sample: Sample) -> bool:
        """Open a bundled collage without its file, so that saving never touches the original."""
        opened = self.read(sample.path)
        if opened is None:
            return False
        self._become(opened.document, None, saved=True, name=sample.name)
        self._announce_all(opened.notices)
        return True

    def restore(self, document: Document, path: Path | None, name: str = "") -> None:
        """Take over recovered work: it counts as not saved."""
        self._become(document, path, saved=False, name=name)

    def save(self, done: Callable[[bool], None] = lambda _ok: None) -> bool:
        """Save to the document's own file; False without one, so ask for a path and `save_as`."""
        target = self._coming or self.path
        if target is None or self.needs_path:
            return False
        self._save_to(target, done)
        return True

    def save_as(self, path: Path, done: Callable[[bool], None] = lambda _ok: None) -> None:
        """Save to `path`, which is the document's file from then on."""
        if path.suffix.lower() != COLLAGE_SUFFIX:
            path = path.with_name(path.name + COLLAGE_SUFFIX)
        if self._read_only and self.path is not None and _same_file(path, self.path):
            self._fail("This file was made by a newer version. Save a copy under another name.")
            done(False)
            return
        self._save_to(path, done)

    def export(
        self,
        path: Path,
        done: Callable[[bool], None] = lambda _ok: None,
        options: ExportOptions | None = None,
    ) -> None:
        """Write a file in the format of its suffix, read it back, say what was proven."""
        document = self._editor.document

        def work() -> str:
            # psd-tools takes a fifth of a second to import: too long for the program's start.
            from collage_studio.app.writing_back import for_layered_file
            from collage_studio.formats.export import export_document

            given = for_layered_file(document, path)
            return export_document(given, path, options).sentence

        def then(outcome: _Outcome) -> None:
            if outcome.trouble:
                self._fail(outcome.trouble, ("Export elsewhere", "file.export"))
            else:
                self.notice.announce(Notice(outcome.value, "ok", key="export"))
                self._remember_folder("export", path)
            done(not outcome.trouble)

        self._write(EXPORTING, work, then)

    def add(self, paths: Sequence[Path], at: tuple[float, float] | None = None) -> tuple[str, ...]:
        """Put picture files in as layers, centred at `at`; returns the new layers' ids."""
        from collage_studio.formats.images import load_image

        pictures = list[Incoming]()
        for path in paths:
            try:
                pictures.append(Incoming(load_image(path), path.stem))
            except FormatError as error:
                self._fail(str(error))
        if pictures:
            self._remember_folder("add", paths[0])
        return self.add_pictures(pictures, at)

    def add_pictures(
        self, pictures: Sequence[Incoming], at: tuple[float, float] | None = None
    ) -> tuple[str, ...]:
        """Put pictures in as layers in one undoable edit; returns the new layers' ids."""
        if not pictures:
            return ()
        document, ids = add_pictures(self._editor.document, pictures, at)
        label = "Add picture" if len(ids) == 1 else f"Add {len(ids)} pictures"
        self._editor.apply(lambda _document: document, label)
        return ids

    def read(self, path: Path) -> Opened | None:
        """What a file holds, before it becomes the document; None where it cannot be read."""
        try:
            return read_any(path)
        except FormatError as error:
            self._fail(str(error), ("Open another", "file.open"))
            return None

    def read_later(
        self,
        path: Path,
        done: Callable[[Opened | None], None],
        read: Callable[[Path], Opened] = read_any,
        again: str = "file.open",
    ) -> None:
        """Read beside the main thread; `done` gets what the file holds, or None if it cannot be.

        A reading that was given up, or overtaken by a newer one, calls nobody.

        Args:
            read: raises FormatError where the file cannot be read.
            again: action that the notice of a failure offers.
        """
        self._reading += 1
        ticket = self._reading
        self.is_reading = True
        self.reading.announce(path.name)

        def then(outcome: _Outcome) -> None:
            if ticket != self._reading:
                return
            self.stop_reading()
            if outcome.trouble:
                self._fail(outcome.trouble, ("Open another", again))
            done(outcome.value)

        self._runner(lambda: _attempted(lambda: read(path), _UNREADABLE), then)

    def stop_reading(self) -> None:
        """Give up what is being read; the present document stays."""
        self._reading += 1
        self.is_reading = False
        self.reading.announce("")

    def _save_to(self, path: Path, done: Callable[[bool], None]) -> None:
        document, life, base = self._editor.document, self._life, self.path
        self._coming = path

        def then(outcome: _Outcome) -> None:
            if SAVING not in self._under_way:
                self._coming = None
            if outcome.trouble:
                self._coming = None
                self._fail(outcome.trouble, ("Save elsewhere", "file.save_as"))
            else:
                self._remember("save", path)
                if life == self._life:
                    self._settle_in(path, document)
            done(not outcome.trouble)

        self._write(SAVING, lambda: save_collage(document, path, base=base), then)

    def _settle_in(self, path: Path, document: Document) -> None:
        """`document`, which is still the open one or was before later edits, lies in `path`."""
        self.path, self._read_only = path, False
        self._editor.mark_saved(document)
        self.path_changed.announce(path)

    def _write(self, doing: str, work: Callable[[], Any], then: Callable[[_Outcome], None]) -> None:
        def done(outcome: _Outcome) -> None:
            self._under_way.remove(doing)
            then(outcome)
            self.activity.announce(self.doing)

        self._under_way.append(doing)
        self.activity.announce(self.doing)
        self._runner(lambda: _attempted(work), done)

    def _become(
        self, document: Document, path: Path | None, *, saved: bool, name: str = ""
    ) -> None:
        self.path, self._read_only, self._name = path, False, name
        self._coming, self._life = None, self._life + 1
        self._editor.replace(document, saved=saved)
        self.path_changed.announce(path)

    def _remember(self, purpose: str, path: Path) -> None:
        self._remember_recent(path)
        self._remember_folder(purpose, path)

    def _remember_recent(self, path: Path) -> None:
        self._store.update(recent=with_recent(self._store.current.recent, path))

    def _remember_folder(self, purpose: str, path: Path) -> None:
        folders = dict(self._store.current.folders) | {purpose: str(path.absolute().parent)}
        self._store.update(folders=folders)

    def _announce_all(self, texts: Sequence[str]) -> None:
        buttons = (("Save a copy", "file.save_as"),) if self._read_only else ()
        for text in texts:
            self.notice.announce(Notice(text, "warn", buttons, key=text))

    def _fail(self, text: str, *buttons: tuple[str, str]) -> None:
        self.notice.announce(Notice(text, "danger", buttons, key=text))


def _attempted(work: Callable[[], Any], unknown: str = _UNKNOWN) -> _Outcome:
    """Do the work on whatever thread this is; nothing is raised there, where nobody would hear."""
    try:
        return _Outcome(work())
    except FormatError as error:
        return _Outcome(trouble=str(error))
    except Exception:  # noqa: BLE001  the border to another thread: nobody would hear it
        _log.exception("Work on a file failed.")
        return _Outcome(trouble=unknown)


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
