"""What a document cannot keep of a foreign PSD, collected for the user to read before opening."""

from __future__ import annotations

from enum import Enum


class Loss(Enum):
    """A kind of loss: its sentence takes the names of the layers."""

    TEXT = "Text becomes a picture; its words are kept for the next PSD: {}."
    SMART_OBJECT = "Smart objects become pictures; their contents are kept for the next PSD: {}."
    SHAPE = "Shapes become pictures: {}."
    FILL = "Gradient and pattern fills become pictures: {}."
    EFFECTS = "Layer effects are not shown; they are kept for the next PSD: {}."
    ADJUSTMENT = "Adjustments become pictures of what lies under them: {}."
    NO_ADJUSTMENT = "Adjustments of an unknown kind are left out: {}."
    NO_FILL = "Fills that cannot be drawn are left out: {}."
    BLEND = "Dissolve is shown as normal: {}."
    SOFT_MASK = "Mask feather and density are worked into the mask: {}."
    VECTOR_MASK = "Vector masks become pixel masks: {}."
    ARTBOARD = "Artboards become groups: {}."
    DAMAGED = "Layers whose pixels are damaged are left out: {}."
    NOISE_PAINT = "Painted noise is left out, layers have one noise everywhere: {}."


class Losses:
    """Collects losses; `sentences` says each kind once."""

    def __init__(self) -> None:
        self._named = dict[Loss, list[str]]()
        self._whole = list[str]()

    def add(self, loss: Loss, name: str) -> None:
        """Note a loss at a layer."""
        self._named.setdefault(loss, []).append(name or "a layer")

    def say(self, sentence: str) -> None:
        """Note a loss of the whole file; nothing for an empty sentence."""
        if sentence:
            self._whole.append(sentence)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One sentence for each kind, in a fixed order."""
        named = (
            loss.value.format(listed(self._named[loss])) for loss in Loss if loss in self._named
        )
        return (*self._whole, *named)


def listed(names: list[str]) -> str:
    """Names as a sentence has them, at most four: "Tent, Lake and 3 more"."""
    shown = [" ".join(name.split())[:40] for name in names[:4]]
    if len(names) > 4:
        shown.append(f"{len(names) - 4} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
