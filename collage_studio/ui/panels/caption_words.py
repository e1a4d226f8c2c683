"""Which layers' words reach the model through the caption, and which do not."""

from __future__ import annotations

from collage_studio.document.model import Document, Layer


def unsaid(document: Document) -> frozenset[str]:
    """Visible layers with words of their own that the caption leaves out.

    A caption without any chip is written by hand: nothing is missed in it. What stands for a
    group stands for all inside it, and the other way round.
    """
    said = set(document.caption.layer_ids)
    if not said:
        return frozenset()
    found = set[str]()
    for layer in (document.background, *document.layers):
        _look(layer, said, found)
    return frozenset(found)


def _look(layer: Layer, said: set[str], found: set[str]) -> None:
    if layer.id in said or not layer.visible:
        return
    if layer.text.strip() and not any(inner.id in said for inner in layer.walk()):
        found.add(layer.id)
    for child in layer.children:
        _look(child, said, found)


def unread(document: Document, read: int) -> frozenset[str]:
    """Layers whose words begin past the `read` characters of the caption that a model reads."""
    _text, spans = document.written_caption()
    seen = {span.layer_id for span in spans if span.start < read}
    return frozenset(span.layer_id for span in spans if span.layer_id not in seen)
