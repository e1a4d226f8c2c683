"""The frozen values check what they are given and compare by content."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from collage_studio.document.geometry import Size
from collage_studio.document.model import (
    Caption,
    Document,
    Layer,
    LayerRef,
    Mask,
    NextState,
    Raster,
    new_id,
)
from collage_studio.document.recipe import RunSettings
from tests.document.collages import group, picture, raster


def test_raster_does_not_follow_the_array_it_was_made_from():
    pixels = np.zeros((3, 4, 4), np.uint8)
    held = Raster(pixels)
    pixels[:] = 9
    assert not held.pixels.any()
    with pytest.raises(ValueError, match="read-only"):
        held.pixels[0, 0, 0] = 1


def test_read_only_window_on_a_changing_array_is_copied():
    pixels = np.zeros((3, 4, 4), np.uint8)
    window = pixels[:]
    window.setflags(write=False)
    held = Raster(window)
    pixels[:] = 9
    assert not held.pixels.any()


def test_read_only_array_is_shared():
    pixels = np.zeros((3, 4, 4), np.uint8)
    pixels.setflags(write=False)
    assert Raster(pixels).pixels is pixels


def test_rasters_are_equal_when_their_content_is():
    assert raster(seed=1) == raster(seed=1)
    assert hash(raster(seed=1)) == hash(raster(seed=1))
    assert raster(seed=1) != raster(seed=2)
    assert raster(8, 6, alpha=0) != raster(6, 8, alpha=0)
    assert raster() != "raster"


def test_depth_is_part_of_the_content():
    zeros = np.zeros((2, 2, 4), np.uint8)
    assert Raster(zeros) != Raster(zeros.astype(np.uint16))
    assert (Raster(zeros).depth, Raster(zeros.astype(np.uint16)).depth) == (8, 16)


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8), np.zeros((2, 2, 4))]
)
def test_raster_needs_four_whole_channels(pixels):
    with pytest.raises(ValueError, match="A raster is"):
        Raster(pixels)


def test_picture_without_alpha_becomes_opaque():
    made = Raster.from_rgb(np.full((2, 3, 3), 7, np.uint8))
    assert made.size == Size(3, 2)
    assert (made.pixels == (7, 7, 7, 255)).all()


def test_mask_has_whole_values_and_compares_by_content():
    assert Mask(np.ones((2, 3), np.uint8)) == Mask(np.ones((2, 3), np.uint8))
    assert Mask(np.ones((2, 3), np.uint8)) != Mask(np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match="A mask is"):
        Mask(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("opacity", 1.5, "opacity"),
        ("noise", -0.1, "noise"),
        ("noise", float("nan"), "noise"),
        ("attention_in", -1.0, "Attention"),
        ("attention_out", float("nan"), "Attention"),
        ("raster", None, "no raster"),
        ("mask", Mask(np.ones((2, 2), np.uint8)), "differ in size"),
    ],
)
def test_layer_refuses_impossible_values(field, value, message):
    with pytest.raises(ValueError, match=message):
        replace(picture(), **{field: value})


def test_layers_do_not_change_in_place():
    with pytest.raises(FrozenInstanceError):
        picture().name = "New"


def test_kept_layer_has_no_noise():
    assert picture(noise=0.4).effective_noise == 0.4
    assert picture(noise=0.4, state=NextState.KEEP).effective_noise == 0


@pytest.mark.parametrize(("field", "value"), [("steps", 0), ("detail", 1.5)])
def test_run_settings_refuse_impossible_values(field, value):
    with pytest.raises(ValueError, match="must lie in"):
        replace(RunSettings(), **{field: value})


def test_layers_are_found_at_any_depth():
    document = Document(Size(9, 9), (picture("a"), group("g", picture("b"))))
    assert [layer.id for layer in document.walk()] == ["a", "g", "b"]
    assert document.find("b") is document.layers[1].children[0]
    assert document.find("background") is document.background
    assert document.find("gone") is None


def test_written_caption_knows_where_each_text_lies():
    layers = (picture("a", text=" a red car "), picture("b"), picture("c", text="a dog"))
    refs = [LayerRef(key) for key in ("a", "b", "gone", "c")]
    parts = ("A photo of ", refs[0], ", ", refs[1], refs[2], refs[3], " at night")
    text, spans = Document(Size(9, 9), layers, caption=Caption(parts)).written_caption()
    assert text == "A photo of a red car, a dog at night"
    assert [text[span.start : span.end] for span in spans] == ["a red car", "a dog"]
    assert [span.layer_id for span in spans] == ["a", "c"]


def test_ids_are_fresh():
    assert len({new_id() for _ in range(100)}) == 100


def test_fill_needs_no_raster():
    assert isinstance(Document(Size(2, 2)).background, Layer)
