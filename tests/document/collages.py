"""Small documents for tests of the document room."""

import numpy as np
from hypothesis import strategies as st

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import (
    BlendMode,
    Document,
    Layer,
    LayerKind,
    Mask,
    Raster,
)


def raster(width=8, height=6, seed=0, alpha=None, dtype=np.uint8):
    """Random pixels; `alpha` None = random too, else that value everywhere."""
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(seed).integers(0, top + 1, (height, width, 4), dtype=dtype)
    if alpha is not None:
        pixels[..., 3] = alpha
    return Raster(pixels)


def plain(width, height, rgba):
    return Raster(np.full((height, width, 4), rgba, np.uint8))


def picture(layer_id="a", pixels=None, **changes):
    return Layer(layer_id, layer_id.title(), raster=pixels or raster(), **changes)


def group(layer_id, *children, **changes):
    return Layer(layer_id, layer_id.title(), LayerKind.GROUP, children=children, **changes)


def fill(layer_id, rgba, **changes):
    return Layer(layer_id, layer_id.title(), LayerKind.FILL, fill=rgba, **changes)


def disc(layer_id, centre, radius, size, **changes):
    """An opaque disc, antialiased, on a raster of `size`."""
    ys, xs = np.mgrid[: size.height, : size.width] + 0.5
    inside = np.clip(radius + 0.5 - np.hypot(xs - centre[0], ys - centre[1]), 0, 1)
    pixels = np.full((*size.shape, 4), 200, np.uint8)
    pixels[..., 3] = np.round(inside * 255)
    return Layer(layer_id, layer_id.title(), raster=Raster(pixels), **changes)


unit = st.floats(0, 1, width=32)
only_normal = st.just(BlendMode.NORMAL)
blends = st.sampled_from([mode for mode in BlendMode if mode is not BlendMode.PASS_THROUGH])
placements = st.builds(
    lambda x, y, angle, scale: (
        Affine.translation(x, y).after(Affine.rotation(angle)).after(Affine.scaling(scale))
    ),
    st.floats(-6, 10),
    st.floats(-6, 10),
    st.sampled_from([0.0, 30.0, 90.0, 200.0]),
    st.sampled_from([0.4, 1.0, 1.7]),
)
shifts = st.builds(Affine.translation, st.integers(-4, 9), st.integers(-4, 9))


@st.composite
def leaf_layers(draw, blend=only_normal, where=placements):
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    pixels = raster(width, height, draw(st.integers(0, 99)), draw(st.sampled_from([None, 255])))
    mask = None
    if draw(st.booleans()):
        values = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width))
        mask = Mask(values.astype(np.uint8))
    return Layer(
        draw(st.uuids(version=4)).hex[:12],
        "Layer",
        raster=pixels,
        mask=mask,
        mask_enabled=draw(st.booleans()),
        placement=draw(where),
        opacity=draw(st.sampled_from([0.0, 0.3, 1.0])),
        visible=draw(st.sampled_from([True, True, True, False])),
        blend=draw(blend),
        noise=draw(unit),
    )


@st.composite
def trees(draw, leaf=None, group_blend=only_normal):
    leaf = leaf if leaf is not None else leaf_layers()
    layers = draw(st.lists(leaf, max_size=3))
    if draw(st.booleans()):
        inner = Layer(
            draw(st.uuids(version=4)).hex[:12],
            "Group",
            LayerKind.GROUP,
            opacity=draw(st.sampled_from([0.4, 1.0])),
            placement=draw(shifts),
            blend=draw(group_blend),
            children=tuple(draw(st.lists(leaf, max_size=3))),
        )
        layers.insert(draw(st.integers(0, len(layers))), inner)
    return tuple(layers)


def documents(layers=None):
    return st.builds(
        lambda stack: Document(Size(12, 10), stack), layers if layers is not None else trees()
    )
