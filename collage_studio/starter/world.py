"""The sticker world as data: objects, backgrounds, lightings, and scenes drawn from a seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

HELD_OUT_FROM = 1_000_000
"""Scenes with this seed or above are for evaluation only; training refuses them."""

CANVAS = 256
"""Default canvas side in pixels, and the size the starter model was trained for."""


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """One kind of thing that can be pasted: its name, its emoji, and its usual height."""

    name: str
    emoji: str
    height: float = 0.40
    floats: bool = False

    @property
    def phrase(self) -> str:
        """The name with its article, as it stands in a caption."""
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"

    @property
    def file_name(self) -> str:
        return f"{self.name.replace(' ', '_')}.png"


@dataclass(frozen=True, slots=True)
class LightingKind:
    """How one lighting colours the world. Colours are sRGB-encoded multipliers or values, 0..1."""

    name: str
    phrase: str
    tint: tuple[float, float, float]
    sky: tuple[float, float, float]
    horizon: tuple[float, float, float]
    sky_mix: float
    rim: tuple[float, float, float]
    rim_strength: float
    slope: float
    """How much brighter the lit side of an object is than the far side."""
    shadow: float
    """Darkness of a contact shadow at its core."""
    shadow_length: float
    """How far a shadow reaches sideways, in object widths."""
    fog: float = 0.0


OBJECTS: tuple[ObjectKind, ...] = (
    ObjectKind("tent", "⛺", 0.42),
    ObjectKind("dog", "🐕", 0.42),
    ObjectKind("red apple", "🍎", 0.36),
    ObjectKind("guitar", "🎸", 0.42),
    ObjectKind("car", "🚗", 0.34),
    ObjectKind("tree", "🌳", 0.48),
    ObjectKind("cactus", "🌵", 0.44),
    ObjectKind("balloon", "🎈", 0.44, floats=True),
    ObjectKind("sailboat", "⛵", 0.44),
    ObjectKind("house", "🏠", 0.44),
    ObjectKind("cat", "🐈", 0.42),
    ObjectKind("mushroom", "🍄", 0.40),
    ObjectKind("pizza", "🍕", 0.40),
    ObjectKind("ball", "⚽", 0.34),
    ObjectKind("sunflower", "🌻", 0.44),
    ObjectKind("robot", "🤖", 0.42),
    ObjectKind("rocket", "🚀", 0.44),
    ObjectKind("umbrella", "☂", 0.44),
    ObjectKind("chair", "🪑", 0.42),
    ObjectKind("backpack", "🎒", 0.42),
    ObjectKind("duck", "🦆", 0.40),
    ObjectKind("pumpkin", "🎃", 0.38),
    ObjectKind("star", "⭐", 0.38),
    ObjectKind("penguin", "🐧", 0.42),
)

BACKGROUNDS: dict[str, str] = {
    "meadow": "in a meadow",
    "beach": "on a beach",
    "desert": "in a desert",
    "snowy field": "in a snowy field",
    "city street": "on a city street",
    "lake": "by a lake",
}
"""Background name -> how a caption says it. The painters are in `backgrounds`."""

LIGHTINGS: tuple[LightingKind, ...] = (
    LightingKind(
        "noon",
        "at noon",
        (1.0, 1.0, 0.97),
        (0.38, 0.64, 0.94),
        (0.80, 0.91, 0.99),
        0.0,
        (1.0, 1.0, 0.92),
        0.30,
        0.30,
        0.50,
        0.05,
    ),
    LightingKind(
        "sunset",
        "at sunset",
        (1.0, 0.66, 0.44),
        (0.42, 0.30, 0.55),
        (1.0, 0.58, 0.25),
        0.92,
        (1.0, 0.72, 0.30),
        0.60,
        0.50,
        0.50,
        0.55,
    ),
    LightingKind(
        "night",
        "at night",
        (0.30, 0.38, 0.66),
        (0.03, 0.05, 0.16),
        (0.12, 0.17, 0.36),
        0.96,
        (0.60, 0.72, 1.0),
        0.35,
        0.30,
        0.55,
        0.20,
    ),
    LightingKind(
        "fog",
        "in fog",
        (0.86, 0.89, 0.92),
        (0.76, 0.79, 0.82),
        (0.84, 0.86, 0.88),
        0.95,
        (0.95, 0.97, 1.0),
        0.10,
        0.06,
        0.28,
        0.0,
        fog=0.80,
    ),
)

CAPTION_ORDERS: tuple[str, ...] = ("{objects} {place} {light}", "{light}, {objects} {place}")
EMPTY_CAPTION = "an empty scene {place} {light}"


class HeldOutSeed(ValueError):
    """A seed kept for evaluation was about to be trained on."""

    def __init__(self, seed: int) -> None:
        super().__init__(
            f"Scene {seed} is held out for evaluation; training uses seeds below {HELD_OUT_FROM}."
        )


def refuse_held_out(seeds: Iterable[int]) -> None:
    """Raise `HeldOutSeed` if a seed must not be trained on."""
    for seed in seeds:
        if seed >= HELD_OUT_FROM:
            raise HeldOutSeed(int(seed))


_OBJECTS_BY_NAME = {kind.name: kind for kind in OBJECTS}
_LIGHTINGS_BY_NAME = {kind.name: kind for kind in LIGHTINGS}


def object_kind(name: str) -> ObjectKind:
    return _OBJECTS_BY_NAME[name]


def lighting_kind(name: str) -> LightingKind:
    return _LIGHTINGS_BY_NAME[name]


@dataclass(frozen=True, slots=True)
class Placed:
    """One object in a scene. Lengths are fractions of the canvas side; y points down."""

    name: str
    x: float
    """Centre."""
    base: float
    """Where the object stands: the bottom of its sprite."""
    height: float
    angle: float
    """Degrees, clockwise."""
    flipped: bool
    look: int = 0
    """0 = the sticker as it is, otherwise the number of an unusual look (`looks`)."""

    @property
    def phrase(self) -> str:
        return object_kind(self.name).phrase


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture to be rendered, as a value. `objects` are ordered back to front."""

    seed: int
    background: str
    lighting: str
    from_left: bool
    """Whether the light comes from the left."""
    objects: tuple[Placed, ...]
    caption: tuple[str | int, ...]
    """Free text, and indices into `objects`."""

    @property
    def is_held_out(self) -> bool:
        return self.seed >= HELD_OUT_FROM

    @classmethod
    def from_seed(
        cls,
        seed: int,
        *,
        min_objects: int = 1,
        max_objects: int = 4,
        background: str | None = None,
        lighting: str | None = None,
    ) -> Scene:
        """Draw a scene; the same arguments always give the same scene."""
        rng = np.random.default_rng([seed, 1])
        drawn_background = str(rng.choice(list(BACKGROUNDS)))
        drawn_lighting = LIGHTINGS[int(rng.integers(len(LIGHTINGS)))].name
        from_left = bool(rng.random() < 0.5)
        count = int(rng.integers(min_objects, max_objects + 1))
        objects = _place_objects(rng, count)
        background = background or drawn_background
        lighting = lighting or drawn_lighting
        caption = compose_caption(
            np.random.default_rng([seed, 2]),
            [placed.phrase for placed in objects],
            background,
            lighting,
        )
        return cls(seed, background, lighting, from_left, objects, caption)


