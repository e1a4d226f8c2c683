"""Gives the accepted picture back to the layers, beside the main thread, and keeps it current."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from collage_studio.app.editor import Editor
from collage_studio.document.harmonised import has_harmonised, without_harmonised
from collage_studio.document.model import Document, Layer
from collage_studio.document.tree import mapped

Submit = Callable[[Callable[[], Any], Callable[[Any], None]], None]
"""Does some work beside the main thread, then hands what it returned to the second function."""


def needs_write_back(document: Document) -> bool:
    """An accepted picture of the canvas's size is not yet in the layers."""
    accepted = document.accepted
    if accepted is None:
        return has_harmonised(document)
    return document.written_back != accepted.id and accepted.picture.size == document.size


def written_back(document: Document) -> Document:
    """The document with its accepted picture in its layers; without one, with their own alone."""
    accepted = document.accepted
    if accepted is None or accepted.picture.size != document.size:
        return without_harmonised(document)
    # OpenCV is not needed before there is a picture.
    from collage_studio.formats.picture import to_8_bit
    from collage_studio.writeback.stack import write_back

    return write_back(document, to_8_bit(accepted.picture.pixels[..., :3]), accepted.id)


def for_layered_file(document: Document, path: Path) -> Document:
    """`document` as a layered file gets it: a PSD or PSB holds the harmonised pixels too."""
    layered = path.suffix.lower() in {".psd", ".psb"}
    return written_back(document) if layered and needs_write_back(document) else document


def taken_over(document: Document, found: Document) -> Document:
    """`document` as it is now, with the harmonised pixels that were `found` meanwhile.

    Nothing is taken over if another picture has been accepted since. Layers that have gone or got
    other pixels since keep what they have.
    """
    accepted = document.accepted
    if accepted is None:
        return without_harmonised(document)
    if found.written_back != accepted.id:
        return document
    known = {layer.id: layer for layer in found.walk() if layer.harmonised is not None}

    def given(layer: Layer) -> tuple[Layer]:
        source = known.get(layer.id)
        if source is None or source.raster != layer.raster:
            return (replace(layer, harmonised=None),)
        back = source.harmonised_placement
        return (replace(layer, harmonised=source.harmonised, harmonised_placement=back),)

    ids = {layer.id for layer in document.walk() if not layer.is_group}
    layers = mapped(document.layers, ids, given)
    return replace(document, layers=layers, beside=found.beside, written_back=accepted.id)


class WriteBack:
    """Watches one editor; whenever another picture is accepted, its layers follow."""

    def __init__(self, editor: Editor, submit: Submit) -> None:
        self._editor, self._submit = editor, submit
        self._asked = ""
        self._subscription = editor.changed.subscribe(lambda _change: self.refresh())

    def refresh(self) -> None:
        """Start the work if there is any that is not under way."""
        document = self._editor.document
        if not needs_write_back(document):
            return
        wanted = document.accepted.id if document.accepted else "none"
        if wanted != self._asked:
            self._asked = wanted
            self._submit(lambda: written_back(document), self._arrived)

    def close(self) -> None:
        """Stop watching."""
        self._subscription.close()

    def _arrived(self, found: Document) -> None:
        self._asked = ""
        if needs_write_back(self._editor.document):
            self._editor.amend(lambda document: taken_over(document, found))
