"""An accepted picture goes back into its layers and comes out of them again."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collage_studio.document.compositing import composite_picture
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.harmonised import (
    SHADOW,
    cast_id,
    caster_of,
    harmonised_stack,
    without_harmonised,
)
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import BlendMode, Document, Layer, LayerKind, Mask, Raster
from collage_studio.writeback.leaves import leaves_of, visible_shares
from collage_studio.writeback.stack import write_back

SIZE = Size(40, 32)


def soft_disc(side: int, colour: tuple[int, int, int]) -> Raster:
    y, x = np.mgrid[0:side, 0:side] + 0.5
    away = np.hypot(x - side / 2, y - side / 2)
    alpha = np.clip((side / 2 - away) / 3, 0, 1)
    pixels = np.empty((side, side, 4), np.uint8)
    pixels[..., :3] = colour
    pixels[..., 3] = np.rint(alpha * 255)
    return Raster(pixels)


def sharp_disc(side: int) -> Raster:
    y, x = np.mgrid[0:side, 0:side] + 0.5
    alpha = np.clip(side / 2 - np.hypot(x - side / 2, y - side / 2), 0, 1) * 255
    return Raster(np.dstack([np.full((side, side, 3), (220, 60, 40)), alpha]).astype(np.uint8))


def backdrop() -> Layer:
    ramp = np.linspace(60, 200, SIZE.width)[None, :, None]
    return Layer(
        "room", "Room", raster=Raster.from_rgb(np.broadcast_to(ramp, (32, 40, 3)).astype(np.uint8))
    )


def layers(seed: int) -> tuple[Layer, ...]:
    rng = np.random.default_rng(seed)
    found = list[Layer]()
    for index in range(int(rng.integers(1, 5))):
        turn = Affine.rotation(float(rng.uniform(-40, 40)))
        move = Affine.translation(*(float(v) for v in rng.uniform(-6, 26, 2)))
        raster = soft_disc(int(rng.integers(8, 24)), tuple(int(v) for v in rng.integers(0, 256, 3)))
        hole = np.full(raster.size.shape, 255, np.uint8)
        hole[: raster.size.height // 3] = 90
        layer = Layer(
            f"disc-{index}",
            f"Disc {index}",
            raster=raster,
            mask=Mask(hole) if rng.random() < 0.4 else None,
            placement=move.after(turn),
            opacity=float(rng.choice([1.0, 1.0, 0.6])),
            blend=BlendMode(rng.choice([BlendMode.NORMAL, BlendMode.MULTIPLY])),
            visible=bool(rng.random() < 0.85),
        )
        if rng.random() < 0.3:
            layer = Layer(
                f"group-{index}",
                "Group",
                LayerKind.GROUP,
                placement=Affine.scaling(0.9),
                opacity=0.8,
                children=(layer,),
            )
        found.append(layer)
    return tuple(found)


def largest_error(document: Document, picture: np.ndarray) -> int:
    made = composite_picture(harmonised_stack(write_back(document, picture)))
    return int(np.abs(made.astype(int) - picture).max())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), with_room=st.booleans())
def test_any_picture_is_recomposed_to_one_level(seed: int, with_room: bool):
    room = (backdrop(),) if with_room else ()
    document = Document(SIZE, (*room, *layers(seed)))
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (*SIZE.shape, 3)).astype(np.uint8)
    calm = np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), noise.shape)
    assert largest_error(document, noise) <= 1
    assert largest_error(document, np.ascontiguousarray(calm)) <= 1


def test_layers_keep_everything_but_their_harmonised_pixels():
    document = Document(SIZE, (backdrop(), *layers(3)))
    picture = np.full((*SIZE.shape, 3), 90, np.uint8)
    written = write_back(document, picture)
    plain = [
        replace(a, harmonised=None, harmonised_placement=b.harmonised_placement, children=())
        for a, b in zip(written.walk(), document.walk(), strict=True)
    ]
    assert plain == [replace(layer, children=()) for layer in document.walk()]


def test_a_moved_layer_takes_its_harmonised_pixels_along():
    disc = Layer(
        "disc", "Disc", raster=soft_disc(16, (200, 30, 30)), placement=Affine.translation(4, 4)
    )
    document = Document(SIZE, (backdrop(), disc))
    picture = composite_picture(document)
    written = write_back(document, picture)
    moved = written.layers[1]
    moved = replace(moved, placement=Affine.translation(12, 0).after(moved.placement))
    stack = written.with_layers(written.layers[0], moved)
    expected = composite_picture(
        document.with_layers(backdrop(), replace(disc, placement=moved.placement))
    )
    assert np.abs(composite_picture(harmonised_stack(stack)).astype(int) - expected).max() <= 3


def test_a_blurred_edge_is_no_new_outline_and_leaves_no_rim_behind():
    size = Size(128, 96)
    room = Layer("room", "Room", raster=Raster.from_rgb(np.full((96, 128, 3), 90, np.uint8)))
    place = Affine.translation(40, 24)
    disc = Layer("disc", "Disc", raster=sharp_disc(48), placement=place)
    document = Document(size, (room, disc))
    picture = cv2.GaussianBlur(composite_picture(document), (0, 0), 1.5).astype(np.uint8)
    written = write_back(document, picture)
    stack = harmonised_stack(written)
    assert np.abs(composite_picture(stack).astype(int) - picture).max() <= 1
    alphas = [visible_masks(one)["disc"] for one in (document, stack)]
    near = cv2.dilate((alphas[0] > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert np.abs(alphas[1] - alphas[0])[near].mean() < 0.01
    left = composite_picture(stack.with_layers(*(one for one in stack.layers if is_room(one))))
    shown = np.abs(picture.astype(int) - 90).max(axis=2)
    rim = near & (alphas[0] == 0)
    assert np.abs(left.astype(int) - 90).max(axis=2)[rim].mean() < 0.6 * shown[rim].mean()


def is_room(layer: Layer) -> bool:
    return layer.id != "disc" and caster_of(layer) != "disc"


def test_an_object_drawn_well_beyond_its_mask_gets_a_larger_one():
    size = Size(128, 96)
    room = Layer("room", "Room", raster=Raster.from_rgb(np.full((96, 128, 3), 90, np.uint8)))
    small, large = (
        Layer("disc", "Disc", raster=sharp_disc(side), placement=place)
        for side, place in ((48, Affine.translation(40, 24)), (54, Affine.translation(37, 21)))
    )
    drawn = composite_picture(Document(size, (room, large)))
    written = harmonised_stack(write_back(Document(size, (room, small)), drawn))
    before = visible_masks(Document(size, (room, small)))["disc"]
    truth = visible_masks(Document(size, (room, large)))["disc"]
    found = visible_masks(written)["disc"]
    assert np.abs(found - truth).sum() < 0.6 * np.abs(before - truth).sum()


def test_a_shadow_on_the_ground_becomes_a_multiply_layer():
    rng = np.random.default_rng(0)
    floor = rng.integers(120, 200, (96, 96, 3)).astype(np.uint8)
    ball = Layer(
        "ball", "Ball", raster=soft_disc(30, (220, 40, 40)), placement=Affine.translation(30, 20)
    )
    document = Document(
        Size(96, 96), (Layer("floor", "Floor", raster=Raster.from_rgb(floor)), ball)
    )
    y, x = np.mgrid[0:96, 0:96]
    shade = 1 - 0.6 * np.exp(-(((x - 45) / 14) ** 2 + ((y - 56) / 6) ** 2))
    lit = np.rint(composite_picture(document) * shade[..., None]).astype(np.uint8)
    leaf = leaves_of(document)[2]
    plain = composite_picture(document)[leaf.box.slices]
    lit[leaf.box.slices] = np.where(leaf.alpha[..., None] > 0, plain, lit[leaf.box.slices])
    written = write_back(document, lit)
    shadow = next(layer for layer in written.beside if layer.id == cast_id(SHADOW, "ball"))
    assert shadow.blend is BlendMode.MULTIPLY
    place = ball.placement.after(shadow.placement)
    cast = np.ones((96, 96))
    height, width = shadow.raster.size.shape
    left, top = round(place.c), round(place.f)
    cast[top : top + height, left : left + width] = shadow.raster.pixels[..., 0] / 255
    assert cast[58, 45] < 0.65
    assert cast[5:15].mean() > 0.98
    bare = written.layers[0].harmonised.pixels[..., :3]
    assert np.abs(bare[55:62, 38:52].astype(float) - floor[55:62, 38:52]).mean() < 12


def test_a_hidden_part_keeps_the_layers_own_detail_in_the_new_light():
    rng = np.random.default_rng(1)
    floor = rng.integers(40, 220, (64, 64, 3)).astype(np.uint8)
    cover = Layer(
        "cover",
        "Cover",
        raster=Raster.from_rgb(np.full((24, 24, 3), 250, np.uint8)),
        placement=Affine.translation(20, 20),
    )
    document = Document(
        Size(64, 64), (Layer("floor", "Floor", raster=Raster.from_rgb(floor)), cover)
    )
    dusk = np.rint(composite_picture(document) * np.array([0.8, 0.5, 0.4])).astype(np.uint8)
    behind = write_back(document, dusk).layers[0].harmonised.pixels[20:44, 20:44, :3]
    expected = floor[20:44, 20:44] * np.array([0.8, 0.5, 0.4])
    assert np.abs(behind - expected).mean() < 12


def test_shares_of_all_layers_add_up_to_one():
    document = Document(SIZE, (backdrop(), *layers(5)))
    leaves = leaves_of(document)
    total = np.zeros(SIZE.shape)
    for leaf, share in zip(leaves, visible_shares(leaves, SIZE.shape), strict=True):
        total[leaf.box.slices] += share
    assert np.abs(total - 1).max() < 1e-5


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match="The picture is 8 x 8 px, the canvas 40 x 32 px"):
        write_back(Document(SIZE), np.zeros((8, 8, 3), np.uint8))


def test_taking_it_back_leaves_the_document_as_it_was():
    document = Document(SIZE, (backdrop(), *layers(7)))
    picture = np.full((*SIZE.shape, 3), 90, np.uint8)
    assert without_harmonised(write_back(document, picture, "v")) == document


def two_balls() -> tuple[Document, np.ndarray]:
    """Balls on a floor, each over a shadow of its own, and the picture of it."""
    floor = np.full((96, 128, 3), 180, np.uint8)
    balls = (
        Layer(key, key, raster=soft_disc(24, (220, 40, 40)), placement=Affine.translation(x, 20))
        for key, x in (("left", 16), ("right", 84))
    )
    document = Document(
        Size(128, 96), (Layer("floor", "Floor", raster=Raster.from_rgb(floor)), *balls)
    )
    y, x = np.mgrid[0:96, 0:128]
    shade = np.ones((96, 128))
    for centre in (28, 96):
        shade *= 1 - 0.6 * np.exp(-(((x - centre) / 12) ** 2 + ((y - 50) / 6) ** 2))
    lit = composite_picture(document) * shade[..., None]
    lit[20:44] = composite_picture(document)[20:44]
    return document, np.rint(lit).astype(np.uint8)


def test_each_object_has_the_shadow_it_casts():
    document, lit = two_balls()
    written = write_back(document, lit)
    casters = {caster_of(layer) for layer in written.beside if layer.id.startswith(SHADOW)}
    assert casters == {"left", "right"}
    made = composite_picture(harmonised_stack(written)).astype(int)
    assert np.abs(made - lit).max() <= 1


def test_a_shadow_moves_with_its_layer_and_goes_with_it():
    document, lit = two_balls()
    written = write_back(document, lit)
    right = written.layers[2]
    place = Affine.translation(-34, 0).after(right.placement)
    moved = written.with_layers(*written.layers[:2], replace(right, placement=place))
    made = composite_picture(harmonised_stack(moved)).astype(int)
    assert made[50, 96].mean() > 160
    assert made[50, 62].mean() < 120
    assert np.abs(made[:, :40] - lit[:, :40]).max() <= 1
    gone = composite_picture(harmonised_stack(written.with_layers(*written.layers[:2])))
    assert gone[50, 96].mean() > 160
    assert gone[50, 28].mean() < 120


def test_a_hidden_layer_casts_nothing():
    document, lit = two_balls()
    written = write_back(document, lit)
    hidden = replace(written.layers[2], visible=False)
    made = composite_picture(harmonised_stack(written.with_layers(*written.layers[:2], hidden)))
    assert made[50, 96].mean() > 160
