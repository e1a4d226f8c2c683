"""Methods, samplers and qualities by the names they have on screen, and each method's settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from collage_studio.document.method_settings import NAMES, NO_ADAPTER
from collage_studio.document.recipe import RunSettings
from collage_studio.formats.adapter_files import adapter_file

METHODS = tuple(NAMES.items())
SENTENCES = {
    "collage_diffusion": "Keeps what you pasted and fits light and shadow to it. "
    "Best for cutouts and photos.",
    "noise_collage": "Draws every layer's text on its own and blends them. "
    "Best when each object must be there; time grows with the layers.",
    "multi_diffusion": "Draws in overlapping windows. "
    "Best for panoramas, and for one to three large regions.",
    "dense_diffusion": "Draws everything in one go and steers where words look. "
    "Fastest, coherent, holds places more loosely.",
    "rich_context": "Draws everything in one go, and each place reads its own text. "
    "Best for long texts and objects that overlap.",
}
"""What each method is good at, in plain words."""

TAGS = {
    "collage_diffusion": "Collage",
    "noise_collage": "Noise",
    "multi_diffusion": "Multi",
    "dense_diffusion": "Dense",
    "rich_context": "Rich",
}
"""What the strip calls a method on a tile."""

SAMPLERS = (
    ("euler_a", "Euler ancestral"),
    ("dpmpp_2m", "DPM++ 2M"),
    ("ddim", "DDIM"),
)
QUALITIES = (("10", "Draft"), ("25", "Standard"), ("50", "Fine"))
"""Steps of each quality."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a method.

    Args:
        name: the field of the method's settings.
        options: (value as text, label) of a choice; a bar where there are none.
        factor: what the bar shows for a value of 1.
        only: another field and the value it must have for this one to matter.
        shows: whether it matters with these settings of the run; None = always.
        takes_file: a file may be chosen beside the options.
    """

    name: str
    label: str
    tooltip: str
    options: tuple[tuple[str, str], ...] = ()
    low: float = 0.0
    high: float = 100.0
    factor: float = 100.0
    unit: str = " %"
    only: tuple[str, str] | None = None
    shows: Callable[[RunSettings], bool] | None = None
    takes_file: bool = False


def _switch(name: str, label: str, on: str, off: str, tooltip: str) -> Setting:
    return Setting(name, label, tooltip, (("True", on), ("False", off)))


FIELDS: dict[str, tuple[Setting, ...]] = {
    "collage_diffusion": (),
    "noise_collage": (
        Setting(
            "shape",
            "Regions",
            "Regions: The box around each layer, as published, or its own outline.",
            (("box", "boxes"), ("outline", "outlines")),
        ),
        _switch(
            "in_front",
            "Overlaps",
            "front layer wins",
            "are averaged",
            "Overlaps: Averaged as published, or the layer in front wins.",
        ),
        Setting(
            "outside",
            "Around an object",
            "Around an object: What the rest of the picture reads while an object is drawn.",
            (
                ("drop", "mostly nothing"),
                ("ring", "caption near it"),
                ("caption", "caption"),
                ("off", "its own text"),
            ),
        ),
        Setting(
            "drop_rate",
            "Reads nothing",
            "Reads nothing: Share of the surroundings that reads no text at all.",
            only=("outside", "drop"),
        ),
        Setting(
            "background_weight",
            "Caption's weight",
            "Caption's weight: What the whole caption counts inside an object.",
            low=1,
        ),
        _switch(
            "crops",
            "Draw objects",
            "in crops, faster",
            "on the whole canvas",
            "Draw objects: Small ones in a crop with surroundings, or each on the whole canvas.",
        ),
    ),
    "multi_diffusion": (
        _switch("regions", "Layers", "as regions", "ignored", "Layers: Draw each text in place."),
        Setting(
            "bootstrap",
            "Alone at first",
            "Alone at first: Part of the steps in which each object stands on a plain ground.",
            only=("regions", "True"),
        ),
        Setting(
            "stride_cells",
            "Next window after",
            "Next window after: 0 is an eighth of the window, as published. More is faster.",
            high=64,
            factor=1,
            unit=" cells",
        ),
        _switch("gaussian", "Seams", "soft", "even", "Seams: Let the middle of a window lead."),
        _switch("wrap", "Edges", "meet all round", "end", "Edges: A panorama without an end."),
    ),
    "dense_diffusion": (
        Setting(
            "words",
            "Hold on words",
            "Hold on words: How firmly each object reads its own text.",
            high=200,
        ),
        Setting(
            "neighbours",
            "Hold on shape",
            "Hold on shape: How firmly an object looks at its own pixels.",
            high=200,
        ),
        Setting("area", "Less for large ones", "Less for large ones: Small objects need more."),
        Setting("until", "Until step", "Until step: Part of the steps that are steered."),
        _switch(
            "separate",
            "Texts",
            "read one by one",
            "read together",
            "Texts: Read alone they do not colour each other.",
        ),
    ),
    "rich_context": (
        Setting(
            "adapter",
            "Adapter",
            "Adapter: Layers that were trained to read a text in each place.",
            (("", "of this model"), (NO_ADAPTER, "none")),
            takes_file=True,
        ),
        Setting("until", "Until step", "Until step: Part of the steps in which places read."),
        Setting("strength", "Strength", "Strength: How much a place follows its own text."),
        Setting(
            "caption",
            "Caption's part",
            "Caption's part: What the whole caption counts inside an object.",
            shows=lambda settings: adapter_file(settings) is None,
        ),
        Setting(
            "overlap",
            "Overlaps",
            "Overlaps: Both texts are read where objects overlap, or the front one alone.",
            (("all", "read all texts"), ("front", "front layer wins")),
        ),
        Setting(
            "size_prior",
            "Small ones first",
            "Small ones first: How much the smaller object's text leads where objects overlap.",
            high=200,
            only=("overlap", "all"),
        ),
        _switch(
            "words",
            "Caption's words",
            "kept in place",
            "read everywhere",
            "Caption's words: A layer's words in the caption act in its place alone.",
        ),
    ),
}
