"""Clipping to the layer below: what may be clipped, to what, and what then shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collage_studio.document.compositing import composite_picture
from collage_studio.document.edits import clip_base, set_clipped
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, LayerKind, Raster


def square(key: str, x: int, colour: int) -> Layer:
    raster = Raster.from_rgb(np.full((8, 8, 3), colour, np.uint8))
    return Layer(key, key.title(), raster=raster, placement=Affine.translation(x, 0))


def pile() -> Document:
    return Document(Size(24, 8), (square("a", 0, 50), square("b", 4, 120), square("c", 6, 220)))


def test_a_clipped_layer_shows_only_on_what_lies_below():
    clipped = set_clipped(pile(), ("b",), True)
    row = composite_picture(clipped)[4, :, 0]
    assert row[2] == 50
    assert row[6] == 220
    alone = composite_picture(set_clipped(pile().with_layers(*pile().layers[:2]), ("b",), True))
    assert (alone[4, 4:8, 0] == 120).all()
    assert (alone[4, 8:, 0] == 150).all()


def test_several_layers_are_clipped_to_the_same_base():
    document = set_clipped(pile(), ("b", "c"), True)
    base = clip_base(document, "c")
    assert base is not None
    assert base.id == "a"


def test_the_lowest_layer_cannot_be_clipped():
    document = pile()
    assert clip_base(document, "a") is None
    assert set_clipped(document, ("a",), True) is document


def test_what_is_clipped_already_stays_the_very_same():
    document = set_clipped(pile(), ("b",), True)
    assert set_clipped(document, ("b",), True) is document
    assert set_clipped(document, ("b",), False) == pile()


def test_inside_a_group_the_siblings_count():
    document = pile()
    group = Layer("g", "Group", LayerKind.GROUP, children=(replace(document.layers[2]),))
    document = document.with_layers(*document.layers[:2], group)
    assert clip_base(document, "c") is None
    base = clip_base(document, "g")
    assert base is not None
    assert base.id == "b"
