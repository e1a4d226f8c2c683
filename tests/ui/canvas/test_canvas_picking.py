"""Which layer a click takes, and where a moving box is pulled to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from canvas_stage import Stage, solid, two_boxes
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from collage_studio.document.geometry import Affine
from collage_studio.document.model import Layer, LayerKind, Mask
from collage_studio.ui.canvas.hit import layers_at, pick
from collage_studio.ui.canvas.snapping import snap

CANVAS = (0.0, 0.0, 400.0, 300.0)


def test_the_topmost_layer_comes_first() -> None:
    document = two_boxes()
    over = Layer(
        "over", "Over", raster=solid(50, 50, (0, 255, 0)), placement=Affine.translation(50, 40)
    )
    document = document.with_layers(*document.layers, over)
    assert layers_at(document, 60, 50) == ("over", "red")
    assert layers_at(document, 5, 5) == ()


def test_transparent_masked_hidden_and_locked_pixels_are_not_hit() -> None:
    document = two_boxes()
    red = document.layers[0]
    hole = np.full((60, 80), 255, np.uint8)
    hole[:, :40] = 0
    masked = document.with_layers(replace(red, mask=Mask(hole)))
    assert layers_at(masked, 50, 40) == ()
    assert layers_at(masked, 110, 40) == ("red",)
    assert layers_at(document.with_layers(replace(red, locked=True)), 50, 40) == ()
    assert layers_at(document.with_layers(replace(red, visible=False)), 50, 40) == ()


def test_a_group_can_be_picked_instead_of_what_is_inside() -> None:
    document = two_boxes()
    group = Layer("g", "Group", LayerKind.GROUP, children=document.layers)
    document = document.with_layers(group)
    assert layers_at(document, 50, 40) == ("red",)
    assert layers_at(document, 50, 40, groups=True) == ("g",)


def test_a_second_click_goes_one_deeper_and_round() -> None:
    assert pick(("a", "b"), "") == "a"
    assert pick(("a", "b"), "a") == "b"
    assert pick(("a", "b"), "b") == "a"
    assert pick((), "a") == ""


def test_clicks_select_and_go_deeper_on_the_canvas(stage: Callable[..., Stage]) -> None:
    document = two_boxes()
    over = Layer(
        "over", "Over", raster=solid(50, 50, (0, 255, 0)), placement=Affine.translation(50, 40)
    )
    on = stage(document.with_layers(*document.layers, over))
    on.click(60, 50)
    assert on.selection.ids == ("over",)
    on.click(60, 50)
    assert on.selection.ids == ("red",)
    on.click(60, 50)
    assert on.selection.ids == ("over",)
    on.click(5, 200)
    assert on.selection.ids == ()


def test_tab_walks_the_layers(stage: Callable[..., Stage]) -> None:
    on = stage(two_boxes())
    on.canvas.setFocus()
    on.key(Qt.Key.Key_Tab)
    assert on.selection.ids == ("blue",)
    on.key(Qt.Key.Key_Tab)
    assert on.selection.ids == ("red",)


def test_a_double_click_asks_for_the_text(stage: Callable[..., Stage]) -> None:
    on = stage(two_boxes())
    asked: list[str] = []
    on.canvas.text_edit_requested.connect(asked.append)
    point = on.at(60, 50)
    event = QMouseEvent(
        QEvent.Type.MouseButtonDblClick, point, on.canvas.mapToGlobal(point),
        Qt.MouseButton.LeftButton, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(on.canvas, event)
    assert asked == ["red"]


def test_the_pointer_lights_the_layer_under_it(stage: Callable[..., Stage]) -> None:
    on = stage(two_boxes())
    point = on.at(210, 130)
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove, point, on.canvas.mapToGlobal(point), none, none,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(on.canvas, event)
    assert on.selection.hovered == "blue"


def test_a_box_snaps_to_the_canvas_and_to_its_centre() -> None:
    found = snap((3, 100, 53, 150), [], CANVAS, 6)
    assert (found.dx, found.dy) == (-3, 0)
    found = snap((172, 128, 222, 178), [], CANVAS, 6)
    assert (found.dx, found.dy) == (3, -3)


def test_equal_gaps_snap_and_are_measured() -> None:
    left, right = (0.0, 100.0, 50.0, 150.0), (250.0, 100.0, 300.0, 150.0)
    found = snap((128, 101, 178, 163), [left, right], CANVAS, 6)
    assert found.dx == -3
    assert [g.label for g in found.guides].count("75") == 2


def test_an_aligned_neighbour_shows_its_distance() -> None:
    other = (300.0, 100.0, 350.0, 150.0)
    found = snap((40, 98, 90, 160), [other], CANVAS, 6)
    assert found.dy == 2
    assert "210" in [g.label for g in found.guides]


@given(st.floats(0, 300), st.floats(0, 200))
def test_nothing_is_pulled_further_than_the_reach(x: float, y: float) -> None:
    found = snap((x, y, x + 50, y + 40), [(100, 100, 140, 160)], CANVAS, 6)
    assert abs(found.dx) <= 6
    assert abs(found.dy) <= 6


def test_a_far_box_is_left_alone() -> None:
    assert snap((61, 71, 101, 92), [], CANVAS, 6) == pytest.approx(
        snap((61, 71, 101, 92), [], CANVAS, 6)
    )
    assert not snap((61, 71, 101, 92), [], CANVAS, 6).guides
