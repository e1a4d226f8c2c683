"""Which layers are selected and which one the pointer is over: same in canvas, rows and chips."""

from __future__ import annotations

from collections.abc import Iterable

from collage_studio.document.announcer import Announcer


class Selection:
    """Ids in order of choosing; the last one is the active layer. Lives on the main thread."""

    def __init__(self) -> None:
        self._ids: tuple[str, ...] = ()
        self._hovered = ""
        self.changed: Announcer[tuple[str, ...]] = Announcer()
        self.hover_changed: Announcer[str] = Announcer()

    @property
    def ids(self) -> tuple[str, ...]:
        return self._ids

    @property
    def active(self) -> str:
        """Id of the active layer; empty if nothing is selected."""
        return self._ids[-1] if self._ids else ""

    @property
    def hovered(self) -> str:
        return self._hovered

    def select(self, ids: Iterable[str]) -> None:
        new = tuple(dict.fromkeys(ids))
        if new != self._ids:
            self._ids = new
            self.changed.announce(new)

    def toggle(self, layer_id: str) -> None:
        kept = tuple(i for i in self._ids if i != layer_id)
        self.select(kept if layer_id in self._ids else (*self._ids, layer_id))

    def hover(self, layer_id: str) -> None:
        if layer_id != self._hovered:
            self._hovered = layer_id
            self.hover_changed.announce(layer_id)

    def keep_only(self, existing: Iterable[str]) -> None:
        """Forget layers that are gone."""
        there = set(existing)
        self.select(i for i in self._ids if i in there)
        if self._hovered and self._hovered not in there:
            self.hover("")
