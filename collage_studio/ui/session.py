"""What one window works with: the document, the selection, the queue, files, preferences."""

from __future__ import annotations

from dataclasses import dataclass, field

from collage_studio.app.autosave import Autosave
from collage_studio.app.editor import Editor
from collage_studio.app.files import NEW_SIZE, Files
from collage_studio.app.looks import LookLibrary
from collage_studio.app.models import ModelLibrary
from collage_studio.app.runs import EnginePort, RunController
from collage_studio.app.selection import Selection
from collage_studio.app.settings import PreferencesStore
from collage_studio.document.model import Document
from collage_studio.jobs.board import JobBoard
from collage_studio.ui.background import Background


@dataclass(frozen=True, slots=True)
class Session:
    """The objects behind one window; all live on the main thread. `writer` writes files for it."""

    engine: EnginePort
    editor: Editor
    selection: Selection
    store: PreferencesStore
    runs: RunController
    files: Files
    library: ModelLibrary
    autosave: Autosave
    writer: Background
    looks: LookLibrary = field(default_factory=LookLibrary)

    @classmethod
    def with_engine(
        cls, engine: EnginePort, store: PreferencesStore, document: Document | None = None
    ) -> Session:
        """A session whose runs go to `engine`; it begins with `document` or an empty one."""
        editor = Editor(document or Document(NEW_SIZE))
        writer = Background()
        runs = RunController(editor, JobBoard(), engine, lambda: store.current)
        return cls(
            engine,
            editor,
            Selection(),
            store,
            runs,
            Files(editor, store, writer.submit),
            ModelLibrary(store),
            Autosave(
                editor,
                interval_seconds=store.current.autosave_seconds,
                jobs=lambda: runs.unfinished,
            ),
            writer,
        )
