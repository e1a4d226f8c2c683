"""What a run says to the model: the caption, where each layer's words lie, and what to warn of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collage_studio.document.model import CaptionSpan, Document, Layer


@dataclass(frozen=True, slots=True)
class TextPlan:
    """The caption as the model receives it; `spans` are ranges of its characters."""

    caption: str
    spans: tuple[CaptionSpan, ...]
    warnings: tuple[str, ...] = ()


def plan_text(document: Document) -> TextPlan:
    """The written caption; the layers' texts joined by commas where the caption is empty."""
    caption, spans = document.written_caption()
    if caption.strip():
        return TextPlan(caption, spans, _warnings(document, spans))
    caption, spans = _joined_texts(document)
    return TextPlan(caption, spans)


def _joined_texts(document: Document) -> tuple[str, tuple[CaptionSpan, ...]]:
    text, spans = "", list[CaptionSpan]()
    for layer in (*reversed(shown_layers(document)), document.background):
        words = layer.text.strip()
        if words:
            text += ", " if text else ""
            spans.append(CaptionSpan(layer.id, len(text), len(text) + len(words)))
            text += words
    return text, tuple(spans)


def shown_layers(document: Document) -> tuple[Layer, ...]:
    """Layers and groups that are visible with everything they lie in, back to front."""

    def shown(layers: Sequence[Layer]) -> list[Layer]:
        found = list[Layer]()
        for layer in layers:
            if layer.visible:
                found += [layer, *shown(layer.children)]
        return found

    return tuple(shown(document.layers))


def _warnings(document: Document, spans: Sequence[CaptionSpan]) -> tuple[str, ...]:
    chips = {span.layer_id for span in spans}
    unheard = [
        layer.name
        for layer in shown_layers(document)
        if layer.text.strip() and layer.id not in chips
    ]
    if not unheard:
        return ()
    names, verb = _listed(unheard), "is" if len(unheard) == 1 else "are"
    its = "its text has" if len(unheard) == 1 else "their texts have"
    return (f"{names} {verb} not in the caption, so {its} no effect. Add the chip to use it.",)


def skipped_warning(skipped: str, limit: int) -> str:
    """What to say when the end of the caption did not fit; empty if all fitted."""
    words = skipped.split()
    if not words:
        return ""
    last = "word is" if len(words) == 1 else f"{len(words)} words are"
    shown = " ".join(words[:8]) + (" …" if len(words) > 8 else "")
    return f"The model reads about {limit} words; the last {last} skipped: “{shown}”."


def _listed(names: Sequence[str]) -> str:
    quoted = [f"“{name}”" for name in names[:3]]
    if len(names) > 3:
        quoted.append(f"{len(names) - 3} more")
    if len(quoted) == 1:
        return quoted[0]
    return ", ".join(quoted[:-1]) + " and " + quoted[-1]
