"""What a caption says when some of its layers are not there."""

from __future__ import annotations

import re
from collections.abc import Collection

from collage_studio.document.model import Caption, Document, LayerRef

_JOINTS = "and|with|beside|next to|in front of|behind|near|between|under|above|plus|a|an|the"
_ENDING = re.compile(rf"(?:\s*[,;:&+–-]\s*|\s+|^)(?:{_JOINTS})?\s*$", re.IGNORECASE)
_OPENING = re.compile(
    r"^(?:\s*[,;:&+–.-]\s*|\s*\b(?:and|with|in|on|at|by|near|inside|under|behind)\b\s*)+",
    re.IGNORECASE,
)


def caption_without(document: Document, gone: Collection[str], instead: str = "") -> Caption:
    """The document's caption without the chips of `gone` layers and the words that joined them.

    "a cat and a dog on a beach at dusk" without both animals is "a beach at dusk". A caption
    without any chips says nothing of what belongs to whom: then `instead` is taken.

    Args:
        instead: what to say where nothing is left.
    """
    parts = list[str | LayerRef]()
    is_open = False
    for part in document.caption.parts:
        if isinstance(part, LayerRef) and part.layer_id in gone:
            while parts and isinstance(parts[-1], str):
                shorter = _ENDING.sub("", parts[-1])
                if shorter == parts[-1]:
                    break
                parts[-1] = shorter
                if not shorter:
                    parts.pop()
            is_open = True
            continue
        if isinstance(part, str) and is_open:
            part = _OPENING.sub("", part) if not parts else part
            if not part.strip():
                # Words between two chips that went joined only them.
                continue
        if is_open and parts and _starts_a_word(part, document):
            parts.append(" ")
        parts.append(part)
        is_open = False
    had_chips = any(isinstance(part, LayerRef) for part in document.caption.parts)
    left = Caption(tuple(parts))
    words = "".join(_words(document, part) for part in parts).strip(" ,.;")
    if (not had_chips or not words) and instead:
        return Caption((instead,))
    return left


def _starts_a_word(part: str | LayerRef, document: Document) -> bool:
    return _words(document, part)[:1].isalnum()


def _words(document: Document, part: str | LayerRef) -> str:
    if isinstance(part, str):
        return part
    layer = document.find(part.layer_id)
    return layer.text.strip() if layer else ""
