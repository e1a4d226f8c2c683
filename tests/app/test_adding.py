"""Pictures become layers that fit, have words and start with sensible values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_documents import raster

from collage_studio.app.adding import (
    Incoming,
    add_pictures,
    fitting_placement,
    text_from_name,
)
from collage_studio.document.geometry import Size
from collage_studio.document.model import Document, LayerRef
from collage_studio.document.suggesting import suggestions_for

SIDES = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("red_car", "red car"),
        ("red-car-02 (1)", "red car"),
        ("RedVintageCar", "red vintage car"),
        ("tent copy", "tent"),
        ("lighthouse-removebg-preview", "lighthouse"),
        ("Büro am Fluss", "büro am fluss"),
        ("IMG_20240101_123456", ""),
        ("DSC00123", ""),
        ("PXL_20230708_101112", ""),
        ("Screenshot 2024-01-01 at 10.11.12", ""),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", ""),
        ("123", ""),
        ("", ""),
    ],
)
def test_a_files_name_gives_the_layers_text_unless_a_camera_gave_it(name: str, text: str):
    assert text_from_name(name) == text


@given(SIDES, SIDES, st.integers(64, 4000), st.integers(64, 4000))
def test_a_picture_fits_inside_the_canvas_and_is_never_enlarged(
    width: int, height: int, canvas_width: int, canvas_height: int
):
    size, canvas = Size(width, height), Size(canvas_width, canvas_height)
    placement = fitting_placement(size, canvas, None)
    box = placement.bounds(size)
    assert box.width <= max(canvas.width + 1, 8)
    assert box.height <= max(canvas.height + 1, 8)
    assert placement.a <= max(1.0, 8 / max(width, height))
    centre = placement.apply(width / 2, height / 2)
    assert centre == pytest.approx((canvas.width / 2, canvas.height / 2))


def test_a_dropped_picture_lies_centred_at_the_drop_point():
    document, (layer_id,) = add_pictures(
        Document(Size(400, 300)), [Incoming(raster(1), "red car")], (100.0, 200.0)
    )
    layer = document.find(layer_id)
    assert layer is not None
    assert layer.placement.apply(48, 40) == pytest.approx((100.0, 200.0))
    assert (layer.name, layer.text) == ("Red car", "red car")
    assert document.caption.layer_ids == (layer_id,)


def test_a_picture_without_words_gets_no_chip():
    document, (layer_id,) = add_pictures(
        Document(Size(400, 300)), [Incoming(raster(1), "IMG_0001")]
    )
    layer = document.find(layer_id)
    assert layer is not None
    assert (layer.name, layer.text) == ("IMG_0001", "")
    assert LayerRef(layer_id) not in document.caption.parts


def test_a_new_picture_starts_with_the_suggested_values():
    document, ids = add_pictures(
        Document(Size(480, 480)), [Incoming(raster(n), f"thing {n}") for n in range(2)]
    )
    suggested = suggestions_for(document, ids)
    assert suggested.keys() == set(ids)
    assert all(suggested[layer.id].fits(layer) for layer in document.layers)


def test_several_pictures_are_fanned_out_around_the_point():
    document, ids = add_pictures(
        Document(Size(480, 480)), [Incoming(raster(n), f"thing {'abc'[n]}") for n in range(3)]
    )
    centres = [layer.placement.apply(48, 40) for layer in document.layers]
    assert [layer.id for layer in document.layers] == list(ids)
    assert centres[1] == pytest.approx((240, 240))
    assert centres[0][0] < centres[1][0] < centres[2][0]
