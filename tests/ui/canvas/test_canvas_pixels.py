"""What is on screen equals the document's compositor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from canvas_stage import WHITE, Stage, solid, textured, two_boxes
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from collage_studio.app.editor import Editor
from collage_studio.app.selection import Selection
from collage_studio.document import choosing, edits
from collage_studio.document.compositing import flatten
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import (
    BlendMode,
    Document,
    Layer,
    LayerKind,
    Mask,
    Raster,
    Variation,
)
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.engine.api import describe_layers
from collage_studio.ui.canvas.canvas import Canvas
from collage_studio.ui.canvas.noise_overlay import values_of
from collage_studio.ui.canvas.sources import view_of

Show = Callable[..., Stage]
TOLERANCE = 4


def frame_rgb(image: QImage) -> npt.NDArray[np.int16]:
    return view_of(image)[..., 2::-1].astype(np.int16)


def assert_agrees(on: Stage, qtbot: QtBot, jumping: float = 0.0) -> None:
    """The canvas' own picture, refined, against `flatten` of the same part.

    Args:
        jumping: the share of pixels that may differ by more.
    """
    on.canvas.settle()
    qtbot.waitUntil(lambda: on.canvas.is_settled, timeout=5000)
    shot = on.canvas.scene.shot(0)
    assert shot is not None
    wanted = flatten(on.editor.document, size=shot.view.size, box=shot.view.visible)
    difference = np.abs(frame_rgb(shot.image) - wanted[..., :3])
    differing = (difference.max(axis=2) > TOLERANCE).mean()
    assert differing <= jumping, f"{difference.max()} at {np.argmax(difference)}, {differing:.2%}"


def scene(mode: BlendMode) -> Document:
    return Document(
        Size(180, 140),
        (
            Layer("under", "Under", raster=textured(180, 140, 1, soft=False)),
            Layer(
                "over", "Over", raster=textured(120, 90, 2), blend=mode, opacity=0.8,
                placement=Affine.translation(30, 20),
            ),
            Layer("top", "Top", raster=textured(60, 60, 3), placement=Affine.translation(90, 70)),
        ),
        background=WHITE,
    )  # fmt: skip


JUMPING = {
    BlendMode.VIVID_LIGHT,
    BlendMode.HARD_MIX,
    BlendMode.DARKER_COLOR,
    BlendMode.LIGHTER_COLOR,
    BlendMode.DIVIDE,
}
"""Modes whose colours jump: the canvas, which rounds to 8 bit, may land on the other side."""
MODES = [m for m in BlendMode if m is not BlendMode.PASS_THROUGH]


@pytest.mark.parametrize("mode", [m for m in MODES if m not in JUMPING])
def test_every_blend_mode_agrees_with_the_compositor(
    mode: BlendMode, stage: Show, qtbot: QtBot
) -> None:
    assert_agrees(stage(scene(mode)), qtbot)


@pytest.mark.parametrize("mode", sorted(JUMPING))
def test_modes_that_jump_agree_but_for_a_few_pixels(
    mode: BlendMode, stage: Show, qtbot: QtBot
) -> None:
    assert_agrees(stage(scene(mode)), qtbot, jumping=0.01)


@pytest.mark.parametrize("mode", [BlendMode.NORMAL, BlendMode.MULTIPLY, BlendMode.HUE])
@pytest.mark.parametrize("grouped", [False, True])
def test_clipped_layers_agree_with_the_compositor(
    mode: BlendMode, grouped: bool, stage: Show, qtbot: QtBot
) -> None:
    under, base, top = scene(BlendMode.SCREEN).layers
    if grouped:
        base = replace(base, id="inside", blend=BlendMode.NORMAL)
        base = Layer("over", "Over", LayerKind.GROUP, children=(base,), opacity=0.7)
    clips = (
        replace(top, clipped=True, blend=mode, opacity=0.9),
        Layer("tint", "Tint", LayerKind.FILL, fill=(200, 30, 90, 120), clipped=True),
    )
    assert_agrees(stage(Document(Size(180, 140), (under, base, *clips), background=WHITE)), qtbot)


def test_moving_a_clipped_layer_redraws_it(stage: Show, qtbot: QtBot) -> None:
    under, base, top = scene(BlendMode.NORMAL).layers
    on = stage(
        Document(Size(180, 140), (under, base, replace(top, clipped=True)), background=WHITE)
    )
    assert_agrees(on, qtbot)
    on.editor.apply(
        lambda document: replace(
            document,
            layers=(
                *document.layers[:2],
                replace(document.layers[2], placement=Affine.translation(70, 30)),
            ),
        ),
        "Move",
    )
    assert_agrees(on, qtbot)


@pytest.mark.parametrize("scale", [0.61, 1.0, 2.3])
def test_turned_and_scaled_layers_agree_once_refined(
    scale: float, stage: Show, qtbot: QtBot
) -> None:
    document = scene(BlendMode.NORMAL)
    turned = Affine.rotation(23).about(60, 45).after(Affine.scaling(0.7, -1.3).about(50, 40))
    document = edits.transform_layers(document, ["over"], turned)
    assert_agrees(stage(document, scale=scale), qtbot)


@pytest.mark.parametrize(
    ("blend", "opacity"),
    [(BlendMode.NORMAL, 0.6), (BlendMode.MULTIPLY, 1.0), (BlendMode.PASS_THROUGH, 0.5)],
)
def test_groups_agree(blend: BlendMode, opacity: float, stage: Show, qtbot: QtBot) -> None:
    document = scene(BlendMode.SCREEN)
    under, over, top = document.layers
    mask = np.zeros((100, 140), np.uint8)
    mask[10:90, 10:] = np.linspace(40, 255, 130, dtype=np.uint8)
    group = Layer(
        "g", "Group", LayerKind.GROUP, children=(over, top), blend=blend, opacity=opacity,
        mask=Mask(mask), placement=Affine.translation(4, 6),
    )  # fmt: skip
    assert_agrees(stage(document.with_layers(under, group)), qtbot)


def test_masks_16_bit_and_fills_agree(stage: Show, qtbot: QtBot) -> None:
    document = scene(BlendMode.NORMAL)
    under, over, top = document.layers
    assert over.raster is not None
    deep = Raster(over.raster.pixels.astype(np.uint16) * 257)
    half = np.tile(np.linspace(0, 255, 120).astype(np.uint8), (90, 1))
    fill = Layer("fill", "Fill", LayerKind.FILL, fill=(250, 120, 20, 200), opacity=0.5)
    over = replace(over, raster=deep, mask=Mask(half))
    assert_agrees(stage(document.with_layers(under, over, fill, top)), qtbot)


def test_an_edit_repaints_only_what_differs_and_stays_right(stage: Show, qtbot: QtBot) -> None:
    on = stage(scene(BlendMode.NORMAL))
    for step in range(4):
        on.editor.apply(
            lambda d: edits.transform_layers(d, ["over"], Affine.translation(7, -3)), "Move"
        )
        on.canvas.settle()
        assert_agrees(on, qtbot)
        on.editor.apply(
            lambda d, s=step: edits.change_layer(d, "over", opacity=0.2 + 0.2 * s), "Fade"
        )
        assert_agrees(on, qtbot)


def test_panning_keeps_the_picture_right(stage: Show, qtbot: QtBot) -> None:
    on = stage(scene(BlendMode.OVERLAY), scale=8.0)
    for dx, dy in ((40, 25), (-300, 10), (90, -220), (500, 500)):
        on.canvas.pan(dx, dy)
        on.canvas.settle()
    assert_agrees(on, qtbot)


def test_the_screen_shows_the_collage_pixel_for_pixel(stage: Show) -> None:
    on = stage(two_boxes())
    assert on.pixel(45, 35) == (220, 30, 30)
    assert on.pixel(250, 150) == (30, 30, 220)
    assert on.pixel(150, 20) == (255, 255, 255)
    assert on.pixel(-20, -20) == (0x19, 0x19, 0x19)


def result_of(document: Document) -> Variation:
    picture = solid(document.size.width, document.size.height, (10, 200, 10))
    layers = describe_layers(document)
    return Variation("v", 1, picture, Recipe("harmonise", 1, RunSettings(), "", layers=layers))


def test_the_result_view_shows_the_accepted_picture_and_the_key_the_collage(stage: Show) -> None:
    on = stage(two_boxes())
    variation = result_of(on.editor.document)
    on.editor.apply(lambda d: choosing.add_variations(d, [variation]), "Run")
    on.canvas.show_variation(variation)
    assert on.canvas.view == "result"
    assert on.pixel(150, 120) == (10, 200, 10)
    on.canvas.show_other_side(True)
    assert on.pixel(150, 120) == (255, 255, 255)
    on.canvas.show_other_side(False)
    on.canvas.view = "collage"
    assert on.pixel(45, 35) == (220, 30, 30)


def test_a_layer_moved_after_the_run_lies_on_the_result(stage: Show) -> None:
    on = stage(two_boxes())
    variation = result_of(on.editor.document)
    on.editor.apply(lambda d: choosing.add_variations(d, [variation]), "Run")
    on.editor.apply(lambda d: choosing.accept_variation(d, "v"), "Accept")
    on.canvas.view = "result"
    assert not on.canvas.stale_badge.isVisible()
    on.editor.apply(
        lambda d: edits.transform_layers(d, ["red"], Affine.translation(60, 100)), "Move"
    )
    assert on.canvas.stale_badge.isVisible()
    assert on.pixel(110, 140) == (220, 30, 30)
    assert on.pixel(250, 150) == (10, 200, 10)


def test_compare_shows_both_sides_of_the_line(stage: Show) -> None:
    on = stage(two_boxes())
    variation = result_of(on.editor.document)
    on.editor.apply(lambda d: choosing.add_variations(d, [variation]), "Run")
    on.canvas.show_variation(variation)
    on.canvas.view = "compare"
    assert on.pixel(100, 200) == (255, 255, 255)
    assert on.pixel(220, 200) == (10, 200, 10)
    on.canvas.wipe_share = 0.9
    assert on.pixel(220, 200) == (255, 255, 255)


def test_a_preview_covers_its_box_until_the_first_edit(stage: Show) -> None:
    on = stage(two_boxes())
    frame = np.full((8, 8, 3), (90, 20, 120), np.uint8)
    on.canvas.show_preview(frame, Rect(100, 100, 300, 200), 0.4, "Preview of variation 1")
    assert on.pixel(250, 150) == (90, 20, 120)
    assert on.pixel(60, 80) == (220, 30, 30)
    on.editor.apply(lambda d: edits.change_layer(d, "red", opacity=0.5), "Fade")
    on.canvas.show_preview(frame, Rect(100, 100, 300, 200), 0.5, "Preview of variation 1")
    assert on.pixel(250, 150) == (30, 30, 220)
    on.canvas.show_preview(None)
    assert not on.canvas.preview.dismissed


def test_the_noise_overlay_reads_the_very_values_of_the_noise_map(
    stage: Show, qtbot: QtBot
) -> None:
    document = edits.set_noise(two_boxes(), ["red"], 0.6)
    document = edits.set_noise(document, ["blue"], 0.0)
    on = stage(document)
    on.canvas.show_noise_map = True
    qtbot.waitUntil(lambda: on.canvas.noise.is_current, timeout=5000)
    wanted = values_of(document)
    for x, y in ((80, 60), (240, 150), (150, 20), (119, 60)):
        assert on.canvas.noise.value_at(x, y) == wanted[y, x]
    assert on.canvas.noise.reading(80, 60).endswith("Red")
    on.canvas.settle()
    assert on.pixel(240, 150) == (30, 30, 220)
    assert on.pixel(80, 60) != (220, 30, 30)


def test_the_noise_overlay_ends_up_with_the_newest_of_many_edits(stage: Show, qtbot: QtBot) -> None:
    on = stage(two_boxes())
    on.canvas.show_noise_map = True
    for step in range(12):
        on.editor.apply(lambda d, s=step: edits.set_noise(d, ["red"], s / 20), "Noise")
    qtbot.waitUntil(lambda: on.canvas.noise.is_current, timeout=5000)
    assert on.canvas.noise.value_at(80, 60) == values_of(on.editor.document)[60, 80]


def test_a_deleted_canvas_leaves_no_subscriptions(qtbot: QtBot) -> None:
    editor, selection = Editor(two_boxes()), Selection()
    canvas = Canvas(editor, selection)
    assert len(editor.changed) == 1
    canvas.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert len(editor.changed) == 0
    assert len(selection.changed) == 0
    assert len(selection.hover_changed) == 0
