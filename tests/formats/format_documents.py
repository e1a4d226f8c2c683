"""Documents for the format tests: one with everything in it, and hypothesis strategies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import (
    BlendMode,
    Caption,
    Document,
    Layer,
    LayerKind,
    LayerRef,
    Mask,
    NextState,
    Raster,
    Variation,
)
from collage_studio.document.noise_paint import over
from collage_studio.document.recipe import Recipe, RunSettings, Start

CANVAS = Size(120, 90)
UNMOVED = Affine()


def raster(seed: int, width: int = 40, height: int = 30, *, dtype: type = np.uint8) -> Raster:
    """Smooth colours with a soft round alpha; colours go on under alpha 0."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    phase = random.uniform(0, 6.28, (4, 1, 1))
    waves = 0.5 + 0.45 * np.sin(phase + (x + 2 * y) / random.uniform(4, 9, (4, 1, 1)))
    distance = np.hypot((x - width / 2 + 0.5) / width, (y - height / 2 + 0.5) / height)
    waves[3] = np.clip((0.48 - distance) * 12, 0, 1)
    top = np.iinfo(dtype).max
    return Raster(np.ascontiguousarray((np.moveaxis(waves, 0, -1) * top).astype(dtype)))


def noise_paint(size: Size, value: float = 0.9, cover: float = 0.8) -> Raster:
    """A plain stroke of painted noise over the left half."""
    covers = np.zeros(size.shape, np.float32)
    covers[:, : max(1, size.width // 2)] = cover
    return over(None, size, value, covers)


def gradient_mask(width: int = 40, height: int = 30) -> Mask:
    """From hidden on the left to shown on the right."""
    return Mask(np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1)))


def layer(seed: int, name: str, placement: Affine = UNMOVED, **more) -> Layer:
    return Layer(f"id-{seed}", name, raster=raster(seed), placement=placement, **more)


def group(identifier: str, name: str, *children: Layer, **more) -> Layer:
    return Layer(identifier, name, LayerKind.GROUP, children=children, **more)


def variation(identifier: str, seed: int, size: Size = CANVAS) -> Variation:
    pixels = raster(seed, size.width, size.height).pixels.copy()
    pixels[..., 3] = 255
    recipe = Recipe(
        kind="harmonise",
        seed=seed,
        settings=RunSettings(steps=12, avoid="blurry"),
        caption="a tent by a lake, naïve 絵",
        layer_ids=("id-1",),
        start=Start.ORIGINAL,
        layers=({"id": "id-1", "noise": 0.3},),
        app_version="0.1.0",
    )
    return Variation(identifier, 1, Raster(pixels), recipe, Rect(3, 4, 50, 60))


def rich_document(*, accepted: bool = False) -> Document:
    """Masks, groups, blend modes, hidden, locked and off-canvas layers, Unicode names, 16 bit."""
    shift = Affine.translation
    turned = shift(70, 12).after(Affine.rotation(25)).after(Affine.scaling(1.3, 0.8))
    deep = replace(layer(5, "Deep"), raster=raster(5, dtype=np.uint16), placement=shift(8, 50))
    wide = replace(layer(6, "Wide"), raster=raster(6, 200, 120), placement=Affine.scaling(0.3))
    inner = group(
        "g-in",
        "Inner",
        layer(7, "Multiply me", shift(30, 30), blend=BlendMode.MULTIPLY),
        layer(8, "Screen me", shift(38, 35), blend=BlendMode.SCREEN, opacity=0.8),
        blend=BlendMode.NORMAL,
        opacity=0.7,
        mask=gradient_mask(120, 90),
        placement=shift(5, -3),
    )
    through = BlendMode.PASS_THROUGH
    layers = (
        layer(1, "Tent", shift(10, 8), text="a red tent", noise=0.3, state=NextState.KEEP),
        layer(2, "Lanterne 提灯 🏮", turned, opacity=0.6, mask=gradient_mask()),
        layer(3, "Off canvas", shift(-15, 70), blend=BlendMode.OVERLAY),
        layer(4, "Hidden", shift(50, 40), visible=False, locked=True),
        deep,
        wide,
        layer(9, "Mask off", shift(80, 55), mask=gradient_mask(), mask_enabled=False),
        layer(10, "Masked", shift(75, 20), mask=gradient_mask(), attention_in=1.5),
        group("g-out", "Outer", inner, layer(11, "Free", shift(60, 5)), blend=through),
        Layer("tint", "Tint", LayerKind.FILL, fill=(250, 190, 90, 120), opacity=0.5,
              mask=gradient_mask(120, 90), blend=BlendMode.SOFT_LIGHT),
    )  # fmt: skip
    first, second = variation("v1", 41), variation("v2", 42)
    return Document(
        CANVAS,
        layers,
        caption=Caption(("Camp: ", LayerRef("id-1"), " by a lake")),
        settings=RunSettings(steps=30, guidance=7.5),
        variations=(first, second),
        accepted=second if accepted else None,
    )


