"""What a run says to the model: the caption, where each layer's words lie, and what to warn of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from collage_studio.document.looks import Look, fits
from collage_studio.document.model import CaptionSpan, Document, Layer
from collage_studio.engine.looks.learned import placeholders


@dataclass(frozen=True, slots=True)
class LookPlace:
    """A learned look in a text: vector i stands for characters [start, end) of place i."""

    look: Look
    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class TextPlan:
    """The caption as the model receives it; `spans` are ranges of its characters.

    Args:
        looks: placeholders of learned looks; they stand before a layer's text, within its span.
        written: the caption without placeholders, as recipes keep it.
        left_out: says which learned looks the model cannot read; empty if there are none.
    """

    caption: str
    spans: tuple[CaptionSpan, ...]
    warnings: tuple[str, ...] = ()
    looks: tuple[LookPlace, ...] = ()
    written: str = ""
    left_out: str = ""


def plan_text(document: Document, widths: Mapping[str, int] | None = None) -> TextPlan:
    """The written caption; the layers' texts joined by commas where the caption is empty.

    Args:
        widths: of the model's learnable words by encoder; None leaves learned looks out.
    """
    caption, spans = document.written_caption()
    warnings = _warnings(document, spans) if caption.strip() else ()
    if not caption.strip():
        caption, spans = _joined_texts(document)
    plan = TextPlan(caption, spans, warnings, written=caption)
    return plan if widths is None else _with_looks(plan, document, widths)


def _with_looks(plan: TextPlan, document: Document, widths: Mapping[str, int]) -> TextPlan:
    """Placeholders before the text of each layer that has a look this model can read."""
    text, done, spans, looks = "", 0, list[CaptionSpan](), list[LookPlace]()
    for span in plan.spans:
        layer = document.find(span.layer_id)
        look = layer.look if layer else None
        if look is not None and layer is not None and not fits(look, widths):
            look = None
        text += plan.caption[done : span.start]
        start = len(text)
        if look is not None:
            words, place = look_before("", look)
            looks.append(_moved(place, start))
            text += words
        text += plan.caption[span.start : span.end]
        spans.append(CaptionSpan(span.layer_id, start, len(text)))
        done = span.end
    caption = text + plan.caption[done:]
    misfits = [
        layer.name
        for layer in (*shown_layers(document), document.background)
        if layer.look is not None and layer.text.strip() and not fits(layer.look, widths)
    ]
    return replace(
        plan,
        caption=caption,
        spans=tuple(spans),
        looks=tuple(looks),
        left_out=_misfit_warning(misfits),
    )


def look_before(text: str, look: Look) -> tuple[str, LookPlace]:
    """`text` with the look's placeholders before it."""
    words, places = placeholders(look.count)
    return words + text, LookPlace(look, places)


def own_texts(
    document: Document, texts: Collection[str], widths: Mapping[str, int]
) -> dict[str, tuple[str, LookPlace]]:
    """By layer id: the text that a layer with a look says by itself, and where its look stands.

    Args:
        texts: those that are read by themselves; other layers are left out.
        widths: of the model's learnable words by encoder; looks of another model are left out.
    """
    return {
        layer.id: look_before(layer.text.strip(), layer.look)
        for layer in document.walk()
        if layer.look is not None and layer.text.strip() in texts and fits(layer.look, widths)
    }


def _moved(place: LookPlace, by: int) -> LookPlace:
    return LookPlace(place.look, tuple((start + by, end + by) for start, end in place.places))


def _misfit_warning(names: Sequence[str]) -> str:
    if not names:
        return ""
    verb, it = ("was", "it is") if len(names) == 1 else ("were", "they are")
    looks = "look" if len(names) == 1 else "looks"
    return (
        f"The {looks} of {listed(names)} {verb} learned with another kind of model, so {it} "
        "left out. Learn again with this one."
    )


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
    names, verb = listed(unheard), "is" if len(unheard) == 1 else "are"
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


def listed(names: Sequence[str]) -> str:
    """Names in quotes with commas and an "and"; more than three are counted."""
    quoted = [f"“{name}”" for name in names[:3]]
    if len(names) > 3:
        quoted.append(f"{len(names) - 3} more")
    if len(quoted) == 1:
        return quoted[0]
    return ", ".join(quoted[:-1]) + " and " + quoted[-1]
