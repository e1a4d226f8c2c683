"""The one holder of the current document: applies edits, keeps history, announces changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from collage_studio.document.announcer import Announcer
from collage_studio.document.history import History
from collage_studio.document.model import Document

Edit = Callable[[Document], Document]

_COLLAGE = tuple(
    part.name for part in fields(Document) if part.name not in {"variations", "accepted"}
)


@dataclass(frozen=True, slots=True)
class Changed:
    """The document went from `before` to `after`; compare parts by identity."""

    before: Document
    after: Document

    @property
    def changes_collage(self) -> bool:
        """Something beside the runs' pictures changed, so panels about layers look again."""
        return any(getattr(self.before, part) is not getattr(self.after, part) for part in _COLLAGE)


class Editor:
    """One open document. Lives on the main thread."""

    def __init__(self, document: Document) -> None:
        self._history = History(document)
        self._saved: Document | None = document
        self.changed: Announcer[Changed] = Announcer()
        self.replaced: Announcer[Document] = Announcer()

    @property
    def document(self) -> Document:
        return self._history.present

    @property
    def is_modified(self) -> bool:
        return self.document is not self._saved

    @property
    def undo_label(self) -> str:
        """What undo would take back; empty if there is nothing."""
        return self._history.past[-1].label if self._history.past else ""

    @property
    def redo_label(self) -> str:
        return self._history.future[-1].label if self._history.future else ""

    def apply(self, edit: Edit, label: str, *, merge: str = "") -> None:
        """Make `edit` the newest entry of the history.

        Args:
            label: what the Edit menu calls it, as in "Undo Move Tent".
            merge: edits in a row with the same key become one entry, until `seal`.
        """
        after = edit(self.document)
        if after is not self.document:
            self._become(self._history.pushed(after, label, merge))

    def amend(self, edit: Edit) -> None:
        """Make `edit` part of the newest entry: what follows from it but took time to find.

        A saved document stays saved: what follows can be worked out again.
        """
        before, after = self.document, edit(self.document)
        if after is before:
            return
        if self._saved is before:
            self._saved = after
        self._become(self._history.amended(after))

    def seal(self) -> None:
        """A gesture ended: the next edit is an entry of its own."""
        self._history = self._history.sealed()

    def undo(self) -> None:
        self._become(self._history.undone())

    def redo(self) -> None:
        self._become(self._history.redone())

    def replace(self, document: Document, *, saved: bool) -> None:
        """Open another document: history starts anew."""
        before = self.document
        self._history = History(document)
        self._saved = document if saved else None
        self.replaced.announce(document)
        self.changed.announce(Changed(before, document))

    def mark_saved(self, document: Document) -> None:
        """`document` is what lies on disk now."""
        self._saved = document
        self.changed.announce(Changed(self.document, self.document))

    def _become(self, history: History) -> None:
        before = self.document
        self._history = history
        if history.present is not before:
            self.changed.announce(Changed(before, history.present))
