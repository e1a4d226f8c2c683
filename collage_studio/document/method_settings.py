"""What each published method may be told beside the run's settings: frozen, with its defaults.

The numbers of the papers are the defaults. Lengths are in latent cells where a name says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NAMES = {
    "collage_diffusion": "Collage Diffusion",
    "noise_collage": "NoiseCollage",
    "multi_diffusion": "MultiDiffusion",
    "dense_diffusion": "DenseDiffusion",
    "rich_context": "Rich context",
}
"""Every method by the name it was published under."""

OUTSIDE = ("drop", "ring", "caption", "off")
"""What pixels outside a region read while NoiseCollage predicts it; "off" = all read its text."""
SHAPES = ("box", "outline")
OVERLAPS = ("all", "front")
NO_ADAPTER = "none"
"""Says that no trained adapter shall be used, even if one fits."""


@dataclass(frozen=True, slots=True)
class NoiseCollage:
    """NoiseCollage (arXiv 2403.03485): one prediction per region, merged pixel by pixel.

    Args:
        background_weight: what the caption's prediction weighs where a region weighs 1.
        outside: "drop" lets `drop_rate` of the pixels outside read nothing, the others the
            caption; "ring" lets those around the region read the caption, the others nothing.
        drop_rate: [0, 1]. ring: width of the ring as a part of the region's box, >= 0.
        shape: regions are "box" around a layer or its own "outline".
        in_front: a region counts only where no layer in front hides it; otherwise regions that
            overlap are averaged, as published.
        crops: predict small regions in a box of their own with surroundings, not on all of the
            canvas.
        context: surroundings on each side of that box, as a part of the region's size, >= 0.
    """

    background_weight: float = 0.1
    outside: str = "drop"
    drop_rate: float = 0.75
    ring: float = 0.25
    shape: str = "box"
    in_front: bool = False
    crops: bool = True
    context: float = 0.125

    def __post_init__(self) -> None:
        _check_choice("Outside", self.outside, OUTSIDE)
        _check_choice("The shape of regions", self.shape, SHAPES)
        _check_range("The weight of the background", self.background_weight, 0.001, 100.0)
        _check_range("The drop rate", self.drop_rate, 0.0, 1.0)
        _check_range("The ring", self.ring, 0.0, 10.0)
        _check_range("The surroundings of a region", self.context, 0.0, 10.0)


@dataclass(frozen=True, slots=True)
class MultiDiffusion:
    """MultiDiffusion (arXiv 2302.08113): overlapping windows and regions, merged every step.

    Args:
        window_cells: side of a window; 0 = the model's native size.
        stride_cells: from one window to the next; 0 = an eighth of the window, as published.
        wrap: the right edge continues at the left one.
        gaussian: pixels near the middle of a window count more.
        regions: layers with a text are predicted on their own, by hard masks.
        bootstrap: [0, 1], part of the steps in which a region is seen alone on a plain ground.
        batch: windows predicted at once; 0 = as many as memory allows.
    """

    window_cells: int = 0
    stride_cells: int = 0
    wrap: bool = False
    gaussian: bool = False
    regions: bool = True
    bootstrap: float = 0.2
    batch: int = 0

    def __post_init__(self) -> None:
        _check_range("The size of a window", self.window_cells, 0, 4096)
        _check_range("The stride", self.stride_cells, 0, 4096)
        _check_range("Bootstrapping", self.bootstrap, 0.0, 1.0)
        _check_range("Windows at once", self.batch, 0, 4096)


@dataclass(frozen=True, slots=True)
class DenseDiffusion:
    """DenseDiffusion (arXiv 2308.12964): attention pushed towards the layout, one prediction.

    Args:
        words: w_c >= 0, how firmly a region's pixels read its own words.
        neighbours: w_s >= 0, how firmly they look at pixels of their own region.
        area: [0, 1], how much less a large region is pushed.
        until: [0, 1], part of the steps that are changed.
        separate: read each region's words alone, so that they do not colour each other.
    """

    words: float = 1.0
    neighbours: float = 0.3
    area: float = 1.0
    until: float = 0.3
    separate: bool = True

    def __post_init__(self) -> None:
        _check_range("The strength on words", self.words, 0.0, 10.0)
        _check_range("The strength on neighbours", self.neighbours, 0.0, 10.0)
        _check_range("The area term", self.area, 0.0, 1.0)
        _check_range("The part of the steps", self.until, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class RichContext:
    """Rich-context regional attention (arXiv 2409.04847): each place reads its regions' long texts.

    Args:
        adapter: a trained adapter's file; "" is the one that comes with the model, if there is
            one, and "none" never uses any. Without one the texts steer the model's own attention
            to words.
        until: [0, 1], part of the steps in which regions read their texts.
        strength: [0, 1], what the regions' reading counts.
        caption: [0, 1], what the caption counts inside regions where no adapter is used.
        size_prior: >= 0, how much the smaller object's text prevails where objects overlap.
        overlap: "all" objects say something where they overlap, or only the one in "front".
        words: the caption's own words are kept to the places of their layers as well.
    """

    adapter: str = ""
    until: float = 1.0
    strength: float = 1.0
    caption: float = 0.3
    size_prior: float = 1.0
    overlap: str = "all"
    words: bool = False

    def __post_init__(self) -> None:
        _check_choice("Overlapping regions", self.overlap, OVERLAPS)
        _check_range("The part of the steps", self.until, 0.0, 1.0)
        _check_range("The strength", self.strength, 0.0, 1.0)
        _check_range("The caption's part", self.caption, 0.0, 1.0)
        _check_range("The weight of small objects", self.size_prior, 0.0, 10.0)


@dataclass(frozen=True, slots=True)
class MethodSettings:
    """The settings of every method; a run reads those of the method it uses."""

    noise_collage: NoiseCollage = field(default_factory=NoiseCollage)
    multi_diffusion: MultiDiffusion = field(default_factory=MultiDiffusion)
    dense_diffusion: DenseDiffusion = field(default_factory=DenseDiffusion)
    rich_context: RichContext = field(default_factory=RichContext)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must lie in {low:g}..{high:g}, got {value}.")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is one of {', '.join(choices)}, got {value!r}.")
