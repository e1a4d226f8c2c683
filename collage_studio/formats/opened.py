"""What reading a document gives."""

from __future__ import annotations

from dataclasses import dataclass

from collage_studio.document.model import Document


@dataclass(frozen=True, slots=True)
class Opened:
    """A document that was read.

    Args:
        notices: what the user must know: everything that could not be read.
        read_only: the file holds more than was read; saving must go to another file.
        losses: what of a foreign file the document cannot keep; told before it is opened.
    """

    document: Document
    notices: tuple[str, ...] = ()
    read_only: bool = False
    losses: tuple[str, ...] = ()
