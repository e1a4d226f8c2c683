"""Hidden parts are found, painted by themselves, and the stack still makes the accepted picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collage_studio.document.captioning import caption_without
from collage_studio.document.compositing import composite_picture
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.harmonised import GROUND, harmonised_stack
from collage_studio.document.model import (
    Caption,
    Document,
    Layer,
    LayerRef,
    NextState,
    Raster,
    Variation,
)
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.writeback.filling import MISSING_NOISE, filled, needs_run, noise_of, run_of
from collage_studio.writeback.hidden import gaps_of
from collage_studio.writeback.settling import with_filling
from collage_studio.writeback.stack import write_back

SIZE = Size(64, 48)


def disc(side: int = 20, colour: tuple[int, int, int] = (210, 40, 30)) -> Raster:
    y, x = np.mgrid[0:side, 0:side] + 0.5
    alpha = np.clip((side / 2 - np.hypot(x - side / 2, y - side / 2)) / 2, 0, 1)
    return Raster(np.dstack([np.full((side, side, 3), colour), alpha * 255]).astype(np.uint8))


def ball(x: int = 20, y: int = 14, key: str = "ball") -> Layer:
    return Layer(key, key.title(), raster=disc(), placement=Affine.translation(x, y), text="a ball")


def room(*, hole: Layer | None = None) -> Layer:
    pixels = np.full((*SIZE.shape, 4), 255, np.uint8)
    pixels[..., :3] = np.linspace(60, 200, SIZE.width)[None, :, None]
    if hole is not None:
        assert hole.raster is not None
        left, top = (round(v) for v in hole.placement.apply(0, 0))
        side = hole.raster.size.width
        gone = hole.raster.pixels[..., 3] > 127
        pixels[top : top + side, left : left + side][gone] = 0
    return Layer("room", "Room", raster=Raster(pixels), text="a room")


def accepted(document: Document, seed: int = 0) -> Document:
    rng = np.random.default_rng(seed)
    picture = composite_picture(document).astype(int) + rng.integers(-6, 7, 3)
    pixels = np.clip(picture, 0, 255).astype(np.uint8)
    recipe = Recipe("harmonise", 1, RunSettings(), "")
    made = Variation("v", 1, Raster.from_rgb(pixels), recipe)
    return write_back(replace(document, accepted=made), pixels, "v")


def error(document: Document) -> int:
    assert document.accepted is not None
    target = document.accepted.picture.pixels[..., :3].astype(int)
    return int(np.abs(composite_picture(harmonised_stack(document)) - target).max())


def painted(document: Document, colour: int = 120) -> Document:
    picture = np.full((*SIZE.shape, 3), colour, np.uint8)
    for layer_id in [gap.layer_id for gap in gaps_of(document) if needs_run(gap)]:
        gap = next(one for one in gaps_of(document) if one.layer_id == layer_id)
        for found in filled(document, gap, picture):
            document = with_filling(document, found)
    return document


def without(document: Document, key: str) -> np.ndarray:
    stack = harmonised_stack(
        replace(document, beside=tuple(layer for layer in document.beside if layer.id == GROUND))
    )
    return composite_picture(stack.with_layers(*(one for one in stack.layers if one.id != key)))


def test_a_cutout_over_a_whole_backdrop_hides_nothing_that_is_missing():
    document = accepted(Document(SIZE, (room(), ball())))
    assert [gap.layer_id for gap in gaps_of(document)] == ["room"]
    assert not any(needs_run(gap) for gap in gaps_of(document))


def test_a_repainted_backdrop_is_painted_on_from_its_own_pixels():
    document = accepted(Document(SIZE, (replace(room(), noise=0.8), ball())))
    [gap] = gaps_of(document)
    assert noise_of(gap).max() == np.float32(0.8)
    assert not gap.missing.any()


def test_behind_a_ball_on_an_empty_canvas_the_canvas_is_missing():
    document = accepted(Document(SIZE, (ball(),)))
    [gap] = gaps_of(document)
    assert gap.layer_id == GROUND
    assert gap.missing.sum() == gap.hidden.sum() > 100


def test_a_canvas_that_is_kept_is_known():
    document = Document(SIZE, (ball(),))
    document = replace(document, background=replace(document.background, state=NextState.KEEP))
    assert not any(needs_run(gap) for gap in gaps_of(accepted(document)))


def test_a_backdrop_that_an_object_was_cut_out_of_goes_on_behind_it():
    document = accepted(Document(SIZE, (room(hole=ball()), ball())))
    [gap] = gaps_of(document)
    assert gap.layer_id == "room"
    assert gap.missing.sum() > 100
    left = without(document, "ball")[14:34, 20:40].astype(int)
    assert np.abs(left - without(document, "ball")[5:10, 20:40].mean(0).astype(int)).mean() < 30


def test_a_window_through_which_something_is_seen_is_no_hole():
    pixels = room().raster
    assert pixels is not None
    opened = pixels.pixels.copy()
    opened[10:40, 10:50, 3] = 0
    wall = replace(room(), raster=Raster(opened))
    document = accepted(Document(SIZE, (room(), replace(wall, id="wall"), ball())))
    assert "wall" not in [gap.layer_id for gap in gaps_of(document) if gap.missing.any()]


@pytest.mark.parametrize("hole", [True, False])
@pytest.mark.parametrize("colour", [0, 120, 255])
def test_the_stack_makes_the_accepted_picture_whatever_was_painted(hole: bool, colour: int):
    layers = (room(hole=ball()), ball()) if hole else (ball(), ball(32, 20, "other"))
    document = accepted(Document(SIZE, layers))
    after = painted(document, colour)
    assert after != document
    assert error(document) <= 1
    assert error(after) <= 1


def test_a_backdrop_goes_on_into_its_hole_without_a_dark_rim():
    left = without(accepted(Document(SIZE, (room(hole=ball()), ball()))), "ball")
    truth = composite_picture(Document(SIZE, (room(),)))
    assert (truth.astype(int) - left).max() < 20


def test_what_was_painted_is_seen_where_the_layer_was():
    document = accepted(Document(SIZE, (room(hole=ball()), ball())))
    dark, lighter = (
        without(painted(document, colour), "ball")[22:26, 28:32].astype(int) for colour in (20, 60)
    )
    # A light that differs by up to 24 levels is taken out of all of it; the rest is as painted.
    assert np.abs(dark - 20).mean() < 60
    assert (lighter - dark).min() >= 20


def test_the_run_sees_no_layer_in_front_and_none_of_its_words():
    caption = Caption((LayerRef("ball"), " in ", LayerRef("room"), " at night"))
    layers = (room(hole=ball()), ball())
    document = accepted(replace(Document(SIZE, layers), caption=caption))
    [gap] = gaps_of(document)
    request = run_of(document, gap, 3, document.settings)
    assert [layer.id for layer in request.document.walk()] == ["room"]
    assert request.document.written_caption()[0] == "a room at night"
    assert request.settings.avoid == "a ball"
    assert request.also is not None
    assert request.also.values[24, 30] == round(255 * MISSING_NOISE)
    assert request.also.values[2, 2] == 0


@pytest.mark.parametrize(
    ("parts", "left"),
    [
        (
            (LayerRef("a"), " and ", LayerRef("b"), " on ", LayerRef("c"), " at dusk"),
            "sand at dusk",
        ),
        (("at dusk, ", LayerRef("a"), " and ", LayerRef("b"), " on sand"), "at dusk on sand"),
        ((LayerRef("c"), " with ", LayerRef("a")), "sand"),
        ((LayerRef("a"), ", ", LayerRef("c"), " and ", LayerRef("b")), "sand"),
    ],
)
def test_a_caption_without_some_of_its_layers_still_reads(parts, left):
    texts = {"a": "a cat", "b": "a dog", "c": "sand"}
    layers = (replace(ball(key=key), text=text) for key, text in texts.items())
    document = Document(SIZE, tuple(layers), caption=Caption(parts))
    found = caption_without(document, {"a", "b"})
    assert replace(document, caption=found).written_caption()[0] == left


def test_a_caption_without_chips_gives_way_to_the_layers_own_words():
    document = Document(SIZE, (ball(),), caption=Caption(("a ball on sand",)))
    assert caption_without(document, {"ball"}, "sand").parts == ("sand",)
