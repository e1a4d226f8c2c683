"""Undo and redo as a list of whole document values, held to a budget in bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from collage_studio.document.model import Document, Mask, Raster


@dataclass(frozen=True, slots=True)
class Entry:
    """A document as it was before an edit, and what that edit is called."""

    document: Document
    label: str
    merge: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """`past` and `future` of `present`, nearest last. A value: every method returns a new one."""

    present: Document
    past: tuple[Entry, ...] = ()
    future: tuple[Entry, ...] = ()
    budget_bytes: int = 2 << 30

    def pushed(self, document: Document, label: str, merge: str = "") -> History:
        """`document` becomes the present.

        Edits in a row with the same non-empty `merge` key are one entry: a slider drag.
        """
        joins = bool(merge) and bool(self.past) and self.past[-1].merge == merge
        past = self.past if joins else (*self.past, Entry(self.present, label, merge))
        return replace(self, present=document, past=past, future=())._pruned()

    def amended(self, document: Document) -> History:
        """`document` takes the place of the present, without an entry of its own."""
        return replace(self, present=document)._pruned()

    def sealed(self) -> History:
        """The next edit starts an entry of its own, whatever its merge key."""
        if not self.past or not self.past[-1].merge:
            return self
        return replace(self, past=(*self.past[:-1], replace(self.past[-1], merge="")))

    def undone(self) -> History:
        if not self.past:
            return self
        last = self.past[-1]
        future = (*self.future, Entry(self.present, last.label))
        return replace(self, present=last.document, past=self.past[:-1], future=future).sealed()

    def redone(self) -> History:
        if not self.future:
            return self
        following = self.future[-1]
        past = (*self.past, Entry(self.present, following.label))
        return replace(self, present=following.document, past=past, future=self.future[:-1])

    def _pruned(self) -> History:
        """Drop the oldest entries whose own pixels exceed the budget; the newest always stays."""
        held = _pixel_ids(self.present)
        total, keep = sum(held.values()), len(self.past)
        for count, entry in enumerate(reversed(self.past), start=1):
            for key, size in _pixel_ids(entry.document).items():
                if key not in held:
                    held[key] = size
                    total += size
            if total > self.budget_bytes and count > 1:
                keep = count - 1
                break
        return replace(self, past=self.past[len(self.past) - keep :])


def _pixel_ids(document: Document) -> dict[int, int]:
    """Bytes by identity of every pixel array that the document keeps alive."""
    return {id(item): _size_of(item) for item in _pixel_owners(document)}


def _size_of(item: Raster | Mask) -> int:
    return item.pixels.nbytes if isinstance(item, Raster) else item.values.nbytes


def _pixel_owners(document: Document) -> Iterable[Raster | Mask]:
    for layer in document.walk():
        if layer.raster is not None:
            yield layer.raster
        if layer.mask is not None:
            yield layer.mask
        if layer.harmonised is not None:
            yield layer.harmonised
        if layer.noise_paint is not None:
            yield layer.noise_paint
        if layer.extras.control_picture is not None:
            yield layer.extras.control_picture
    for layer in document.beside:
        if layer.raster is not None:
            yield layer.raster
    for variation in document.variations:
        yield variation.picture
    if document.accepted is not None:
        yield document.accepted.picture