_names = st.text(min_size=1, max_size=8)
_shares = st.floats(0, 1)
_modes = st.sampled_from([mode for mode in BlendMode if mode is not BlendMode.PASS_THROUGH])
_finite = st.floats(-40, 40, allow_nan=False)
_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)
_unknown = st.dictionaries(st.text(max_size=5).map(lambda key: f"x-{key}"), _plain, max_size=2)


_parts = st.text(max_size=4) | st.builds(LayerRef, _names)


@st.composite
def _rasters(draw: st.DrawFn) -> Raster:
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    return Raster(random.integers(0, np.iinfo(dtype).max + 1, (height, width, 4)).astype(dtype))


@st.composite
def _layers(draw: st.DrawFn, identifier: str, depth: int = 0) -> Layer:
    kind = draw(st.sampled_from(list(LayerKind) if depth < 2 else [LayerKind.PICTURE]))
    has_pixels = kind in (LayerKind.PICTURE, LayerKind.LAYOUT)
    source = draw(_rasters()) if has_pixels else None
    size = source.size if source else Size(draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    mask = None
    if kind is LayerKind.LAYOUT or draw(st.booleans()):
        values = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, size.shape)
        mask = Mask(values.astype(np.uint8))
    children = ()
    if kind is LayerKind.GROUP:
        count = draw(st.integers(0, 2))
        children = tuple(draw(_layers(f"{identifier}.{n}", depth + 1)) for n in range(count))
    return Layer(
        identifier,
        draw(_names),
        kind,
        source,
        mask,
        draw(st.booleans()),
        Affine(*(draw(_finite) for _ in range(6))),
        draw(_shares),
        draw(_modes),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(_names),
        draw(_shares),
        draw(st.sampled_from(NextState)),
        draw(st.floats(0, 5)),
        draw(st.floats(0, 5)),
        children,
        draw(st.tuples(*[st.integers(0, 255)] * 4)),
        draw(_unknown),
        draw(st.none() | _rasters()) if has_pixels else None,
        clipped=draw(st.booleans()),
        noise_paint=noise_paint(source.size) if source and draw(st.booleans()) else None,
    )


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Small documents of every kind of layer."""
    size = Size(draw(st.integers(1, 20)), draw(st.integers(1, 20)))
    layers = tuple(draw(_layers(f"l{n}")) for n in range(draw(st.integers(0, 3))))
    made = tuple(variation(f"v{n}", n, size) for n in range(draw(st.integers(0, 2))))
    return Document(
        size,
        layers,
        caption=Caption(tuple(draw(st.lists(_parts, max_size=3)))),
        settings=RunSettings(steps=draw(st.integers(1, 1000)), guidance=draw(st.floats(0, 30))),
        variations=made,
        accepted=made[-1] if made and draw(st.booleans()) else None,
        unknown=draw(_unknown),
    )  # fmt: skip
