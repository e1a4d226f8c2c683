"""New, open, save, export and the samples: use cases whose failures become notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collage_studio.app.adding import Incoming, add_pictures
from collage_studio.app.editor import Editor
from collage_studio.app.notices import Notice
from collage_studio.app.reading import COLLAGE_SUFFIX, read_any
from collage_studio.app.recent import still_there, with_recent
from collage_studio.app.settings import PreferencesStore
from collage_studio.document.announcer import Announcer
from collage_studio.document.geometry import Size
from collage_studio.document.model import Document
from collage_studio.formats.collage_file import save_collage
from collage_studio.formats.errors import FormatError
from collage_studio.formats.images import load_image
from collage_studio.formats.opened import Opened
from collage_studio.resources_dir import resources_path

NEW_SIZE = Size(1024, 1024)


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


class Files:
    """Connects the editor with files on disk. Main thread only.

    Every method that can fail returns whether it worked; why not goes to `notice`.
    """

    def __init__(self, editor: Editor, store: PreferencesStore) -> None:
        self._editor = editor
        self._store = store
        self._read_only = False
        self.path: Path | None = None
        self.notice: Announcer[Notice] = Announcer()
        self.path_changed: Announcer[Path | None] = Announcer()

    @property
    def title(self) -> str:
        """What the window is called."""
        return self.path.stem if self.path else "Untitled"

    @property
    def needs_path(self) -> bool:
        """Whether saving has to ask for a file first."""
        return self.path is None or self._read_only

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
        """Open a .collage, .ora or picture; the present document stays if that fails."""
        opened = self._read(path)
        if opened is None:
            return False
        is_collage = path.suffix.lower() == COLLAGE_SUFFIX
        self._become(opened.document, path if is_collage else None, saved=is_collage)
        self._read_only = opened.read_only
        self._remember("open", path)
        self._announce_all(opened.notices)
        return True

    def open_sample(self, sample: Sample) -> bool:
        """Open a bundled collage as an untitled one, so that saving never touches the original."""
        opened = self._read(sample.path)
        if opened is None:
            return False
        self._become(opened.document, None, saved=True)
        self._announce_all(opened.notices)
        return True

    def restore(self, document: Document, path: Path | None) -> None:
        """Take over recovered work: it counts as not saved."""
        self._become(document, path, saved=False)

    def save(self) -> bool:
        """Save to the document's own file; False without one, so ask for a path and `save_as`."""
        if self.path is None or self._read_only:
            return False
        return self._write(self.path)

    def save_as(self, path: Path) -> bool:
        """Save to `path`, which is the document's file from then on."""
        if path.suffix.lower() != COLLAGE_SUFFIX:
            path = path.with_name(path.name + COLLAGE_SUFFIX)
        if self._read_only and self.path is not None and _same_file(path, self.path):
            self._fail("This file was made by a newer version. Save a copy under another name.")
            return False
        if not self._write(path):
            return False
        self.path, self._read_only = path, False
        self.path_changed.announce(path)
        self._remember("save", path)
        return True

    def export(self, path: Path) -> bool:
        """Write a PSD, PNG, OpenRaster or .collage file, read it back, say what was proven."""
        # psd-tools takes a fifth of a second to import: too long for the start of the program.
        from collage_studio.formats.export import export_document

        try:
            report = export_document(self._editor.document, path)
        except FormatError as error:
            self._fail(str(error), ("Export elsewhere", "file.export"))
            return False
        self.notice.announce(Notice(report.sentence, "ok", key="export"))
        self._remember_folder("export", path)
        return True

    def add(self, paths: Sequence[Path], at: tuple[float, float] | None = None) -> tuple[str, ...]:
        """Put picture files in as layers, centred at `at`; returns the new layers' ids."""
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

    def _read(self, path: Path) -> Opened | None:
        try:
            return read_any(path)
        except FormatError as error:
            self._fail(str(error), ("Open another", "file.open"))
            return None

    def _write(self, path: Path) -> bool:
        document = self._editor.document
        try:
            save_collage(document, path, base=self.path)
        except FormatError as error:
            self._fail(str(error), ("Save elsewhere", "file.save_as"))
            return False
        self._editor.mark_saved(document)
        self._remember_recent(path)
        return True

    def _become(self, document: Document, path: Path | None, *, saved: bool) -> None:
        self.path, self._read_only = path, False
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


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