def caption_parts(scene: Scene) -> list[str | int]:
    """The caption as free text and indices of objects; an index stands for the object's phrase."""
    return list(scene.caption)


def caption_text(scene: Scene) -> str:
    """The caption written out."""
    return "".join(
        part if isinstance(part, str) else scene.objects[part].phrase for part in scene.caption
    )


def compose_caption(
    rng: np.random.Generator, phrases: list[str], background: str, lighting: str
) -> tuple[str | int, ...]:
    """Word a caption that names every phrase once, in an order that tells nothing about depth."""
    place, light = BACKGROUNDS[background], lighting_kind(lighting).phrase
    if not phrases:
        return (EMPTY_CAPTION.format(place=place, light=light),)
    before, after = CAPTION_ORDERS[int(rng.random() < 0.25)].split("{objects}")
    order = [int(i) for i in rng.permutation(len(phrases))]
    parts: list[str | int] = [before.format(place=place, light=light)] if before else []
    for position, index in enumerate(order):
        if position:
            parts.append(" and " if position == len(order) - 1 else ", ")
        parts.append(index)
    parts.append(after.format(place=place, light=light))
    return tuple(parts)


def _place_objects(rng: np.random.Generator, count: int) -> tuple[Placed, ...]:
    names = rng.choice(len(OBJECTS), size=count, replace=False)
    slots = (rng.permutation(count) + 0.5) / max(count, 1)
    placed = [
        _place(rng, OBJECTS[int(kind)], float(slot), count)
        for kind, slot in zip(names, slots, strict=True)
    ]
    return tuple(sorted(placed, key=lambda item: item.base))


def _place(rng: np.random.Generator, kind: ObjectKind, slot: float, count: int) -> Placed:
    height = kind.height * float(rng.uniform(0.78, 1.16)) * (1.0 if count < 4 else 0.88)
    spread = 0.30 if count == 1 else 0.10
    x = float(np.clip(slot + rng.uniform(-spread, spread), 0.17, 0.83))
    base = float(rng.uniform(0.42, 0.80) if kind.floats else rng.uniform(0.66, 0.96))
    angle = float(np.clip(rng.normal(0.0, 5.0), -12.0, 12.0))
    return Placed(kind.name, x, base, height, angle, bool(rng.random() < 0.5))
